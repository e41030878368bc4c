"""A document as Markdown."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.document import Cancelled, Cell, Completed, Completion, Document, Done, Failed, Ink, Source, Writing
from schemas.library import card_of
from schemas.passages import Passage
from schemas.values import Citation, Column, Policy, Section, SourceGiven
from services.gateway.exports.markdown import markdown


def _completed(id_: str, text: str, *citations: Citation) -> Cell:
    completion = Completion(
        revision=1, attempt=1001001, at_ms=1, text=text, input_digest="i", output_digest="o", citations=citations
    )
    return Cell(id=id_, state=Completed(at_ms=1), completed=completion)


def _document(outline: tuple[Section, ...], *cells: Cell) -> Document:
    given = SourceGiven(id="s1", name="The | Rule", media_type="text/plain", size_bytes=1, digest="d")
    return Document(
        id="0" * 32,
        title="Title",
        brief="Brief",
        policy=Policy(),
        created_at_ms=0,
        run=Done(at_ms=1),
        outline=outline,
        sources={"s1": Source(given=given, digest="t")},
        cells={cell.id: cell for cell in cells},
    )


def test_citations_are_numbered_and_lead_to_their_source() -> None:
    quote = Citation(start=0, end=1, source="s1", passage=2, quote="ora et labora")
    text = 'Work [[s1:2 "ora et labora"]] and pray [[s1:2 "ora et labora"]].'
    shown = markdown(_document((Section(id="a", heading="A"),), _completed("a", text, quote)))
    assert "Work [1] and pray [1]." in shown
    assert "1. The | Rule, passage 2: “ora et labora” (not found in source)" in shown


def test_a_source_with_pages_is_cited_by_page() -> None:
    text = 'Work [[s1:2 "ora et labora"]].'
    shown = markdown(
        _document((Section(id="a", heading="A"),), _completed("a", text)),
        {("s1", 2): Passage(number=2, start=0, end=1, text="t", page=17)},
    )
    assert "1. The | Rule, page 17: “ora et labora”" in shown


def test_a_marker_that_is_still_being_written_is_not_shown() -> None:
    writing = Cell(
        id="a",
        state=Writing(attempt=1001001, since_ms=1, model="m/a"),
        ink=Ink(attempt=1001001, text='Work [[s1:2 "or'),
    )
    shown = markdown(_document((Section(id="a", heading="A"),), writing))
    assert "Work\n\n*Not finished.*" in shown


def test_what_is_not_there_says_so() -> None:
    failed = Cell(id="b", state=Failed(at_ms=1, kind="stalled", message="The model fell silent."))
    shown = markdown(_document((Section(id="a", heading="A"), Section(id="b", heading="B")), failed))
    assert "*Not written yet.*" in shown
    assert "*This section could not be written: The model fell silent.*" in shown


def test_what_was_stopped_says_so_and_whether_its_text_is_the_earlier_one() -> None:
    stopped = Cancelled(attempt=2001001, at_ms=2, reason="stopped", closed_at_ms=3, asked_at_ms=1)
    cut = Cell(id="a", state=stopped, ink=Ink(attempt=2001001, text="Half of it"))
    earlier = replace(_completed("b", "All of it."), state=stopped)
    document = _document((Section(id="a", heading="A"), Section(id="b", heading="B")), cut, earlier)
    shown = markdown(document)
    assert "Half of it\n\n*Stopped before it was finished.*" in shown
    assert "All of it.\n\n*This is its earlier text: the writing of a newer one was stopped.*" in shown
    card = card_of(document)
    assert (card.cells, card.cells_done, card.cells_failed, card.cells_stopped) == (2, 0, 0, 2)


def test_a_table_stays_one_whatever_its_cells_say() -> None:
    table = Section(id="t", heading="T", columns=(Column(id="q", heading="Q"),))
    shown = markdown(_document((table,), _completed("t:s1:q", "yes | no\nmaybe")))
    assert "| Source | Q |\n| --- | --- |\n| The \\| Rule | yes \\| no maybe |" in shown
