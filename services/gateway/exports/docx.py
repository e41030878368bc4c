"""A document as a Word file (Office Open XML, ECMA-376), by python-docx: citations are links to bookmarks in the list of sources.

python-docx has no links, bookmarks or restarted lists of its own: those few elements are made here.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from docx import Document as WordDocument
from docx.document import Document as Word
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parser
from docx.oxml.ns import qn
from docx.shared import Pt
from docx.text.paragraph import Paragraph as WordParagraph
from docx.text.run import Run as WordRun

from services.gateway.exports.book import Book, Source
from services.gateway.exports.prose import (
    Block,
    Break,
    Cite,
    Code,
    Grid,
    Heading,
    Listing,
    Paragraph,
    Quote,
    Rule,
    Run,
    Text,
    printable,
)

LIST_DEPTH_MAX: Final = 3
"""Of which Word's own template has styles."""
MONOSPACE: Final = "Consolas"
LINK_COLOUR: Final = "1F5FD0"


def docx(book: Book) -> bytes:
    """The whole file. Takes about a millisecond a paragraph: not for an event loop."""
    return _Writer(book).bytes()


class _Writer:
    def __init__(self, book: Book) -> None:
        self._book = book
        self._word: Word = WordDocument()
        self._bookmarks = 0

    def bytes(self) -> bytes:
        properties = self._word.core_properties
        made = datetime.fromtimestamp(self._book.created_at_ms / 1_000, UTC)
        properties.title, properties.author, properties.comments = self._book.title[:255], "Scriptorium", ""
        properties.created = properties.modified = made
        self._word.add_heading(self._book.title, 0)
        self._note(self._book.note)
        for chapter in self._book.chapters:
            self._word.add_heading(chapter.heading, 1)
            self._blocks(chapter.blocks)
            self._note(chapter.note)
        if self._book.sources:
            self._word.add_heading("Sources", 1)
            for source in self._book.sources:
                self._source(source)
        file = io.BytesIO()
        self._word.save(file)
        return file.getvalue()

    # -- Sources --------------------------------------------------------------------------------------------------------

    def _source(self, source: Source) -> None:
        paragraph = self._word.add_paragraph()
        self._bookmark(paragraph, _bookmark_of(source.number), f"[{source.number}]")
        paragraph.add_run(" ")
        if source.href:
            self._link(paragraph, Text(text=source.name, href=source.href))
        else:
            paragraph.add_run(source.name)
        paragraph.add_run(f", {source.where}")
        for quote in source.quotes:
            doubt = "" if quote.verified else " (not found in source)"
            paragraph.add_run(f"\n“{printable(quote.text)}”{doubt}").italic = True

    def _bookmark(self, paragraph: WordParagraph, name: str, text: str) -> None:
        self._bookmarks += 1
        start = _element("bookmarkStart", {"id": self._bookmarks, "name": name})
        end = _element("bookmarkEnd", {"id": self._bookmarks})
        _below(paragraph).append(start)
        paragraph.add_run(text).bold = True
        _below(paragraph).append(end)

    # -- Blocks ---------------------------------------------------------------------------------------------------------

    def _blocks(self, blocks: Iterable[Block], depth: int = 0, style: str | None = None) -> None:
        for block in blocks:
            self._block(block, depth, style)

    def _block(self, block: Block, depth: int, style: str | None) -> None:
        match block:
            case Paragraph(runs):
                self._runs(self._word.add_paragraph(style=style), runs)
            case Heading(level, runs):
                self._runs(self._word.add_heading(level=min(level + 1, 9)), runs)
            case Listing(items, start):
                self._list(items, start, depth)
            case Quote(blocks):
                self._blocks(blocks, depth, "Quote")
            case Code(text):
                _monospaced(self._word.add_paragraph(style="No Spacing").add_run(text))
            case Grid():
                self._grid(block)
            case Rule():
                self._word.add_paragraph("⁂")

    def _list(self, items: Iterable[tuple[Block, ...]], start: int | None, depth: int) -> None:
        level = min(depth + 1, LIST_DEPTH_MAX)
        suffix = "" if level == 1 else f" {level}"
        style = f"List {'Bullet' if start is None else 'Number'}{suffix}"
        numbering = None if start is None else self._numbered_from(style, start)
        for first, *others in (item or (Paragraph(()),) for item in items):
            paragraph = self._word.add_paragraph(style=style)
            if numbering is not None:
                _number(paragraph, numbering)
            if isinstance(first, Paragraph):
                self._runs(paragraph, first.runs)
            else:
                self._block(first, depth + 1, f"List Continue{suffix}")
            self._blocks(others, depth + 1, f"List Continue{suffix}")

    def _numbered_from(self, style: str, start: int) -> int:
        """A numbering like the style's own, that begins at `start`: two lists of one style would be one list."""
        numbering = _below(self._word.part.numbering_part)
        of_style = _below(self._word.styles[style])
        abstract = numbering.num_having_numId(of_style.pPr.numPr.numId.val).abstractNumId.val
        number = numbering.add_num(abstract)
        number.add_lvlOverride(ilvl=0).add_startOverride(start)
        return int(number.numId)

    def _grid(self, grid: Grid) -> None:
        # Row by row: `table.cell(…)` walks the whole table for each cell, which takes minutes for thousands.
        table = self._word.add_table(rows=0, cols=len(grid.heads), style="Table Grid")
        rows = [(grid.heads, True), *((row, False) for row in grid.rows), *([(grid.foot, True)] if grid.foot else [])]
        for row, is_bold in rows:
            for cell, runs in zip(table.add_row().cells, row, strict=True):
                self._runs(cell.paragraphs[0], runs, bold=is_bold)
        self._word.add_paragraph()

    def _note(self, note: str) -> None:
        if note:
            self._word.add_paragraph().add_run(printable(note)).italic = True

    # -- Runs -----------------------------------------------------------------------------------------------------------

    def _runs(self, paragraph: WordParagraph, runs: Iterable[Run], *, bold: bool = False) -> None:
        for run in runs:
            match run:
                case Break():
                    paragraph.add_run().add_break()
                case Cite(source=source, passage=passage):
                    self._cite(paragraph, self._book.numbers[source, passage])
                case Text(href=href) if href:
                    self._link(paragraph, run)
                case Text():
                    _set(paragraph.add_run(run.text), run, bold=bold)

    def _cite(self, paragraph: WordParagraph, number: int) -> None:
        link = _element("hyperlink", {"anchor": _bookmark_of(number), "history": 1})
        _linked(paragraph, link, f"[{number}]").font.superscript = True

    def _link(self, paragraph: WordParagraph, run: Text) -> None:
        link = _element("hyperlink", {"history": 1})
        link.set(qn("r:id"), paragraph.part.relate_to(run.href, RELATIONSHIP_TYPE.HYPERLINK, is_external=True))
        shown = _linked(paragraph, link, run.text)
        _set(shown, run)
        shown.underline = True


