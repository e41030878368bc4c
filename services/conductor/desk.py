"""The conductor's shell: folds a document up to now, asks the core, appends what it says where the log was expected to end."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from itertools import islice

from nats.errors import Error as NatsError

from schemas import jobs, subjects
from schemas.commands import AnyCommand
from schemas.document import Deleted, Document, Paused, Running
from schemas.events import PLAN_CELL, AnyFact, DocumentCreated, decode_fact
from schemas.fold import created, fold
from schemas.jobs import AnyJob, IngestSource, PlanOutline, WriteCell
from schemas.library import Card
from schemas.snapshots import FACTS_RUNNING_MIN, is_due
from services.conductor.core import Decision, Situation, bundled, decide, obey, suspects
from services.conductor.shelf import Shelf
from services.conductor.viewers import Viewers
from services.shared.bus import Bus
from services.shared.clock import monotonic_ms, now_ms, thought_ms
from services.shared.log import APPEND_TRY_S, BusUnavailableError, ConflictError, append
from services.shared.opening import Begun, folded_in, log_of

log = logging.getLogger(__name__)

DOCUMENTS_KEPT_MAX = 5_000
CANDIDATES_MAX = 100
"""To be put away in favour of another document; where none of them is at rest, the desk grows."""
ROUNDS_MAX = 50
"""Of deciding and appending in one go. A few are enough; more are a busy log, or a defect that must not fill the disk."""
INK_KEPT_S = 10.0
"""After a document came to rest, for viewers that are just coming back."""
PUBLISH_PATIENCE_MS = 30_000
"""Whoever was away for longer decides again: by then the queue may have forgotten that it has the job."""
KEEP_AGAIN_MS = 10_000
"""A snapshot is made at most so often, and tried again after this."""
CARD_MS = 2_000
"""A document that runs is shown in the library as it was at most so long ago."""
RETRY_S = 0.2
THOUGHT_MS_MAX = 2.0
"""A document that takes longer to think about is thought about less often, ..."""
THOUGHT_SHARE = 10
"""... one part of the time in so many, however fast its log grows."""


class Entry:
    """One document on the desk."""

    def __init__(self) -> None:
        self.document: Document | None = None
        self.lock = asyncio.Lock()
        self.published: set[str] = set()
        self.expected_soon = False
        self.thought_until_ms = 0.0
        self.settled = 0
        """Up to this sequence, nothing was missing when it was last looked at; what time brings, `timer` looks at."""
        self.timer: asyncio.TimerHandle | None = None
        self.card: Card | None = None
        self.card_lock = asyncio.Lock()
        self.card_due_ms = 0.0
        self.unkept = 0
        """Facts that are not in the newest snapshot."""
        self.keep_due_ms = 0.0
        self.thrown_away = 0
        """The sequence of the fact by which it was deleted, once everything else is on its way out."""
        self.ran = False
        self.ink_timer: asyncio.TimerHandle | None = None

    @property
    def at_rest(self) -> bool:
        """Nothing will happen to it by itself."""
        return self.document is None or not isinstance(self.document.run, Running)


class Desk:
    """Attends to documents: each one under its own lock, whoever asks."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._shelf = Shelf(bus)
        self.viewers = Viewers(bus, self._lease_heard)

    async def attend(
        self, id_: str, command: AnyCommand | None = None, on_queue: frozenset[str] | None = None
    ) -> Document | None:
        """Obey a command, if there is one, and bring a document to where nothing is missing.

        `on_queue`: cells whose jobs were on the queue a moment ago, where that was looked up.
        """
        entry = self._entry(id_)
        async with entry.lock:
            await self._catch_up(id_, entry)
            while command is not None and entry.document is not None:
                if await self._append(id_, entry, obey(entry.document, command, now_ms())):
                    break
            await self._settle(id_, entry, on_queue)
        return entry.document

    async def attend_fact(self, id_: str, sequence: int, data: bytes) -> None:
        """The same, after a fact that stands at `sequence`: the call that is made all the time."""
        entry = self._entry(id_)
        if entry.document is None and isinstance(fact := decode_fact(data), DocumentCreated):
            entry.document = created(id_, fact, sequence)  # The first of its log: nothing to read before it.
            entry.unkept = 1
        if sequence <= entry.settled:
            return  # Its own fact, or one that came with an earlier one.
        if monotonic_ms() < entry.thought_until_ms and entry.document is not None:
            self._wake(id_, entry, entry.thought_until_ms - monotonic_ms())
            return
        async with entry.lock:
            if entry.document is None or entry.document.sequence < sequence:
                await self._catch_up(id_, entry)
            await self._settle(id_, entry)

    def attend_soon(self, id_: str) -> None:
        """The same, from where nothing can be awaited. Calls before it begins share it."""
        entry = self._entry(id_)
        if not entry.expected_soon:
            entry.expected_soon = True
            self._begin(self._attend_until_done(id_, entry))

    async def alone_with(self, id_: str, do: Callable[[Callable[[], bool]], Awaitable[object]]) -> bool:
        """Do something to a document while no card or snapshot of it is kept, and it is not thrown away. False: it runs.

        `do` is given what tells whether it is still there: whoever throws it away waits.
        """
        await self.attend(id_)
        entry = self._entry(id_)

        def is_there() -> bool:
            return entry.document is not None and not isinstance(entry.document.run, Deleted)

        if entry.at_rest and is_there():
            async with entry.card_lock:
                await do(is_there)
        return entry.at_rest

    def suspects(self, id_: str) -> bool:
        """Whether a document has cells whose jobs should be looked for on the queue."""
        entry = self._entries.get(id_)
        return entry is not None and entry.document is not None and bool(suspects(entry.document, now_ms()))

    async def close(self) -> None:
        """Stop all that runs by itself."""
        for task in self._tasks:
            task.cancel()
        for entry in self._entries.values():
            for timer in (entry.timer, entry.ink_timer):
                if timer is not None:
                    timer.cancel()

    # -- One document ---------------------------------------------------------------------------------------------------

    async def _settle(self, id_: str, entry: Entry, on_queue: frozenset[str] | None = None) -> None:
        for _ in range(ROUNDS_MAX):
            if entry.document is None:
                return
            decision = self._decide(id_, entry, entry.document, on_queue)
            await self._publish_all(decision.jobs, entry)
            if not decision.facts:
                entry.settled = entry.document.sequence
                self._rest(id_, entry, decision.wake_at_ms)
                self._shelve(id_, entry, entry.document)
                return
            await self._append(id_, entry, decision.facts)
            on_queue = None
        log.error("%s does not settle", id_)
        self._wake(id_, entry, RETRY_S * 1_000)

    def _shelve(self, id_: str, entry: Entry, document: Document) -> None:
        """Keep the library's card, of one that runs now and then; throw away what was deleted."""
        if isinstance(document.run, Deleted):
            if document.run.sequence > entry.thrown_away:
                entry.thrown_away = document.run.sequence
                self._begin(self._throw_away(id_, entry, document.run.sequence))  # A long log takes its time.
            return
        if is_due(document, entry.unkept) and monotonic_ms() >= entry.keep_due_ms:
            entry.keep_due_ms = monotonic_ms() + KEEP_AGAIN_MS
            self._begin(self._keep(entry, document, entry.unkept))
        early_ms = entry.card_due_ms - monotonic_ms()
        if early_ms > 0 and not entry.at_rest:
            self._wake(id_, entry, early_ms)
            return
        entry.card_due_ms = monotonic_ms() + CARD_MS
        self._begin(self._put_card(entry, document))  # Nobody waits for it: a document's first token is not held up.

    async def _throw_away(self, id_: str, entry: Entry, sequence: int) -> None:
        while True:
            try:
                async with entry.card_lock:  # No card is written behind its back.
                    await self._shelf.throw_away(id_, sequence)
            except (NatsError, TimeoutError, BusUnavailableError) as error:
                log.warning("%s is thrown away later: %s", id_, error)
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _put_card(self, entry: Entry, document: Document) -> None:
        async with entry.card_lock:
            if entry.document is not document:
                return  # Its successor has a card of its own coming.
            try:
                entry.card = await self._shelf.put_card(document, entry.card)
            except (NatsError, TimeoutError, BusUnavailableError) as error:
                log.warning("card of %s later: %s", document.id, error)
                entry.card = None

    async def _keep(self, entry: Entry, document: Document, unkept: int) -> None:
        async with entry.card_lock:  # Of a document that is thrown away nothing is kept behind its back.
            if entry.thrown_away:
                return
            try:
                await self._shelf.keep(document)
            except (NatsError, TimeoutError, BusUnavailableError) as error:
                log.warning("snapshot of %s later: %s", document.id, error)
            else:
                entry.unkept -= unkept

    def _decide(self, id_: str, entry: Entry, document: Document, on_queue: frozenset[str] | None) -> Decision:
        before_ms, now = thought_ms(), now_ms()
        situation = Situation(
            now_ms=now,
            viewers=self.viewers.count(id_),
            watched_at_ms=self.viewers.watched_at_ms(id_),
            leases_known=self.viewers.known,
            lost=frozenset() if on_queue is None else frozenset(suspects(document, now)) - on_queue,
        )
        decision = decide(document, situation)
        taken_ms = thought_ms() - before_ms
        if taken_ms > THOUGHT_MS_MAX:
            entry.thought_until_ms = monotonic_ms() + taken_ms * (THOUGHT_SHARE - 1)
        return decision

    async def _append(self, id_: str, entry: Entry, facts: tuple[AnyFact, ...]) -> bool:
        """False where somebody was first: then all is to be thought over again."""
        try:
            for fact in bundled(facts):
                if entry.document is None:
                    return True
                sequence = await append(self._bus, id_, fact, entry.document.sequence)
                entry.document = fold(entry.document, fact, sequence)
                entry.unkept += 1
        except ConflictError:
            await self._catch_up(id_, entry)
            return False
        return True

    async def _catch_up(self, id_: str, entry: Entry) -> None:
        # Kept as it grows: who is interrupted in a long log goes on from there.
        async for one in log_of(self._bus, id_, 0 if entry.document is None else entry.document.sequence):
            if isinstance(one, Begun):
                entry.document = one.document
                entry.unkept = 0 if one.is_current else FACTS_RUNNING_MIN
            else:
                entry.document = folded_in(id_, entry.document, one.sequence, decode_fact(one.data))
                entry.unkept += 1

    async def _publish_all(self, missing: tuple[AnyJob, ...], entry: Entry) -> None:
        """At once from here; the stream drops what another replica, or this one before a crash, has published already."""
        until_ms = monotonic_ms() + PUBLISH_PATIENCE_MS
        fresh = [(name, job) for job in missing if (name := _name(job)) not in entry.published]
        await asyncio.gather(*(self._publish(name, job, entry, until_ms) for name, job in fresh))

    async def _publish(self, name: str, job: AnyJob, entry: Entry, until_ms: float) -> None:
        kind, cell, _ = _named(job)
        subject = subjects.job(job.lane, kind, job.document, cell)
        headers = {subjects.HEADER_MESSAGE_ID: name}
        while monotonic_ms() < until_ms:
            try:
                await self._bus.js.publish(subject, jobs.encode(job), timeout=APPEND_TRY_S, headers=headers)
            except (NatsError, TimeoutError) as error:
                log.warning("job %s again: %s", name, error)
                await asyncio.sleep(RETRY_S)
            else:
                entry.published.add(name)
                return
        msg = f"job {name} was not acknowledged"
        raise BusUnavailableError(msg)

    # -- When to look again -------------------------------------------------------------------------------------------

    def _rest(self, id_: str, entry: Entry, wake_at_ms: int | None) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        if entry.at_rest:
            entry.published.clear()
            if entry.ran:  # Who did not see it run leaves its ink to who did.
                entry.ran = False
                entry.ink_timer = asyncio.get_running_loop().call_later(INK_KEPT_S, self._purge_ink_soon, id_)
            return
        entry.ran = True
        if entry.ink_timer is not None:
            entry.ink_timer.cancel()
            entry.ink_timer = None
        wakes_ms: list[float] = [] if wake_at_ms is None else [wake_at_ms - now_ms()]
        if not self.viewers.known:
            wakes_ms.append(self.viewers.known_in_ms)
        if wakes_ms:
            self._wake(id_, entry, min(wakes_ms))

    def _wake(self, id_: str, entry: Entry, in_ms: float) -> None:
        """Not later than that."""
        loop = asyncio.get_running_loop()
        at_s = loop.time() + max(in_ms, 1) / 1_000
        if entry.timer is not None and not entry.timer.cancelled() and loop.time() < entry.timer.when() <= at_s:
            return
        if entry.timer is not None:
            entry.timer.cancel()
        entry.timer = loop.call_at(at_s, self.attend_soon, id_)

    def _lease_heard(self, id_: str, crosses: bool) -> None:
        entry = self._entries.get(id_)
        run = None if entry is None or entry.document is None else entry.document.run
        # A renewal after the pause is a viewer whose coming was heard before it.
        if crosses or (isinstance(run, Paused) and run.reason == "last_viewer_left"):
            self.attend_soon(id_)

    def _purge_ink_soon(self, id_: str) -> None:
        self._begin(self._purge_ink(id_))

    async def _purge_ink(self, id_: str) -> None:
        entry = self._entries.get(id_)
        if entry is None or entry.at_rest:
            try:
                await self._bus.js.purge_stream(subjects.INK, subject=subjects.ink(id_))
            except (NatsError, TimeoutError) as error:
                log.warning("ink of %s stays until it is old: %s", id_, error)

    async def _attend_until_done(self, id_: str, entry: Entry) -> None:
        while True:
            entry.expected_soon = False
            try:
                await self.attend(id_)
            except (BusUnavailableError, NatsError, TimeoutError) as error:
                log.warning("%s again: %s", id_, error)
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _begin(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("attending failed", exc_info=error)

    def _entry(self, id_: str) -> Entry:
        entry = self._entries.setdefault(id_, Entry())
        self._entries.move_to_end(id_)
        if len(self._entries) > DOCUMENTS_KEPT_MAX:
            for oldest, candidate in islice(self._entries.items(), CANDIDATES_MAX):
                if candidate.at_rest and not candidate.lock.locked() and candidate is not entry:
                    del self._entries[oldest]
                    break
        return entry


def _named(job: AnyJob) -> tuple[str, str, int]:
    """(kind, cell, number) of a job."""
    match job:
        case IngestSource(source=source, given_at=given_at):
            return "ingest", source, given_at
        case PlanOutline(job=number):
            return "plan", PLAN_CELL, number
        case WriteCell(cell=cell, job=number):
            return "write", cell, number


def _name(job: AnyJob) -> str:
    """Its message id: the queue takes it once."""
    kind, cell, number = _named(job)
    return f"{job.document}.{kind}.{cell}.{number}"
