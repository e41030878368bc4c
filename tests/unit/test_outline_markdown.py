"""An outline written as Markdown, and read back."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.outline import check_outline
from schemas.outline_markdown import OutlineTextError, Read, read_outline, slug, written_outline
from schemas.values import Column, Section

OUTLINE = """\
# Living documents

## What was known
Say what the sources say.
- keep
- these

```sh
# not a heading
```

## Comparison {#table}
Columns:
- Method
- Participants (number): How many took part in the end?
- Open data (yes/no)
- When (date)
- Verdict {#v} (one of: works, fails)

### Zusammenfassung: Größe!
Depends on: table, what was KNOWN
"""

ids = st.from_regex(r"[a-z0-9](?:[a-z0-9_-]{0,6}[a-z0-9])?", fullmatch=True).filter(lambda id_: id_ != "outline")
line = st.text(st.sampled_from("ab C1{}#()[]:-*\\`,~é漢😀."), min_size=1, max_size=14).map(str.strip).filter(bool)
lines = st.lists(
    line
    | st.sampled_from(["", "## x", "# y", "Columns:", "depends on: a", "\\# z", "```", "~~~", "    # i", "- i", "\\"]),
    max_size=6,
).map(lambda parts: "\n".join(parts).strip())
word = st.text(st.sampled_from("abc é漢"), min_size=1, max_size=8).map(str.strip).filter(bool)


@st.composite
def columns(draw: st.DrawFn) -> Column:
    format_: Any = draw(st.sampled_from(["text", "number", "yes_no", "date", "one_of"]))
    options = tuple(draw(st.lists(word, min_size=1, max_size=3))) if format_ == "one_of" else ()
    instructions = draw(st.just("") | word)
    return Column(id=draw(ids), heading=draw(word), instructions=instructions, format=format_, options=options)


@st.composite
def outlines(draw: st.DrawFn) -> Read:
    names = draw(st.lists(ids, min_size=1, max_size=5, unique=True))
    tables = {name: tuple(draw(st.lists(columns(), max_size=3))) for name in names}
    needs = [need for name in names for need in (name, *(f"{name}:{column.id}" for column in tables[name]))]
    sections = tuple(
        Section(
            id=name,
            heading=draw(line.filter(lambda text: not text.endswith("#"))),
            instructions=draw(lines),
            depends_on=tuple(draw(st.lists(st.sampled_from(needs), max_size=2))),
            columns=tables[name],
        )
        for name in names
    )
    return Read(draw(word), sections)


@given(outlines())
def test_what_is_written_is_read_back(outline: Read) -> None:
    assert read_outline(written_outline(*outline)) == outline


@given(st.text(st.sampled_from("#- abA\n:{}()`,\\\t1."), max_size=80))
def test_any_text_is_an_outline_or_a_clear_no(text: str) -> None:
    with contextlib.suppress(OutlineTextError):
        assert read_outline(text).sections


def test_an_outline_as_people_write_it() -> None:
    title, (first, table, last) = read_outline(OUTLINE)
    assert title == "Living documents"
    assert (first.id, first.heading) == ("what-was-known", "What was known")
    assert first.instructions.endswith("```sh\n# not a heading\n```")
    assert "- keep" in first.instructions
    assert [(c.id, c.format, c.options) for c in table.columns] == [
        ("method", "text", ()),
        ("participants", "number", ()),
        ("open-data", "yes_no", ()),
        ("when", "date", ()),
        ("v", "one_of", ("works", "fails")),
    ]
    assert table.columns[1].instructions == "How many took part in the end?"
    assert last == Section(
        id="zusammenfassung-groe", heading="Zusammenfassung: Größe!", depends_on=("table", "what-was-known")
    )
    assert not check_outline((first, table, last))


def test_a_section_may_depend_on_one_column_by_ids_or_by_headings() -> None:
    table = "## Trials: 2020 on\nColumns:\n- Participants {#n} (number)\n- Method\n\n## Sum\nDepends on: "
    for said, need in (
        ("Trials: 2020 on: participants", "trials-2020-on:n"),
        ("trials-2020-on:method", "trials-2020-on:method"),
        ("Trials: 2020 on", "trials-2020-on"),
    ):
        assert read_outline(table + said).sections[1].depends_on == (need,)


def test_a_list_is_an_outline_too() -> None:
    title, sections = read_outline("# T\n\n1. First\n   - what to say\n2. Second\n")
    assert title == "T"
    assert [(s.heading, s.instructions) for s in sections] == [("First", "- what to say"), ("Second", "")]


def test_headings_of_one_level_are_all_sections() -> None:
    assert [s.id for s in read_outline("# A\ntext\n# B\n# B\n# !\n# Outline").sections] == [
        "a", "b", "b-2", "section", "outline-2",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "only words", "# Title alone", "## " + "x" * 400, "## \n"])
def test_what_is_no_outline_says_so(text: str) -> None:
    if text == "# Title alone":
        assert read_outline(text).sections[0].id == "title-alone"
        return
    with pytest.raises(OutlineTextError):
        read_outline(text)


def test_an_id_is_made_of_what_can_be_one() -> None:
    assert slug("Über  Größe — 3!") == "uber-groe-3"
    assert len(slug("x" * 99)) <= 64