def _bookmark_of(number: int) -> str:
    return f"source_{number}"


def _below(part: object) -> Any:  # noqa: ANN401 -- lxml's elements are not typed
    """The element that a part of python-docx wraps."""
    return getattr(part, "element" if hasattr(part, "element") else "_element")


def _element(name: str, attributes: Mapping[str, object]) -> Any:  # noqa: ANN401 -- likewise
    element = getattr(parser, "OxmlElement")(f"w:{name}")  # noqa: B009 -- typed in part, and so badly
    for key, value in attributes.items():
        element.set(qn(f"w:{key}"), str(value))
    return element


def _linked(paragraph: WordParagraph, link: Any, text: str) -> WordRun:  # noqa: ANN401 -- likewise
    """A run within a link, which stands at the paragraph's end."""
    run = paragraph.add_run(text)
    colour = _element("color", {"val": LINK_COLOUR})
    _below(run).get_or_add_rPr().append(colour)
    link.append(_below(run))
    _below(paragraph).append(link)
    return run


def _set(shown: WordRun, run: Text, *, bold: bool = False) -> None:
    # None, not False: what is not set is as the paragraph's style has it.
    shown.bold = run.bold or bold or None
    shown.italic = run.italic or None
    shown.font.strike = run.struck or None
    if run.code:
        _monospaced(shown)


def _monospaced(run: WordRun) -> None:
    run.font.name = MONOSPACE
    run.font.size = Pt(9.5)


def _number(paragraph: WordParagraph, numbering: int) -> None:
    properties = _below(paragraph).get_or_add_pPr().get_or_add_numPr()
    properties.get_or_add_numId().val = numbering
    properties.get_or_add_ilvl().val = 0
