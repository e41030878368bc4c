"""Following one subject of a stream, live and without a gap, over restarts of the bus.

Subscribe to the republished subject first, then fill from the known sequence by direct get, then drop what is not newer. After
a reconnection, fill again. No consumer is made: a core subscription is back at once after a restart, and costs the server
nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from schemas import subjects
from schemas.document import Document
from schemas.events import AnyFact, decode_fact
from services.shared.bus import Bus
from services.shared.chain import Link, link
from services.shared.log import BusUnavailableError, Stored, read
from services.shared.opening import Begun, folded_in, log_of

log = logging.getLogger(__name__)

HELD_MAX = 10_000
RETRY_S = 0.05


class Subject(NamedTuple):
    """One subject of a stream: as it is stored, and as it is republished."""

    stream: str
    stored: str
    live: str


def facts_of(document: str) -> Subject:
    """A document's facts."""
    return Subject(subjects.FACTS, subjects.facts_stored(document), subjects.live_facts(document))


def ink_of(document: str) -> Subject:
    """A document's ink."""
    return Subject(subjects.INK, subjects.ink(document), subjects.live_ink(document))


async def epoch_of(bus: Bus, stream: str) -> int:
    """When this incarnation of a stream was made, microseconds: sequences of another one mean nothing. Waits until it is there.

    Asked once a connection: a stream is made anew only where a server was.
    """
    while stream not in bus.epochs:
        known = bus.epochs  # Replaced when the connection is lost: an answer from before it is forgotten with it.
        try:
            info = await bus.js.stream_info(stream)
        except (NotFoundError, NatsError, TimeoutError):
            await asyncio.sleep(RETRY_S)
        else:
            known[stream] = int(info.created.timestamp() * 1_000_000) if info.created else 0
    return bus.epochs[stream]


def _nowhere(_sequence: int, _data: bytes) -> None:
    """Where a stopped tail delivers."""


def _nothing(_begun: Begun) -> None:
    """What it begins with."""


class Tail:
    """Calls `deliver(sequence, data)` for each message once and in order; `last` is the sequence of the newest.

    With `begin`, of a document's facts: called first, and whenever what is missing is not there any more, with a document that
    stands for all up to its sequence.
    """

    def __init__(
        self,
        bus: Bus,
        subject: Subject,
        deliver: Callable[[int, bytes], None],
        on_epoch: Callable[[int], None] | None = None,
        begin: Callable[[Begun], None] | None = None,
    ) -> None:
        self.last = 0
        self.epoch = 0
        self._bus = bus
        self._subject = subject
        self._deliver = deliver
        self._on_epoch = on_epoch
        self._begin = begin
        self._subscription: Subscription | None = None
        self._held: list[tuple[int, int, bytes]] | None = None
        self._filling: asyncio.Task[None] | None = None
        self._forget: Callable[[], None] | None = None

    async def start(self, after: int = 0) -> None:
        """Return once all that was there is delivered; from then on it is live."""
        self.last = after
        self._held = []
        self._subscription = await self._bus.client.subscribe(
            self._subject.live, cb=self._received, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        self._forget = self._bus.on_reconnected(self.fill)
        await self.fill()

    async def stop(self) -> None:
        """Unsubscribe; nothing is delivered after this."""
        self._deliver = _nowhere
        self._begin = None if self._begin is None else _nothing
        if self._forget is not None:
            self._forget()
        if self._filling is not None:
            self._filling.cancel()
        if self._subscription is not None and not self._bus.client.is_closed:
            await self._subscription.unsubscribe()

    async def fill(self) -> None:
        """Deliver what the stream has beyond `last`. Calls while one runs share it."""
        if self._filling is None or self._filling.done():
            self._held = self._held if self._held is not None else []
            self._filling = asyncio.create_task(self._fill(), name=f"fill {self._subject.live}")
        await asyncio.shield(self._filling)

    async def _fill(self) -> None:
        while True:
            try:
                await self._refresh_epoch()
                await self._read_on()
            except (BusUnavailableError, NatsError) as error:
                log.warning("filling %s again: %s", self._subject.live, error)
                await asyncio.sleep(RETRY_S)
                continue
            held, self._held = self._held or [], []
            if all(self._take(*message) for message in held):
                self._held = None
                return

    async def _read_on(self) -> None:
        if self._begin is None:
            async for stored in read(self._bus.client, self._subject.stream, self._subject.stored, self.last):
                self._advance(stored.sequence, stored.data)
            return
        async for one in log_of(self._bus, subjects.document_of(self._subject.live), self.last):
            match one:
                case Begun():
                    self.last = one.document.sequence
                    self._begin(one)
                case Stored(sequence=sequence, data=data):
                    self._advance(sequence, data)

    async def _refresh_epoch(self) -> None:
        epoch = await epoch_of(self._bus, self._subject.stream)
        if epoch == self.epoch:
            return
        if self.epoch:
            self.last = 0
        self.epoch = epoch
        if self._on_epoch is not None:
            self._on_epoch(epoch)

    async def _received(self, message: Msg) -> None:
        headers = message.headers or {}
        sequence = int(headers[subjects.HEADER_SEQUENCE])
        previous = int(headers.get(subjects.HEADER_LAST_SEQUENCE, "0"))
        if self._held is not None:
            if len(self._held) < HELD_MAX:  # Beyond that the fill sees a gap, and goes round again.
                self._held.append((sequence, previous, message.data))
        elif not self._take(sequence, previous, message.data):
            self._held = [(sequence, previous, message.data)]
            self._filling = asyncio.create_task(self._fill(), name=f"refill {self._subject.live}")

    def _take(self, sequence: int, previous: int, data: bytes) -> bool:
        """False where something before it is missing."""
        match link(self.last, sequence, previous):
            case Link.NEXT:
                self._advance(sequence, data)
            case Link.REPEAT:
                pass
            case Link.GAP:
                return False
        return True

    def _advance(self, sequence: int, data: bytes) -> None:
        if sequence > self.last:
            self.last = sequence
            self._deliver(sequence, data)


class DocumentTail:
    """One document, folded from its facts and kept up to date."""

    def __init__(self, bus: Bus, document: str) -> None:
        self.id = document
        self.document: Document | None = None
        self._tail = Tail(bus, facts_of(document), self._fact, begin=self._begun)
        self._listeners: list[Callable[[AnyFact], None]] = []
        self._moved = asyncio.Event()

    async def start(self) -> Document | None:
        """The document as it is now; None where there is none."""
        await self._tail.start()
        return self.document

    async def refresh(self) -> Document | None:
        """The document as its log is now, not as it was when the last live fact came."""
        await self._tail.fill()
        return self.document

    async def stop(self) -> None:
        """Follow no longer."""
        await self._tail.stop()

    def listen(self, listener: Callable[[AnyFact], None]) -> Callable[[], None]:
        """Call `listener` after each further fact, or the last of many, was folded in; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    async def reached(self, sequence: int) -> Document:
        """Wait until the log is folded up to `sequence`."""
        while self.document is None or self.document.sequence < sequence:
            self._moved.clear()
            await self._moved.wait()
        return self.document

    def _begun(self, begun: Begun) -> None:
        self.document = begun.document
        self._tell(decode_fact(begun.fact))

    def _fact(self, sequence: int, data: bytes) -> None:
        fact = decode_fact(data)
        self.document = folded_in(self.id, self.document, sequence, fact)
        self._tell(fact)

    def _tell(self, fact: AnyFact) -> None:
        self._moved.set()
        for listener in tuple(self._listeners):
            listener(fact)
