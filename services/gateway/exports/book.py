"""A document as it is taken away: chapters and numbered sources, whatever the format. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from schemas.cells import cell_id, text_of
from schemas.document import Abandoned, Cancelled, Cell, Completed, Document, Failed
from schemas.passages import Passage
from schemas.references import Quoted, references
from schemas.sums import has_figures, in_words, sums_of
from schemas.values import Section
from services.gateway.exports.prose import Block, Grid, Runs, Text, blocks_of, printable, runs_of

Evidence = Mapping[tuple[str, int], Passage]
"""Cited passages, by (source, passage number); those that are not there are cited all the same."""
PASSAGE_CHARACTERS_MAX = 2_000


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """A section: what is written of it, and a note where that is not all."""

    heading: str
    blocks: tuple[Block, ...] = ()
    note: str = ""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered passage, as the list of sources has it."""

    number: int
    name: str
    where: str
    """Such as `page 3`, or `passage 12` where a source has no pages."""
    quotes: tuple[Quoted, ...] = ()
    passage: str = ""
    """What the source says there."""
    href: str = ""
    """Where the source is to be had."""


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    title: str
    chapters: tuple[Chapter, ...]
    sources: tuple[Source, ...]
    numbers: Mapping[tuple[str, int], int]
    """By (source, passage number)."""
    note: str = ""
    created_at_ms: int = 0


def book(document: Document, evidence: Evidence) -> Book:
    """What is written of a document up to now; what is not says so."""
    found = references(document)
    run = document.run
    return Book(
        title=printable(title_of(document)),
        note=f"This document could not be written: {run.message}" if isinstance(run, Abandoned) else "",
        chapters=tuple(_chapter(document, section) for section in document.outline),
        sources=tuple(
            Source(
                number=reference.number,
                name=printable(name_of(document, reference.source)),
                where=where(reference.passage, evidence.get((reference.source, reference.passage))),
                quotes=reference.quotes,
                passage=_excerpt(evidence.get((reference.source, reference.passage))),
                href=address_of(document, reference.source),
            )
            for reference in found
        ),
        numbers={(reference.source, reference.passage): reference.number for reference in found},
        created_at_ms=document.created_at_ms,
    )


def title_of(document: Document) -> str:
    """Its title; before it has one, the brief's first line."""
    return document.title or document.brief.strip().splitlines()[0]


def name_of(document: Document, source: str) -> str:
    """What a source is called."""
    known = document.sources.get(source)
    return source if known is None else known.given.name


def address_of(document: Document, source: str) -> str:
    """A source's address on the web; empty where it has none."""
    known = document.sources.get(source)
    return "" if known is None or not re.match(r"https?://\S+$", known.given.url) else known.given.url


def where(number: int, passage: Passage | None) -> str:
    """Where in its source a passage stands."""
    return f"passage {number}" if passage is None or passage.page is None else f"page {passage.page}"


def note_of(cell: Cell | None) -> str:
    """Why a cell's text is not, or not all, there; empty where it is."""
    if cell is None:
        return "Not written yet."
    match cell.state:
        case Completed():
            cut = cell.completed is not None and cell.completed.cut
            return "This section was cut off: it would not end by itself." if cut else ""
        case Failed(message=message):
            return f"This section could not be written: {message}"
        case Cancelled() if cell.completed is not None and text_of({cell.id: cell}, cell.id) == cell.completed.text:
            return "This is its earlier text: the writing of a newer one was stopped."
        case Cancelled():
            return "Stopped before it was finished."
        case _:
            return "Not finished."


def _chapter(document: Document, section: Section) -> Chapter:
    heading = printable(section.heading)
    if section.columns:
        return Chapter(heading=heading, blocks=(_table(document, section),))
    text = text_of(document.cells, section.id)
    return Chapter(heading=heading, blocks=blocks_of(text), note=note_of(document.cells.get(section.id)))


def _table(document: Document, section: Section) -> Grid:
    heads = ("Source", *(printable(column.heading) for column in section.columns))
    rows = tuple(
        (
            _words(source.given.name),
            *(_answer(document, cell_id(section.id, id_, column.id)) for column in section.columns),
        )
        for id_, source in document.sources.items()
    )
    foot = tuple(_words(words) for words in footer(document, section)) if has_figures(section) else None
    return Grid(tuple(_words(head) for head in heads), rows, foot)


def footer(document: Document, section: Section) -> tuple[str, ...]:
    """What each column of a table comes to, below the names of the sources."""
    return ("All", *(in_words(sums_of(document, section, column)) for column in section.columns))


def _answer(document: Document, id_: str) -> Runs:
    runs = runs_of(text_of(document.cells, id_))
    note = note_of(document.cells.get(id_))
    return runs or ((Text(text=note, italic=True),) if note else ())


def _words(text: str) -> Runs:
    return (Text(text=printable(text)),)


def _excerpt(passage: Passage | None) -> str:
    text = "" if passage is None else printable(passage.text).strip()
    return text if len(text) <= PASSAGE_CHARACTERS_MAX else f"{text[:PASSAGE_CHARACTERS_MAX]}…"
