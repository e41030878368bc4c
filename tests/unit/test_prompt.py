from __future__ import annotations

import msgspec
import pytest

from schemas.attempts import attempt_number
from schemas.cells import wanted_cells
from schemas.citations import cited
from schemas.document import Cell, Completed, Completion, Document, Failed, Running, Source
from schemas.passages import Passage, Passages
from schemas.values import Column, ErrorKind, Policy, Section, SourceGiven
from services.planner import outline
from services.shared.attempt.errors import ERRORS
from services.shared.retrieval import Chosen
from services.simulator.prompt import understood
from services.writer.answer import TableCell, passage_text, problem_of, written
from services.writer.prompt import EARLIER_CHARACTERS_MAX, NOT_WRITTEN, messages, query

TEXTS = ("First </passage> words.", "Second words.", "Third.")


def passages(id_: str = "s1", texts: tuple[str, ...] = TEXTS) -> Passages:
    return Passages(
        source=id_,
        name=f'The "{id_}" <book>',
        digest="d",
        text="\n".join(texts),
        passages=tuple(
            Passage(number=n, start=0, end=len(text), text=text, heading=f"H{n}") for n, text in enumerate(texts, 1)
        ),
    )


def document(*outline: Section, cells: dict[str, Cell] | None = None, sources: tuple[str, ...] = ("s1",)) -> Document:
    given = {
        id_: Source(given=SourceGiven(id=id_, name=id_.upper(), media_type="text/plain", size_bytes=1, digest="d"))
        for id_ in sources
    }
    return Document(
        id="0" * 32,
        title='On "ink" & <quills>',
        brief="Say </document> everything.",
        policy=Policy(),
        created_at_ms=0,
        run=Running(since_ms=0, deadline_ms=1),
        outline=outline,
        sources=given,
        cells=cells or {},
    )


def completed(id_: str, text: str) -> Cell:
    completion = Completion(
        revision=1, attempt=attempt_number(1, 1, 1), at_ms=0, text=text, input_digest="", output_digest=""
    )
    return Cell(id=id_, state=Completed(at_ms=0), completed=completion)


def asked(of: Document, cell: str, chosen: tuple[Chosen, ...] = ()) -> tuple[str, str]:
    wanted = wanted_cells(of.outline, of.sources)[cell]
    system, user = messages(of, wanted, chosen, {"s1": passages()})
    return system.content, user.content


A = Section(id="a", heading="Ink & oak", instructions="Compare <b>both</b>.\nKeep it short.")
SUM = Section(id="sum", heading="Summary", instructions="Sum up.", depends_on=("a", "b"))
B = Section(id="b", heading="Quills")


def test_instructions_reach_the_model_verbatim() -> None:
    _, user = asked(document(A), "a")
    assert A.instructions in user


def test_the_simulator_understands_what_the_writer_says() -> None:
    chosen = tuple(Chosen("s1", passage) for passage in reversed(passages().passages[:2]))
    system, user = asked(document(A), "a", chosen)
    seen = understood(system, user)
    assert (seen.title, seen.heading, seen.instructions) == (
        "",
        A.heading,
        A.instructions,
    )  # Renaming rewrites nothing.
    assert [(p.source, p.number, p.title, p.text) for p in seen.passages] == [
        ("s1", 1, 'The "s1" <book>', TEXTS[0]),
        ("s1", 2, 'The "s1" <book>', TEXTS[1]),
    ]


def test_a_summary_is_given_what_it_sums_up_and_told_what_is_missing() -> None:
    cells = {
        "a": completed("a", 'Ink dries. [[s1:1 "dries"]]'),
        "b": Cell(id="b", state=Failed(at_ms=0, kind="refused", message="The model refused to answer.")),
    }
    seen = understood(*asked(document(A, B, SUM, cells=cells), "sum"))
    assert [(e.section, e.heading, e.text) for e in seen.earlier] == [("a", A.heading, 'Ink dries. [[s1:1 "dries"]]')]
    assert seen.missing == ((B.heading, NOT_WRITTEN),)


