"""The numbers of a document's citations: each cited passage has one, counted from 1 in reading order. Pure.

The page's twin is `web/src/lib/numbers.ts`; both pass `schemas/vectors/references.json`. Reading order, not the order in which
text came: sections as the outline has them, a table's rows before its columns, markers as they stand in a text.
"""

from __future__ import annotations

import msgspec

from schemas.cells import cells_of_section, text_of
from schemas.citations import MARKER, visible
from schemas.document import Document

Passage = tuple[str, int]
"""(source, passage number)"""


class Quoted(msgspec.Struct, frozen=True, kw_only=True):
    """Words that were quoted; not `verified`: they were looked for in the passage and not found."""

    text: str
    verified: bool = True


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered passage, and what was quoted of it, each once, in reading order."""

    number: int
    source: str
    passage: int
    quotes: tuple[Quoted, ...] = ()


def references(document: Document) -> tuple[Reference, ...]:
    """Every passage that a reader of this document sees cited, in order of its number."""
    quotes: dict[Passage, dict[str, bool]] = {}
    for section in document.outline:
        for id_ in cells_of_section(section, document.sources):
            doubted = _doubted(document, id_)
            for match in MARKER.finditer(visible(text_of(document.cells, id_))):
                passage, quote = (match["source"], int(match["passage"])), match["quote"] or ""
                of_passage = quotes.setdefault(passage, {})
                if quote:
                    found = (*passage, quote) not in doubted
                    of_passage[quote] = of_passage.get(quote, True) and found
    return tuple(
        Reference(
            number=number,
            source=source,
            passage=passage,
            quotes=tuple(Quoted(text=text, verified=verified) for text, verified in of_passage.items()),
        )
        for number, ((source, passage), of_passage) in enumerate(quotes.items(), 1)
    )


def _doubted(document: Document, id_: str) -> frozenset[tuple[str, int, str]]:
    cell = document.cells.get(id_)
    if cell is None or cell.completed is None:
        return frozenset()
    return frozenset((c.source, c.passage, c.quote) for c in cell.completed.citations if not c.verified)
