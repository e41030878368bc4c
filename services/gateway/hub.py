"""One document watched through this gateway: one tail of facts and one of ink, one fold, any number of viewers.

Each event is framed once. Frames that arrive while the loop is busy leave as one chunk, the same bytes for every viewer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from schemas import document as documents
from schemas.document import Deleted, Document, Running
from schemas.events import TextAppended, decode_fact, decode_ink
from schemas.fold import fold_ink
from services.gateway.frames import Cursor, Kept, Past, frame
from services.gateway.leases import Leases
from services.gateway.viewer import Viewer
from services.shared.bus import Bus
from services.shared.log import BusUnavailableError
from services.shared.opening import Begun, folded_in
from services.shared.tail import Tail, facts_of, ink_of

LINGER_S = 5.0
"""A hub outlives its last viewer by this, for a reload."""
START_S = 10.0
"""Longer than this nobody waits for a bus that is away."""

_TYPE = re.compile(rb'"type":"([A-Za-z]+)"')
INK_TYPE = "TextAppended"


class Hub:
    """The document, and who watches it here."""

    def __init__(self, bus: Bus, document: str) -> None:
        self.id = document
        self.document: Document | None = None
        self.viewers: set[Viewer] = set()
        self.is_gone = False
        """Deleted: whatever else is said of it means nothing."""
        self.skipped = 0
        """How often a slow viewer skipped to a snapshot."""
        self._past = Past()
        self._pending: list[bytes] = []
        self._facts = Tail(bus, facts_of(document), self._fact, begin=self._begun)
        self._ink = Tail(bus, ink_of(document), self._text, on_epoch=self._epoch)
        self._changed = asyncio.Event()

    @property
    def cursor(self) -> Cursor:
        """How far the hub is."""
        return Cursor(self._ink.epoch, self._facts.last, self._ink.last)

    async def start(self) -> None:
        """Facts first: ink needs a document to be folded into."""
        await self._facts.start()
        if self.document is not None:
            await self._ink.start()

    async def stop(self) -> None:
        """Follow no longer; every viewer's stream ends."""
        for viewer in tuple(self.viewers):
            viewer.end()
        await self._facts.stop()
        await self._ink.stop()

    async def refresh(self) -> None:
        """The document as its log is now, not as it was when the last live fact came."""
        await self._facts.fill()

    def join(self, cursor: Cursor | None) -> Viewer:
        """A viewer from its cursor on, or from a snapshot where that is not to be had."""
        self._flush()
        viewer = Viewer(self.snapshot)
        frames = None if cursor is None else self._past.after(cursor, self.cursor)
        if frames is None:
            viewer.push(self.snapshot())
        else:
            caught_up = b'{"type":"CaughtUp","events":%d}' % len(frames)
            viewer.push(b"".join([*frames, frame("CaughtUp", caught_up, self.cursor)]))
        self.viewers.add(viewer)
        return viewer

    def snapshot(self) -> bytes:
        """The document as it is, as an event; what is in it already is not sent again."""
        self._flush()
        assert self.document is not None  # noqa: S101 -- a hub without one takes no viewers
        return frame("snapshot", documents.encode(self.document), self.cursor)

    async def at_rest(self) -> None:
        """Wait until the document does not run: it is done, paused or given up."""
        await self.until(lambda document: not isinstance(document.run, Running))

    async def until(self, is_so: Callable[[Document], bool]) -> None:
        """Wait until the document is so, or gone."""
        while self.document is not None and not is_so(self.document):
            self._changed.clear()
            await self._changed.wait()

    def _begun(self, begun: Begun) -> None:
        """From here on; who was shown what was there before, is shown it anew. Ink is no part of it."""
        before, self.document = self.document, begun.document
        for cell in () if before is None else before.cells.values():
            if cell.ink is not None:
                for offset, text in ((0, cell.ink.text), *((piece.offset, piece.text) for piece in cell.ink.ahead)):
                    ink = TextAppended(cell=cell.id, attempt=cell.ink.attempt, offset=offset, text=text)
                    self.document = fold_ink(self.document, ink)
        self._past.restart_facts(begun.document.sequence)
        self._changed.set()
        for viewer in self.viewers:
            viewer.skip()

    def _fact(self, sequence: int, data: bytes) -> None:
        if self.is_gone:
            return
        fact = decode_fact(data)
        self.document = folded_in(self.id, self.document, sequence, fact)
        self._changed.set()
        if isinstance(self.document.run, Deleted):
            self._deleted(Kept(False, sequence, type(fact).__name__, data))
            return
        self._send(Kept(False, sequence, type(fact).__name__, data), Cursor(self._ink.epoch, sequence, self._ink.last))

    def _deleted(self, kept: Kept) -> None:
        """The last that anybody hears of it; who comes later is told that there is no such document."""
        self._send(kept, Cursor(self._ink.epoch, kept.sequence, self._ink.last))
        self._flush()
        self.document, self.is_gone = None, True
        self._past = Past()
        for viewer in self.viewers:
            viewer.finish()

    def _text(self, sequence: int, data: bytes) -> None:
        if self.document is not None:
            self.document = fold_ink(self.document, decode_ink(data))
        self._send(Kept(True, sequence, INK_TYPE, data), Cursor(self._ink.epoch, self._facts.last, sequence))

    def _epoch(self, _epoch: int) -> None:
        self._past.restart_ink()

    def _send(self, kept: Kept, cursor: Cursor) -> None:
        self._past.add(kept)
        if not self.viewers:
            return
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.append(frame(kept.event, kept.data, cursor))

    def _flush(self) -> None:
        if not self._pending:
            return
        chunk = b"".join(self._pending)
        self._pending.clear()
        for viewer in self.viewers:
            self.skipped += not viewer.push(chunk)


