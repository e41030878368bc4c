"""The simulator's answers: cited sentences of the sources, outlines, cells."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.citations import cited
from schemas.values import Column, Section
from services.simulator.answers import answer
from services.simulator.json_schema import Schema
from services.simulator.prompt import Asked, understood
from services.writer.answer import problem_of, table_cell_schema
from services.writer.prompt import section_block

LEASES = """## Leases

A gateway holds one lease for each document that it has viewers on. The last viewer who leaves starts a *grace* of ten
seconds. During the grace no new cell is started, but those that run go on. Where the "grace" is over and no lease is left
anywhere, the document is paused and every writer closes its model connections.

```python
lease = await bucket.put("lease")  # the lease of a viewer, the lease of a gateway
```

- [Leases in the docs](https://example.org/leases)
- A killed gateway's lease runs out by itself after five seconds.

| lease | grace |
|---|---|
| lease of the gateway | the grace of the lease |
"""
INK = """## Ink

Text on its way is called ink, and it is kept in memory only. Every piece of ink names its attempt and its offset. The page
appends each piece at its offset, so that a piece that arrives twice is skipped. In 2024 the team measured 1,250 viewers of
one document at once. The bus was chosen on 3 March 2024.
"""
PASSAGES = {("s1", 1): LEASES, ("s2", 4): INK}
CELL: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "quote": {"type": "string"}, "passage": {"type": ["integer", "null"]}},
    "required": ["answer", "quote", "passage"],
}
OUTLINE: dict[str, Any] = {
    "$ref": "#/$defs/Outline",
    "$defs": {
        "Outline": {
            "type": "object",
            "properties": {"title": {"type": "string"}, "sections": {"type": "array", "items": {"$ref": "#/$defs/S"}}},
            "required": ["title", "sections"],
        },
        "S": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "heading": {"type": "string"},
                "instructions": {"type": "string"},
                "depends_on": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["id", "heading", "instructions", "depends_on"],
        },
    },
}


def prompt(section: str, brief: str = "How a stop reaches the model.", extra: str = "", *, sources: bool = True) -> str:
    passages = "".join(
        f'<passage source="{source}" number="{number}" title="notes.md">{text}</passage>\n'
        for (source, number), text in PASSAGES.items()
    )
    return f'<document title="Stops">{brief}</document>\n{section}\n{extra}{passages if sources else ""}'


def asked(user: str, schema: dict[str, Any] | None = None) -> Asked:
    return understood("", user, None if schema is None else msgspec.convert(schema, Schema))


LEASE_SECTION = '<section heading="Leases and grace">Say what becomes of a lease when the last viewer leaves.</section>'


def test_every_claim_is_cited_with_words_that_stand_in_its_passage() -> None:
    text = answer(asked(prompt(LEASE_SECTION)), "1")
    citations = cited(text, lambda source, number: PASSAGES.get((source, number)))
    assert len(citations) >= 3
    assert all(citation.verified for citation in citations)
    assert all(len(citation.quote.split()) <= 25 for citation in citations)
    assert "The last viewer who leaves starts a grace of ten seconds." in text


def test_code_tables_and_link_lists_are_left_out() -> None:
    text = answer(asked(prompt(LEASE_SECTION)), "1")
    assert not any(word in text for word in ("await", "example.org", "|", "##"))


def test_the_section_decides_what_is_told() -> None:
    text = answer(asked(prompt('<section heading="Ink">Say how ink is appended at its offset.</section>')), "1")
    assert text.startswith(("Text on its way", "Every piece of ink", "The page appends"))


def test_a_prompt_and_a_wording_have_one_answer() -> None:
    assert answer(asked(prompt(LEASE_SECTION)), "1") == answer(asked(prompt(LEASE_SECTION)), "1")


def test_closing_tags_broken_by_the_writer_are_whole_again_in_a_quote() -> None:
    source = "A mark such as <\\/b> ends the bold words of the old page and nothing else at all."
    user = f'<section heading="Bold">Say what ends bold words.</section><passage source="s1" number="1" title="t">{source}</passage>'
    citations = cited(answer(asked(user), "1"), lambda _source, _number: source.replace("<\\/", "</"))
    assert citations
    assert all(citation.verified for citation in citations)


def test_a_summary_repeats_the_sections_with_their_markers() -> None:
    earlier = '<earlier section="leases" heading="Leases">The last viewer starts a grace of ten seconds. [[s1:1 "of ten seconds"]]</earlier>'
    missing = '<missing section="ink">The model did not answer.</missing>'
    section = '<section heading="Summary">Sum up.</section>'
    text = answer(asked(prompt(section, extra=earlier + missing, sources=False)), "1")
    assert 'The last viewer starts a grace of ten seconds. [[s1:1 "of ten seconds"]]' in text
    assert "“ink” was not written" in text
    assert "did not answer" not in text


def test_without_sources_it_says_so() -> None:
    text = answer(asked(prompt(LEASE_SECTION, sources=False)), "1")
    assert "No sources were given" in text
    assert "[[" not in text


def test_any_other_prompt_is_answered_from_its_own_text() -> None:
    text = answer(asked(f"{INK}\nWhere is ink kept, in memory or on disk?"), "1")
    assert "Text on its way is called ink, and it is kept in memory only." in text
    assert answer(asked("What is it?"), "1")
    assert answer(asked(""), "1")


def test_an_outline_fits_its_schema_and_ends_in_a_summary_of_the_others() -> None:
    outline = msgspec.json.decode(answer(asked(prompt("<plan>Plan it.</plan>"), OUTLINE), "1"))
    sections = msgspec.convert(outline["sections"], tuple[Section, ...])
    assert 5 <= len(sections) <= 9
    assert {"Leases", "Ink"} <= {section.heading for section in sections}
    assert sections[-1].depends_on == tuple(section.id for section in sections[:-1])
    assert len({section.id for section in sections}) == len(sections)


@pytest.mark.parametrize(
    ("brief", "count"), [("Write it in six sections.", 6), ("In 3 parts, please.", 3), ("Exactly twelve sections.", 12)]
)
def test_the_brief_decides_how_many_sections(brief: str, count: int) -> None:
    outline = msgspec.json.decode(answer(asked(prompt("<plan>Plan it.</plan>", brief), OUTLINE), "1"))
    assert len(outline["sections"]) <= count
    assert len(outline["sections"]) == count or count > 9


def test_what_the_brief_lists_becomes_sections() -> None:
    brief = "A guide for newcomers: what a lease is, how long a grace lasts, and why ink is kept in memory."
    outline = msgspec.json.decode(answer(asked(prompt("<plan>Plan it.</plan>", brief), OUTLINE), "1"))
    headings = [section["heading"] for section in outline["sections"]]
    assert headings[:3] == ["What a lease is", "How long a grace lasts", "Why ink is kept in memory"]


@pytest.mark.parametrize(
    ("kind", "question", "expected"),
    [
        ({"type": "string"}, "Where is ink kept?", "memory"),
        ({"type": "number"}, "How many viewers were measured at once?", 1250),
        ({"type": "boolean"}, "Does every piece of ink name its attempt?", True),
        ({"enum": ["disk", "memory", "tape"]}, "Where is the ink kept?", "memory"),
        ({"type": "string", "description": "A date"}, "When was the bus chosen?", "3 March 2024"),
        ({"type": ["number", "null"]}, "How heavy is a zeppelin?", None),
    ],
)
def test_a_cell_is_answered_in_the_form_that_is_asked_for(
    kind: dict[str, Any], question: str, expected: object
) -> None:
    schema = {**CELL, "properties": {**CELL["properties"], "answer": kind}}
    user = f'<section heading="Facts">{question}</section><passage source="s2" number="4" title="notes">{INK}</passage>'
    cell = msgspec.json.decode(answer(asked(user, schema), "1"))
    assert expected in cell["answer"] if isinstance(expected, str) else cell["answer"] == expected
    if expected is not None:
        assert cell["passage"] == 4
        assert cell["quote"] in " ".join(INK.split())


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (Column(id="c", heading="Place", instructions="Where is ink kept?"), "memory"),
        (Column(id="c", heading="Viewers", instructions="How many viewers were measured?", format="number"), "1250"),
        (Column(id="c", heading="Attempt", instructions="Does ink name its attempt?", format="yes_no"), "yes"),
        (Column(id="c", heading="Choice", instructions="When was the bus chosen?", format="date"), "3 March 2024"),
        (Column(id="c", heading="Place", format="one_of", options=("disk", "memory")), "memory"),
        (Column(id="c", heading="Weight", instructions="How heavy is a zeppelin?", format="number"), "not stated"),
    ],
)
def test_a_cell_that_the_writer_asks_for_is_one_that_it_takes(column: Column, expected: str) -> None:
    question = section_block(Section(id="facts", heading="Facts", columns=(column,)), column)
    user = f'{question}<passage source="s2" number="4" title="notes">{INK}</passage>'
    said = answer(asked(user, table_cell_schema(column).schema), "1")
    assert problem_of(said, column) is None
    assert expected in msgspec.json.decode(said)["answer"]


def test_a_table_is_summed_up_by_its_cells() -> None:
    earlier = '<earlier section="t" heading="Table">notes, Place: memory [[s2:4 "kept in memory only"]]</earlier>'
    text = answer(asked(prompt('<section heading="Summary">Sum up.</section>', extra=earlier, sources=False)), "1")
    assert 'notes, Place: memory [[s2:4 "kept in memory only"]]' in text


def test_a_schema_asked_for_in_words_counts() -> None:
    schema = msgspec.json.encode(CELL).decode()
    user = f"{prompt(LEASE_SECTION)}\n\nAnswer with JSON only, of this schema: {schema}"
    assert set(msgspec.json.decode(answer(asked(user), "1"))) == {"answer", "quote", "passage"}


def test_a_schema_of_any_other_shape_is_filled() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "kind": {"enum": ["a", "b"]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        },
        "required": ["name", "kind", "tags", "size"],
    }
    found = msgspec.json.decode(answer(asked("Name it, please, whatever it is called by the others.", schema), "1"))
    assert found.keys() == {"name", "kind", "tags", "size"}
    assert found["kind"] == "a"
    assert len(found["tags"]) == 2
