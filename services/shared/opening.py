"""A document's log, read from as late on as can be: a snapshot stands for its beginning.

What makes that safe (`docs/history.md`):
- a snapshot stands on the fact that it names: where the log has another one there, or none, it is not used;
- what is left of a log is always its end, without a hole: old facts are removed from the oldest on, one after the other, and only
  once what they come to is kept (`services/conductor/compaction.py`). So whoever reads on from a fact that is still there afterwards
  has missed nothing, and whoever does not find it begins anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from schemas import subjects
from schemas.compaction import YOUNG_MS
from schemas.document import Document
from schemas.events import AnyFact, DocumentDeleted, decode_fact
from schemas.fold import LogError, created, fold
from schemas.snapshots import FOLD_VERSION, Info, begins
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import Stored, read
from services.shared.snapshots import Snapshots

FIRST_FACTS = 128
"""Read before a snapshot is looked for: most documents have no more."""


class Begun(NamedTuple):
    """The document as it was when its log ended at `document.sequence`; whatever was folded before does not count any more."""

    document: Document
    fact: bytes
    """The last one that is in it."""
    is_current: bool
    """By this version's fold."""


class _When(msgspec.Struct):
    at_ms: int


_when = msgspec.json.Decoder(_When).decode


async def log_of(bus: Bus, document: str, after: int = 0, *, everything: bool = False) -> AsyncIterator[Begun | Stored]:
    """A document's log beyond a sequence, in order. Where a snapshot is shorter, or all there is, that comes first.

    `everything`: all that can still be read. LogError where neither the beginning is there nor what it came to.
    """
    subject, at = subjects.facts_stored(document), after
    while True:
        found = [stored async for stored in read(bus.client, subjects.FACTS, subject, at, FIRST_FACTS)]
        if not found:
            return
        is_young = now_ms() - _when(found[0].data).at_ms < YOUNG_MS
        if at > 0 and not is_young and await _first(bus, subject) > at:
            at = 0  # What stood between was removed.
            continue
        begun = await _beginning(bus, document, found, everything=everything) if at == 0 else None
        if isinstance(begun, Stored):
            yield begun
            return
        if begun is not None:
            yield begun
            at = begun.document.sequence
        start = at or found[0].sequence
        for stored in () if begun is not None else found:
            at = stored.sequence
            yield stored
        if begun is not None or len(found) == FIRST_FACTS:
            async for stored in read(bus.client, subjects.FACTS, subject, at):
                yield stored
        if is_young or await _first(bus, subject) <= start:
            return
        at = 0  # Some of it was removed while it was being read.


async def read_document(bus: Bus, document: str, before: Document | None = None) -> Document | None:
    """What a log comes to; None where there is none. `before`: as it was, so that only what came since is read."""
    folded = before
    async for one in log_of(bus, document, 0 if before is None else before.sequence):
        if isinstance(one, Begun):
            folded = one.document
        else:
            folded = folded_in(document, folded, one.sequence, decode_fact(one.data))
    return folded


def folded_in(document: str, before: Document | None, sequence: int, fact: AnyFact) -> Document:
    """The document after one more fact, or made by the first."""
    return created(document, fact, sequence) if before is None else fold(before, fact, sequence)


async def _beginning(bus: Bus, document: str, found: list[Stored], *, everything: bool) -> Begun | Stored | None:
    """What to begin with; None: with the facts that were found. A fact is all there is to say: the document is deleted."""
    is_whole = begins(found[0].data)
    if is_whole and (everything or len(found) < FIRST_FACTS):
        return None
    snapshots = Snapshots(bus)
    tried: list[Info] | None = None
    while (infos := await snapshots.usable(document, is_whole=is_whole)) != tried:
        for info in sorted(infos, key=lambda one: one.sequence) if everything else infos:
            loaded = await snapshots.load(document, info)
            if loaded is not None:
                return Begun(loaded.document, loaded.fact, info.version == FOLD_VERSION)
        if is_whole:
            return None
        tried = infos  # A later one may have taken its place in this moment.
    return await _deletion(bus, document)


async def _first(bus: Bus, subject: str) -> int:
    """The sequence of the oldest fact that is still there; none is, of none at all."""
    async for stored in read(bus.client, subjects.FACTS, subject, only=1):
        return stored.sequence
    return 0


async def _deletion(bus: Bus, document: str) -> Stored:
    """The last fact of a log that is being thrown away. LogError where it is not."""
    async for stored in read(bus.client, subjects.FACTS, subjects.facts_stored(document)):
        if isinstance(decode_fact(stored.data), DocumentDeleted):
            return stored
    msg = f"the log of {document} was compacted, and there is nothing that stands for what was removed"
    raise LogError(msg)
