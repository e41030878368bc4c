"""Removes old history, never the current text. The rule is in `schemas/compaction.py`; this makes it so, whenever it may be killed.

First the document as it was at the cut is kept, and read again to be sure. Then the sources go that nobody can come back to, then the
facts, from the oldest on, each before the next: so what is left of a log is its end at every moment, and whoever comes after a crash
goes on where that happened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import NamedTuple

from nats.errors import Error as NatsError

from schemas import subjects
from schemas.compaction import Mark, Rule, Version, cut, given_to, is_old, versions
from schemas.document import Document
from schemas.events import decode_fact
from services.conductor.desk import Desk
from services.conductor.rounds import subjects_of
from services.shared.bus import Bus
from services.shared.clock import monotonic_ms, now_ms
from services.shared.erase import erase_one
from services.shared.log import BusUnavailableError, read
from services.shared.opening import Begun, folded_in, log_of
from services.shared.snapshots import STREAM, Snapshots
from services.shared.sources import SourceStore

log = logging.getLogger(__name__)

ROUND_S = 600.0
RETRY_S = 5.0
LOOKED_MS = 6 * 3_600_000.0
"""A document is looked at so often: history grows old slowly."""


Forget = Callable[[Version], Awaitable[None]]


class Compactor:
    """Looks now and then which logs have become long."""

    def __init__(self, bus: Bus, desk: Desk, rule: Rule) -> None:
        self._bus = bus
        self._desk = desk
        self._rule = rule
        self._looked_ms: dict[str, float] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            pause_s = ROUND_S
            try:
                await self._round()
            except (BusUnavailableError, NatsError, TimeoutError) as error:
                log.warning("history is compacted later: %s", error)
                pause_s = RETRY_S
            await asyncio.sleep(pause_s)

    async def _round(self) -> None:
        facts = {
            subject: count async for subject, count in subjects_of(self._bus, subjects.FACTS, subjects.facts_stored())
        }
        due = {subjects.document_of(subject) for subject, count in facts.items() if count >= self._rule.facts}
        bases = subjects_of(self._bus, STREAM, subjects.snapshot_info("*", "base"))
        due |= {
            subjects.snapshot_of(subject) async for subject, _ in bases
        }  # One may have been killed in the middle of it.
        for id_ in sorted(due):
            if monotonic_ms() - self._looked_ms.get(id_, -LOOKED_MS) < LOOKED_MS:
                continue
            try:
                was_at_rest = await self._desk.alone_with(id_, partial(self._compact, id_))
            except (BusUnavailableError, NatsError, TimeoutError):
                raise
            except Exception:
                log.exception("%s cannot be compacted", id_)  # A defect in one document costs no other.
                was_at_rest = True
            if was_at_rest:
                self._looked_ms[id_] = monotonic_ms()

    async def _compact(self, id_: str, is_there: Callable[[], bool]) -> None:
        store = await SourceStore.open(self._bus)
        await compact(
            self._bus,
            id_,
            self._rule,
            is_there,
            lambda version: store.delete(id_, version.source, version.digest),
        )


async def compact(bus: Bus, id_: str, rule: Rule, is_there: Callable[[], bool], forget: Forget) -> int:
    """Remove what the rule lets go of, and what was to be removed when somebody was killed. How many facts went.

    `is_there`: asked before each fact; False once the document is deleted, and somebody else removes all of it. `forget`: deletes a
    source that no fact knows any more.
    """
    snapshots = Snapshots(bus)
    if not await _is_worth_reading(bus, id_, rule, snapshots):
        return 0
    # Two of them at a time would each know of sources that the other does not.
    finished = await _remove(bus, id_, snapshots, is_there, forget)
    at = cut([mark async for mark in _marks(bus, id_)], rule, now_ms())
    base = None if at is None else await _base(bus, id_, at)
    if base is None or not is_there():
        return finished
    await snapshots.keep(base.document, "base", base.forgets)
    return finished + await _remove(bus, id_, snapshots, is_there, forget)


async def _is_worth_reading(bus: Bus, id_: str, rule: Rule, snapshots: Snapshots) -> bool:
    """Whether its oldest fact is old enough, or should have gone already."""
    base = (await snapshots.known(id_)).get("base")
    async for oldest in read(bus.client, subjects.FACTS, subjects.facts_stored(id_), only=1):
        is_left = base is not None and base.info is not None and oldest.sequence < base.info.sequence
        return is_left or is_old(decode_fact(oldest.data).at_ms, rule, now_ms())
    return False


async def _marks(bus: Bus, id_: str) -> AsyncIterator[Mark]:
    async for one in log_of(bus, id_, everything=True):
        if isinstance(one, Begun):
            yield Mark.of(one.document.sequence, decode_fact(one.fact))
        else:
            yield Mark.of(one.sequence, decode_fact(one.data))


class _Base(NamedTuple):
    document: Document
    forgets: tuple[Version, ...]


async def _base(bus: Bus, id_: str, at: int) -> _Base | None:
    """What is to stand for everything up to a sequence; None where that is not there any more."""
    document: Document | None = None
    before: set[Version] = set()
    after: set[Version] = set()
    async for one in log_of(bus, id_, everything=True):
        if isinstance(one, Begun):
            document, before, after = one.document, {*given_to(one.document)}, set()
            continue
        fact = decode_fact(one.data)
        if one.sequence <= at:
            document = folded_in(id_, document, one.sequence, fact)
        (before if one.sequence <= at else after).update(versions(fact))
    if document is None or document.sequence != at:
        return None
    return _Base(document, tuple(sorted(before - after - given_to(document))))


async def _remove(bus: Bus, id_: str, snapshots: Snapshots, is_there: Callable[[], bool], forget: Forget) -> int:
    """All facts before the one that the base stands on; none where the base is not surely there."""
    known = (await snapshots.known(id_)).get("base")
    if known is None or known.info is None or await snapshots.load(id_, known.info) is None:
        return 0
    goes: list[int] = []
    given: set[Version] = set()
    async for stored in read(bus.client, subjects.FACTS, subjects.facts_stored(id_)):
        if stored.sequence < known.info.sequence:
            goes.append(stored.sequence)
        else:
            given.update(versions(decode_fact(stored.data)))
    if not goes:
        return 0
    for version in known.info.forgets:
        if version not in given:  # Nobody has come back to it in this moment.
            await forget(version)
    for count, sequence in enumerate(goes):
        if not is_there():
            return count
        await erase_one(bus, subjects.FACTS, sequence)
    log.info("%s: %d old facts removed", id_, len(goes))
    return len(goes)