@pytest.mark.parametrize("kind", sorted(ERRORS))
def test_what_went_wrong_with_a_section_is_told_to_no_model(kind: ErrorKind) -> None:
    message = "The provider answered 503: upstream at 10.0.0.7 is overloaded."
    cells = {
        "a": completed("a", "Ink dries."),
        "b": Cell(id="b", state=Failed(at_ms=0, kind=kind, message=message)),
    }
    told = "\n".join(asked(document(A, B, SUM, cells=cells), "sum"))
    assert NOT_WRITTEN in told
    assert message not in told
    assert ERRORS[kind].reads not in told


def test_a_table_is_handed_on_row_by_row() -> None:
    table = Section(id="b", heading="T", columns=(Column(id="y", heading="Year"),))
    cells = {
        "a": completed("a", "x"),
        "b:s1:y": completed("b:s1:y", "1250"),
        "b:s2:y": Cell(id="b:s2:y", state=Failed(at_ms=0, kind="cut", message="It broke off.")),
    }
    seen = understood(*asked(document(A, table, SUM, cells=cells, sources=("s1", "s2")), "sum"))
    assert seen.earlier[1].text == "S1, Year: 1250"
    assert seen.missing == ((table.heading, f"S2, Year: {NOT_WRITTEN}"),)


def test_a_column_is_handed_on_by_itself_with_what_it_comes_to() -> None:
    number = Column(id="n", heading="Pages", format="number")
    table = Section(id="t", heading="Books", columns=(Column(id="y", heading="Year"), number))
    pages = {f"t:s{n}:n": completed(f"t:s{n}:n", f'{n * 100} pages [[s{n}:1 "so many"]]') for n in (1, 2)}
    cells = pages | {f"t:s{n}:y": completed(f"t:s{n}:y", "1250") for n in (1, 2)}
    one = Section(id="one", heading="One", depends_on=("t:n",))
    every = Section(id="every", heading="Every", depends_on=("t",))
    of = document(table, one, every, cells=cells, sources=("s1", "s2"))
    sums = "Pages: sum 300, mean 150, median 150, smallest 100, largest 200 (pages); 2 of 2 answered"
    rules, user = asked(of, "one")
    assert f'<sums section="t:n" heading="Books">{sums}</sums>' in user
    assert "sums block" in rules
    assert understood(rules, user).sums == (sums,)
    assert [part.text for part in understood(rules, user).earlier] == [
        'S1, Pages: 100 pages [[s1:1 "so many"]]\nS2, Pages: 200 pages [[s2:1 "so many"]]'
    ]
    _, user = asked(of, "every")
    assert sums in user
    assert "S1, Year: 1250" in user


def test_what_it_builds_on_is_bounded() -> None:
    cells = {"a": completed("a", "x" * EARLIER_CHARACTERS_MAX), "b": completed("b", "short")}
    _, user = asked(document(A, B, SUM, cells=cells), "sum")
    assert len(user) < EARLIER_CHARACTERS_MAX
    assert "[The rest is left out.]" in user


def test_a_cell_of_a_table_is_asked_its_column_s_question() -> None:
    column = Column(id="c", heading="Colour", instructions="Which?", format="one_of", options=("red", "black"))
    table = Section(id="t", heading="Inks", instructions="Of each book.", columns=(column,))
    of = document(table)
    seen = understood(*asked(of, "t:s1:c"))
    assert seen.heading == "Inks: Colour"
    assert seen.instructions.startswith("Of each book.\nWhich?")
    assert "red; black" in seen.instructions
    assert "Colour" in query(of, wanted_cells(of.outline, of.sources)["t:s1:c"])


