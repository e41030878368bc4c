"""Edits, made where the log is expected to end: read what is there, say what that makes of the wish, append it, or look again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from schemas import subjects
from schemas.document import Document
from schemas.edit_requests import Edited, Preview
from schemas.estimates import Figures, estimate
from schemas.events import AnyEdit, decode_fact, encode
from schemas.fold import fold
from schemas.preview import Touched, touched
from schemas.streams import MESSAGE_BYTES_MAX
from schemas.values import Cause, Estimate
from services.gateway.history import Log, Written, changes
from services.gateway.hub import Hub, Hubs
from services.gateway.problems import Problem
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import BusUnavailableError, ConflictError, append, read
from services.shared.opening import Begun, log_of

FACT_BYTES_MAX = MESSAGE_BYTES_MAX - 64 * 1024
"""The bus takes no longer message; its headers count."""
TRIES_MAX = 200
"""A document that is being written has hundreds of facts a second, and each may come first."""

Make = Callable[[Document], Sequence[AnyEdit]]
"""What a wish comes to in a document as it is; empty: it is so already. Problem where it cannot be."""
_TAG = re.compile(r'^\s*(?:W/)?"(\d{1,18})"\s*$')


class Wish(NamedTuple):
    """What an edit brings along, whatever it is."""

    cause: Cause = "reader"
    who: str = ""
    if_match: str | None = None
    preview: bool = False


class Editing:
    """Makes edits, or says what they would come to."""

    def __init__(self, bus: Bus, hubs: Hubs, figures: Figures) -> None:
        self._bus = bus
        self._hubs = hubs
        self.figures = figures

    async def edit(self, id_: str, wish: Wish, make: Make, current: Callable[[Document], Any]) -> Edited | Preview:
        """`current`: of a refusal 412, what was to be changed as it is now. BusUnavailableError."""
        expected = _versions(wish.if_match)
        hub, unuse = await self._hubs.use(id_)
        try:
            for _ in range(TRIES_MAX):
                document = hub.document
                if document is None:
                    raise Problem(404, "There is no such document.")
                if expected is not None and document.version > expected:
                    await self._refuse_outdated(document, expected, current)
                edits = [replace(one, at_ms=now_ms(), cause=wish.cause, who=wish.who) for one in make(document)]
                after = _after(document, edits)
                come = touched(document, after)
                cost = estimate(after, [one.cell for one in come.cells], self.figures)
                if wish.preview:
                    return _preview(document, come, cost)
                if not edits:
                    return _edited(document, cost, changed=False)
                if not come.waits:
                    edits[-1] = replace(edits[-1], estimate=cost)
                sequence, is_all = await self._append(hub, document, edits)
                if expected is not None and sequence > document.sequence:
                    expected = sequence  # That was this very wish.
                if is_all:
                    return Edited(sequence=sequence, version=sequence, changed=True, estimate=cost)
        finally:
            unuse()
        msg = f"{id_} is written to without a pause"
        raise BusUnavailableError(msg)

    async def facts(self, id_: str, after: int = 0) -> AsyncIterator[Written]:
        """What is left of a document's log."""
        async for stored in read(self._bus.client, subjects.FACTS, subjects.facts_stored(id_), after):
            yield Written(stored.sequence, decode_fact(stored.data))

    async def log(self, id_: str) -> Log:
        """All that can be read of a document's past."""
        base: Document | None = None
        facts: list[Written] = []
        async for one in log_of(self._bus, id_, everything=True):
            if isinstance(one, Begun):
                base, facts = one.document, []
            else:
                facts.append(Written(one.sequence, decode_fact(one.data)))
        return Log(base, facts)

    async def _append(self, hub: Hub, document: Document, edits: Sequence[AnyEdit]) -> tuple[int, bool]:
        """The last edit's sequence, and whether all stand: else somebody was first, and what is left is to be thought over."""
        sequence, is_all = document.sequence, True
        for one in edits:
            if len(encode(one)) > FACT_BYTES_MAX:
                raise Problem(413, f"An edit may have {FACT_BYTES_MAX} bytes.")
        for one in edits:
            try:
                sequence = await append(self._bus, document.id, one, expected=sequence)
            except ConflictError:
                is_all = False
                break
        await hub.refresh()  # Whoever asks next is shown what they did.
        return sequence, is_all

    async def _refuse_outdated(self, document: Document, expected: int, current: Callable[[Document], Any]) -> None:
        log = await self.log(document.id)
        raise Problem(
            412,
            "Somebody has edited this document since.",
            more={
                "version": document.version,
                "current": current(document),
                "changes": changes(document.id, log, expected),
            },
        )


def _after(document: Document, edits: Sequence[AnyEdit]) -> Document:
    for one in edits:
        document = fold(document, one, document.sequence + 1)
    return document


def _versions(header: str | None) -> int | None:
    """The newest moment that `If-Match` names; None where it names none. Problem 400 where it is no tag of ours."""
    if header is None or header.strip() == "*":
        return None
    found = [_TAG.match(tag) for tag in header.split(",")]
    if None in found:
        raise Problem(400, 'If-Match: an ETag that this document had, as in "41".')
    return max(int(match[1]) for match in found if match is not None)


def _preview(document: Document, come: Touched, cost: Estimate) -> Preview:
    return Preview(version=document.version, cells=come.cells, kept=come.kept, waits=come.waits, estimate=cost)


def _edited(document: Document, cost: Estimate, *, changed: bool) -> Edited:
    return Edited(sequence=document.sequence, version=document.version, changed=changed, estimate=cost)
