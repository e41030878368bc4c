"""The conductor's shell: folds a document up to now, asks the core, appends what it says where the log was expected to end."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from nats.errors import Error as NatsError
from nats.js.errors import APIError

from schemas import jobs, subjects
from schemas.commands import AnyCommand
from schemas.document import Document, Running
from schemas.events import AnyFact, decode_fact
from schemas.fold import created, fold
from schemas.jobs import AnyJob, IngestSource, PlanOutline, WriteCell
from services.conductor.core import Situation, decide, obey
from services.conductor.viewers import Viewers
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import BusUnavailableError, ConflictError, append, read

log = logging.getLogger(__name__)

DOCUMENTS_KEPT_MAX = 5_000
INK_KEPT_S = 10.0
"""After a document came to rest, for viewers that are just coming back."""
RETRY_S = 0.2
RECONCILE_S = 15.0


class Entry:
    """One document on the desk."""

    def __init__(self) -> None:
        self.document: Document | None = None
        self.lock = asyncio.Lock()
        self.published: set[str] = set()
        self.seen_viewer = False
        self.timer: asyncio.TimerHandle | None = None
        self.ink_timer: asyncio.TimerHandle | None = None

    @property
    def at_rest(self) -> bool:
        """Nothing will happen to it by itself."""
        return self.document is not None and not isinstance(self.document.run, Running)


class Desk:
    """Attends to documents: each one under its own lock, whoever asks."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._counts: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.viewers = Viewers(bus, self.attend_soon)

    async def attend(self, id_: str, upto: int = 0, command: AnyCommand | None = None) -> None:
        """Bring a document to where nothing is missing. `upto`: a sequence that its log is known to have reached."""
        entry = self._entry(id_)
        async with entry.lock:
            if entry.document is None or upto == 0 or entry.document.sequence < upto:
                await self._catch_up(id_, entry)
            if entry.document is None:
                return
            if command is not None:
                await self._append(id_, entry, obey(entry.document, command, now_ms()), command)
            await self._settle(id_, entry)

    def attend_soon(self, id_: str) -> None:
        """The same, from where nothing can be awaited."""
        task = asyncio.get_running_loop().create_task(self._attend_until_done(id_))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def reconcile(self) -> None:
        """Attend to every document that is not at rest, or whose log has grown: whoever should have done so may be dead."""
        await self.viewers.refresh() if not self.viewers.known else None
        info = await self._bus.js.stream_info(subjects.FACTS, subjects_filter=subjects.facts_stored(">"))
        for subject, count in (info.state.subjects or {}).items():
            id_ = subjects.document_of(subject)
            entry = self._entries.get(id_)
            if entry is None or not entry.at_rest or self._counts.get(id_) != count:
                self._counts[id_] = count
                await self.attend(id_)

    async def close(self) -> None:
        """Stop all that runs by itself."""
        for task in self._tasks:
            task.cancel()
        for entry in self._entries.values():
            for timer in (entry.timer, entry.ink_timer):
                if timer is not None:
                    timer.cancel()

    # -- One document ---------------------------------------------------------------------------------------------------

    async def _settle(self, id_: str, entry: Entry) -> None:
        while entry.document is not None:
            viewers = self.viewers.count(id_)
            entry.seen_viewer = entry.seen_viewer or viewers > 0
            situation = Situation(
                now_ms=now_ms(),
                viewers=viewers,
                leases_known=self.viewers.known,
                seen_viewer=entry.seen_viewer,
            )
            decision = decide(entry.document, situation)
            for job in decision.jobs:
                await self._publish(job, entry)
            if decision.facts:
                await self._append(id_, entry, decision.facts)
                continue
            self._rest(id_, entry, decision.wake_at_ms)
            return

    async def _append(
        self, id_: str, entry: Entry, facts: tuple[AnyFact, ...], command: AnyCommand | None = None
    ) -> None:
        """Fenced, one by one: at the first conflict the rest is thought over again."""
        for fact in facts:
            document = entry.document
            if document is None:
                return
            try:
                sequence = await append(self._bus, id_, fact, expected=document.sequence)
            except ConflictError:
                await self._catch_up(id_, entry)
                if command is not None and entry.document is not None:
                    await self._append(id_, entry, obey(entry.document, command, now_ms()), command)
                return
            entry.document = fold(document, fact, sequence)

    async def _catch_up(self, id_: str, entry: Entry) -> None:
        document = entry.document
        after = 0 if document is None else document.sequence
        async for stored in read(self._bus.client, subjects.FACTS, subjects.facts_stored(id_), after):
            fact = decode_fact(stored.data)
            document = (
                created(id_, fact, stored.sequence) if document is None else fold(document, fact, stored.sequence)
            )
        entry.document = document

    async def _publish(self, job: AnyJob, entry: Entry) -> None:
        """Once from here; the stream drops what another replica, or this one before a crash, has published already."""
        kind, cell, number = _named(job)
        name = f"{job.document}.{kind}.{cell}.{number}"
        if name in entry.published:
            return
        subject = subjects.job(job.lane, kind, job.document, cell)
        while True:
            try:
                await self._bus.js.publish(subject, jobs.encode(job), headers={subjects.HEADER_MESSAGE_ID: name})
            except (NatsError, TimeoutError) as error:
                log.warning("job %s again: %s", name, error)
                await asyncio.sleep(RETRY_S)
            else:
                entry.published.add(name)
                return

    def _rest(self, id_: str, entry: Entry, wake_at_ms: int | None) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        loop = asyncio.get_running_loop()
        if entry.at_rest:
            entry.published.clear()
            entry.seen_viewer = False
            if entry.ink_timer is None:
                entry.ink_timer = loop.call_later(INK_KEPT_S, self._purge_ink_soon, id_)
            return
        if entry.ink_timer is not None:
            entry.ink_timer.cancel()
            entry.ink_timer = None
        wakes = [] if wake_at_ms is None else [wake_at_ms - now_ms()]
        if not self.viewers.known:
            wakes.append(self.viewers.known_in_ms)
        if wakes:
            entry.timer = loop.call_later(max(min(wakes), 1) / 1_000, self.attend_soon, id_)

    def _purge_ink_soon(self, id_: str) -> None:
        task = asyncio.get_running_loop().create_task(self._purge_ink(id_))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _purge_ink(self, id_: str) -> None:
        entry = self._entries.get(id_)
        if entry is not None and entry.at_rest:
            try:
                await self._bus.js.purge_stream(subjects.INK, subject=subjects.ink(id_))
            except (NatsError, APIError, TimeoutError) as error:
                log.warning("ink of %s stays until it is old: %s", id_, error)

    async def _attend_until_done(self, id_: str) -> None:
        while True:
            try:
                await self.attend(id_)
            except (BusUnavailableError, NatsError, TimeoutError) as error:
                log.warning("%s again: %s", id_, error)
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("attending failed", exc_info=error)

    def _entry(self, id_: str) -> Entry:
        entry = self._entries.setdefault(id_, Entry())
        self._entries.move_to_end(id_)
        if len(self._entries) > DOCUMENTS_KEPT_MAX:
            for oldest, candidate in self._entries.items():
                if candidate.at_rest and not candidate.lock.locked():
                    del self._entries[oldest]
                    break
        return entry


def _named(job: AnyJob) -> tuple[str, str, int]:
    """(kind, cell, number) of a job."""
    match job:
        case IngestSource(source=source):
            return "ingest", source, 1
        case PlanOutline(job=number):
            return "plan", "outline", number
        case WriteCell(cell=cell, job=number):
            return "write", cell, number
