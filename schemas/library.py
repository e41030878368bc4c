"""What the library page shows of a document: a projection, kept by the conductor. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.cells import wanted_cells
from schemas.document import Completed, Document, Failed, is_stopped_alone

BRIEF_CHARACTERS_MAX = 300
RunName = Literal["Running", "Paused", "Done", "Abandoned", "Deleted"]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One document of a list. Times are milliseconds since the Unix epoch, cost is US dollars."""

    id: str
    title: str
    brief: str
    """Its beginning."""
    run: RunName
    created_at_ms: int
    changed_at_ms: int = 0
    """When something of what is here changed last."""
    cells: int = 0
    cells_done: int = 0
    cells_failed: int = 0
    cells_stopped: int = 0
    """Each by itself, not with its document."""
    sources: int = 0
    cost: float = 0.0


class Cards(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the library, what changed last first; `next` is the `after` of the page behind it."""

    documents: tuple[Card, ...]
    next: str | None = None


def card_of(document: Document) -> Card:
    """The document's card, but for when it changed."""
    cells = [document.cells[id_] for id_ in wanted_cells(document.outline, document.sources) if id_ in document.cells]
    return Card(
        id=document.id,
        title=document.title,
        brief=document.brief[:BRIEF_CHARACTERS_MAX],
        run=type(document.run).__name__,  # pyright: ignore[reportArgumentType] -- RunState's members
        created_at_ms=document.created_at_ms,
        cells=len(wanted_cells(document.outline, document.sources)),
        cells_done=sum(isinstance(cell.state, Completed) for cell in cells),
        cells_failed=sum(isinstance(cell.state, Failed) for cell in cells),
        cells_stopped=sum(map(is_stopped_alone, cells)),
        sources=len(document.sources),
        cost=round(document.ledger.cost, 6),
    )


def page(cards: list[Card], query: str, after: str | None, limit: int) -> Cards:
    """The cards that have all words of `query` in title or brief, from the one behind `after` on."""
    words = query.casefold().split()
    found = [card for card in cards if all(word in f"{card.title}\n{card.brief}".casefold() for word in words)]
    found.sort(key=_cursor)
    if after is not None:
        found = [card for card in found if _cursor(card) > after]
    return Cards(documents=tuple(found[:limit]), next=_cursor(found[limit - 1]) if len(found) > limit else None)


def _cursor(card: Card) -> str:
    """Sorts as the list does: newest first, then by id."""
    return f"{10**15 - card.changed_at_ms:016d}-{card.id}"


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Card).decode
