"""A document as Markdown with numbered sources. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.cells import cell_id, text_of
from schemas.citations import MARKER, visible
from schemas.document import Abandoned, Cell, Completed, Document, Failed, Source
from schemas.values import Section


class _References:
    """Numbers citations in the order in which they are met; the same passage and quote keep their number."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, int, str], int] = {}

    def number(self, text: str) -> str:
        """The text with each marker as `[n]`."""
        return MARKER.sub(lambda m: self._one(m["source"], int(m["passage"]), m["quote"] or ""), visible(text))

    def _one(self, source: str, passage: int, quote: str) -> str:
        number = self.numbers.setdefault((source, passage, quote), len(self.numbers) + 1)
        return f"[{number}]"


Pages = Mapping[tuple[str, int], int]
"""(source, passage number) -> page, where the source has pages."""


def markdown(document: Document, pages: Pages | None = None) -> str:
    """Title, sections in order, and the sources that they cite; what is not written says so."""
    references = _References()
    parts = [f"# {document.title or document.brief.strip().splitlines()[0]}"]
    if isinstance(document.run, Abandoned):
        parts.append(f"*This document could not be written: {document.run.message}*")
    for section in document.outline:
        parts.append(f"## {section.heading}")
        parts.append(
            _table(document, section, references) if section.columns else _prose(document, section, references)
        )
    if references.numbers:
        parts += ["## Sources", _sources(references, document, pages or {})]
    return "\n\n".join(part for part in parts if part) + "\n"


def _prose(document: Document, section: Section, references: _References) -> str:
    cell = document.cells.get(section.id)
    text = references.number(text_of(document.cells, section.id)).strip()
    note = _note(cell)
    return "\n\n".join(part for part in (text, note) if part)


def _note(cell: Cell | None) -> str:
    if cell is None:
        return "*Not written yet.*"
    match cell.state:
        case Completed():
            cut = cell.completed is not None and cell.completed.cut
            return "*This section was cut off: it would not end by itself.*" if cut else ""
        case Failed(message=message):
            return f"*This section could not be written: {message}*"
        case _:
            return "*Not finished.*"


def _table(document: Document, section: Section, references: _References) -> str:
    heads = ["Source", *(column.heading for column in section.columns)]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for id_, source in document.sources.items():
        answers = [
            _answer(document.cells, cell_id(section.id, id_, column.id), references) for column in section.columns
        ]
        lines.append(_row([source.given.name, *answers]))
    return "\n".join(lines)


def _answer(cells: Mapping[str, Cell], id_: str, references: _References) -> str:
    text = references.number(text_of(cells, id_)).strip()
    return text or _note(cells.get(id_))


def _row(values: list[str]) -> str:
    return "| " + " | ".join(" ".join(value.replace("|", "\\|").split()) for value in values) + " |"


def _sources(references: _References, document: Document, pages: Pages) -> str:
    verified = {
        (citation.source, citation.passage, citation.quote): citation.verified
        for cell in document.cells.values()
        if cell.completed is not None
        for citation in cell.completed.citations
    }
    lines: list[str] = []
    for (source, passage, quote), number in references.numbers.items():
        said = f": “{quote}”" if quote else ""
        doubt = "" if verified.get((source, passage, quote), True) else " (not found in source)"
        page = pages.get((source, passage))
        where = f"passage {passage}" if page is None else f"page {page}"
        lines.append(f"{number}. {_name(document.sources.get(source), source)}, {where}{said}{doubt}")
    return "\n".join(lines)


def _name(source: Source | None, id_: str) -> str:
    return source.given.name if source is not None else id_