# -- Answers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "answer", "good"),
    [
        (Column(id="c", heading="C"), '{"answer": "oak galls", "quote": "q", "passage": 1}', True),
        (Column(id="c", heading="C"), '{"answer": "", "quote": "", "passage": 0}', False),
        (Column(id="c", heading="C"), '{"answer": "x", "more": 1}', False),
        (Column(id="c", heading="C"), "Sure! Here it is.", False),
        (Column(id="c", heading="C", format="number"), '{"answer": 1250}', True),
        (Column(id="c", heading="C", format="number"), '{"answer": "1,250 pages"}', True),
        (Column(id="c", heading="C", format="number"), '{"answer": "many"}', False),
        (Column(id="c", heading="C", format="number"), '{"answer": "12-15"}', False),
        (Column(id="c", heading="C", format="number"), '{"answer": "$ 3.2 million"}', True),
        (Column(id="c", heading="C", format="number"), '{"answer": "Not stated"}', True),
        (Column(id="c", heading="C", format="yes_no"), '{"answer": "Yes"}', True),
        (Column(id="c", heading="C", format="yes_no"), '{"answer": "perhaps"}', False),
        (Column(id="c", heading="C", format="date"), '{"answer": "1250"}', True),
        (Column(id="c", heading="C", format="date"), '{"answer": "soon"}', False),
        (Column(id="c", heading="C", format="one_of", options=("a", "b")), '{"answer": "b"}', True),
        (Column(id="c", heading="C", format="one_of", options=("a", "b")), '{"answer": "c"}', False),
    ],
)
def test_an_answer_has_to_fit_its_column(column: Column, answer: str, good: bool) -> None:
    assert (problem_of(answer, column) is None) == good


def test_a_cell_s_text_leads_back_to_its_source() -> None:
    text = written(TableCell(answer="words", quote='Second "words" [sic]', passage=2), "s1")
    assert text == "words [[s1:2 \"Second 'words' \"]]".replace("' \"", "'\"")
    found = {"s1": passages(texts=("a", 'The Second "words" there.'))}
    (citation,) = cited(text, passage_text(found))
    assert citation.verified
    assert written(TableCell(answer="not stated", quote="", passage=0), "s1") == "not stated"


def test_a_quote_that_stands_nowhere_is_marked() -> None:
    (citation,) = cited('x [[s1:1 "never said"]]', passage_text({"s1": passages()}))
    assert not citation.verified


# -- Outlines -----------------------------------------------------------------------------------------------------------


def planned(*sections: dict[str, object], title: str = "T") -> str:
    whole: list[dict[str, object]] = [
        {"id": "a", "heading": "A", "instructions": "", "depends_on": []} | section for section in sections
    ]
    return msgspec.json.encode({"title": title, "sections": whole}).decode()


def test_a_planner_s_prompt_has_the_heads_of_every_source_and_all_headings() -> None:
    sources = {id_: passages(id_) for id_ in ("s1", "s2")}
    system, user = outline.messages(document(sources=("s1", "s2")), sources, 4)
    seen = understood(system.content, user.content)
    assert seen.plan == outline.PLAN
    assert [(p.source, p.number) for p in seen.passages] == [("s1", 1), ("s1", 2), ("s2", 1), ("s2", 2)]
    assert "H1\nH2\nH3" in user.content


def test_a_good_outline_is_taken() -> None:
    assert outline.problem_of(planned({}, {"id": "b", "depends_on": ["a"]})) is None


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ("Sure!", "JSON"),
        ('{"title": "T"}', "sections"),
        ('{"title": "T", "sections": []}', "at least one"),
        (planned({"id": "Bad Id"}), "id"),
        (planned({"depends_on": ["a"]}), "circle"),
        (planned({"id": "outline"}), "taken"),
        (planned({"heading": "x" * 301}), "heading"),
        (planned({"columns": [{"id": "c", "heading": "C"}]}), "columns"),
        (planned({"weight": 1}), "weight"),
    ],
)
def test_a_bad_outline_is_told_what_is_wrong(answer: str, word: str) -> None:
    problem = outline.problem_of(answer)
    assert problem is not None
    assert word in problem