class Hubs:
    """The hubs of all documents watched here. A document's lease is held as long as it has a viewer."""

    def __init__(self, bus: Bus, leases: Leases) -> None:
        self._bus = bus
        self._leases = leases
        self._hubs: dict[str, asyncio.Task[Hub]] = {}
        self._users: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def all(self) -> list[Hub]:
        """Every hub that runs."""
        return [hub for task in self._hubs.values() if (hub := _started_hub(task)) is not None]

    async def use(self, document: str) -> tuple[Hub, Callable[[], None]]:
        """The document's hub, started; and what to call, once, when it is not needed any more. BusUnavailableError."""
        timer = self._timers.pop(document, None)
        if timer is not None:
            timer.cancel()
        self._users[document] = self._users.get(document, 0) + 1
        task = self._hubs.get(document)
        if task is None:
            task = self._hubs[document] = asyncio.create_task(self._started(document))
        try:
            async with asyncio.timeout(START_S):
                hub = await asyncio.shield(task)
        except TimeoutError as error:
            self._unuse(document)
            raise BusUnavailableError(document) from error
        except BaseException:
            self._unuse(document)
            raise
        return hub, lambda: self._unuse(document)

    async def watch(self, document: str, cursor: Cursor | None) -> tuple[Viewer, Callable[[], None]] | None:
        """A viewer, and what to call when it has gone; None where there is no such document."""
        hub, unuse = await self.use(document)
        if hub.document is None:
            unuse()
            return None
        try:
            await self._leases.hold(document)
        except BaseException:
            self._leases.release(document)
            unuse()
            raise
        viewer = hub.join(cursor)

        def left() -> None:
            hub.viewers.discard(viewer)
            self._leases.release(document)
            unuse()

        return viewer, left

    async def close(self) -> None:
        """End every stream."""
        for hub in self.all:
            await hub.stop()

    async def _started(self, document: str) -> Hub:
        hub = Hub(self._bus, document)
        try:
            await hub.start()
        except BaseException:
            await hub.stop()
            raise
        return hub

    def _unuse(self, document: str) -> None:
        self._users[document] -= 1
        if self._users[document] > 0:
            return
        del self._users[document]
        task = self._hubs[document]
        hub = _started_hub(task)
        if task.done() and (hub is None or hub.document is None):
            self._drop(document)  # Nothing to come back to.
        else:  # It may still be reading a long log: whoever tries again finds it further on.
            self._timers[document] = asyncio.get_running_loop().call_later(LINGER_S, self._drop, document)

    def _drop(self, document: str) -> None:
        self._timers.pop(document, None)
        task = self._hubs.pop(document, None)
        if task is None:
            return
        hub = _started_hub(task)
        if hub is None:
            task.cancel()
            return
        stopping = asyncio.create_task(hub.stop())
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)


def _started_hub(task: asyncio.Task[Hub]) -> Hub | None:
    """None while it starts, and where it could not."""
    done = task.done() and not task.cancelled() and task.exception() is None
    return task.result() if done else None
