"""A document as Markdown with numbered sources. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.cells import cell_id, text_of
from schemas.citations import MARKER, visible
from schemas.document import Abandoned, Document
from schemas.references import Reference, references
from schemas.sums import has_figures
from schemas.values import Section
from services.gateway.exports.book import Evidence, footer, name_of, note_of, title_of, where

Numbers = Mapping[tuple[str, int], int]


def markdown(document: Document, evidence: Evidence | None = None) -> str:
    """Title, sections in order, and the sources that they cite; what is not written says so."""
    found = references(document)
    numbers = {(reference.source, reference.passage): reference.number for reference in found}
    parts = [f"# {title_of(document)}"]
    if isinstance(document.run, Abandoned):
        parts.append(f"*This document could not be written: {document.run.message}*")
    for section in document.outline:
        parts.append(f"## {section.heading}")
        parts.append(_table(document, section, numbers) if section.columns else _prose(document, section, numbers))
    if found:
        sources = [_source(reference, document, evidence or {}) for reference in found]
        parts += ["## Sources", "\n".join(sources)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _numbered(text: str, numbers: Numbers) -> str:
    """The text with each marker as `[n]`."""
    return MARKER.sub(lambda match: f"[{numbers[match['source'], int(match['passage'])]}]", visible(text)).strip()


def _prose(document: Document, section: Section, numbers: Numbers) -> str:
    text = _numbered(text_of(document.cells, section.id), numbers)
    note = note_of(document.cells.get(section.id))
    return "\n\n".join(part for part in (text, note and f"*{note}*") if part)


def _table(document: Document, section: Section, numbers: Numbers) -> str:
    heads = ["Source", *(column.heading for column in section.columns)]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for id_, source in document.sources.items():
        answers = [_answer(document, cell_id(section.id, id_, column.id), numbers) for column in section.columns]
        lines.append(_row([source.given.name, *answers]))
    if has_figures(section):
        lines.append(_row([f"**{words}**" for words in footer(document, section)]))
    return "\n".join(lines)


def _answer(document: Document, id_: str, numbers: Numbers) -> str:
    note = note_of(document.cells.get(id_))
    return _numbered(text_of(document.cells, id_), numbers) or (note and f"*{note}*")


def _row(values: list[str]) -> str:
    return "| " + " | ".join(" ".join(value.replace("|", "\\|").split()) for value in values) + " |"


def _source(reference: Reference, document: Document, evidence: Evidence) -> str:
    place = where(reference.passage, evidence.get((reference.source, reference.passage)))
    quotes = "; ".join(
        f"“{quote.text}”" + ("" if quote.verified else " (not found in source)") for quote in reference.quotes
    )
    said = f": {quotes}" if quotes else ""
    return f"{reference.number}. {name_of(document, reference.source)}, {place}{said}"
