"""Control rooms: the bus as it happens, of one document, over SSE.

A control room is no viewer: it holds no lease, so that one can watch what happens when the last viewer leaves. Facts come from the
log and are complete; ink, jobs, commands and samples are told as they pass by, and left out where a control room is too slow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError
from sse_starlette import EventSourceResponse
from starlette.types import Receive, Scope, Send

from schemas import document as documents
from schemas import operations, subjects
from schemas.operations import BusLost, BusReturned, Operation, OperationKind, Queue, QueuesSampled, Sample
from services.gateway.outbox import Outbox, operation_frame
from services.gateway.viewer import PING_S, RETRY
from services.shared.bus import Bus
from services.shared.clock import monotonic_ms, now_ms
from services.shared.log import BusUnavailableError
from services.shared.opening import Begun, log_of
from services.shared.tail import Tail, facts_of

log = logging.getLogger(__name__)

SAMPLE_S = 1.0
CHUNK_BYTES = 64 * 1024
QUEUES = ("writer-interactive", "writer-batch", "planner", "ingester")


class _When(msgspec.Struct):
    at_ms: int = 0


_when = msgspec.json.Decoder(_When).decode


class Room:
    """One control room's connection."""

    def __init__(self, bus: Bus, document: str, after: int) -> None:
        self._bus = bus
        self._document = document
        self._after = after
        self._outbox = Outbox()
        self._wake = asyncio.Event()
        self._is_closed = False
        self._facts = Tail(bus, facts_of(document), self._fact)
        self._subscriptions: list[Subscription] = []

    async def chunks(self) -> AsyncIterator[bytes]:
        """The log up to now, then everything as it happens; ends when closed, or when too far behind."""
        told = 0
        async for chunk, count in self._past():
            told += count
            yield chunk
        await self._listen()
        yield b'event: CaughtUp\ndata: {"type":"CaughtUp","events":%d}\n\n' % told
        while not self._is_closed and not self._outbox.is_over:
            if not self._outbox:
                self._wake.clear()
                await self._wake.wait()
                continue
            yield self._outbox.take()

    async def close(self) -> None:
        """Listen no more; the stream ends."""
        self._is_closed = True
        self._wake.set()
        await self._facts.stop()
        if not self._bus.client.is_closed:
            for subscription in self._subscriptions:
                await subscription.unsubscribe()

    def tell(self, sample: Sample) -> None:
        """A sample of this gateway's own."""
        data = operations.encode(sample)
        self._put("sample", subjects.metrics("gateway"), data, at_ms=sample.at_ms)

    async def _past(self) -> AsyncIterator[tuple[bytes, int]]:
        # Read and sent at the control room's own pace, before anything is listened to: a log of any length needs no memory.
        frames: list[bytes] = []
        size = 0
        async for one in log_of(self._bus, self._document, self._after, everything=True):
            if isinstance(one, Begun):  # What was before it was removed.
                self._after = one.document.sequence
                frames.append(b"event: snapshot\nid: %d\ndata: %b\n\n" % (self._after, documents.encode(one.document)))
            else:
                self._after = one.sequence
                frames.append(self._fact_frame(one.sequence, one.data))
            size += len(frames[-1])
            if size >= CHUNK_BYTES:
                yield b"".join(frames), len(frames)
                frames, size = [], 0
        if frames:
            yield b"".join(frames), len(frames)

    async def _listen(self) -> None:
        heard: tuple[tuple[OperationKind, str], ...] = (
            ("ink", subjects.live_ink(self._document)),
            ("command", subjects.command(self._document)),
            ("job", subjects.job("*", "*", self._document)),
            ("dead", subjects.dead_jobs(self._document)),
            ("sample", subjects.METRICS),
        )
        for kind, subject in heard:
            self._subscriptions.append(await self._bus.client.subscribe(subject, cb=partial(self._heard, kind)))
        await self._facts.start(self._after)

    async def _heard(self, kind: OperationKind, message: Msg) -> None:
        sequence = int((message.headers or {}).get(subjects.HEADER_SEQUENCE, "0"))
        subject = subjects.ink(self._document) if kind == "ink" else message.subject
        try:
            self._put(kind, subject, message.data, at_ms=now_ms(), sequence=sequence)
        except msgspec.DecodeError as error:
            log.warning("%s is no JSON: %s", message.subject, error)

    def _fact(self, sequence: int, data: bytes) -> None:
        self._outbox.put(self._fact_frame(sequence, data), is_fact=True)
        self._wake.set()

    def _fact_frame(self, sequence: int, data: bytes) -> bytes:
        subject = subjects.facts(self._document)
        at_ms = _when(data).at_ms
        operation = Operation(kind="fact", subject=subject, at_ms=at_ms, sequence=sequence, event=msgspec.Raw(data))
        return operation_frame(operation, sequence)

    def _put(self, kind: OperationKind, subject: str, data: bytes, *, at_ms: int, sequence: int = 0) -> None:
        # Compact and on one line, whoever published it: an event's data may hold no line break.
        event = data if b"\n" not in data else msgspec.json.encode(msgspec.json.decode(data))
        operation = Operation(kind=kind, subject=subject, at_ms=at_ms, sequence=sequence, event=msgspec.Raw(event))
        self._outbox.put(operation_frame(operation, None), is_fact=False)
        self._wake.set()


class Rooms:
    """All control rooms of this gateway. While there are any, the queues are sampled, once for all of them."""

    ROOMS_MAX = 64

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._rooms: set[Room] = set()
        self._sampling: asyncio.Task[None] | None = None
        self._forget: tuple[Callable[[], None], ...] = ()
        self._lost_at_ms = 0.0

    @property
    def is_full(self) -> bool:
        """No further one is let in."""
        return len(self._rooms) >= self.ROOMS_MAX

    def open(self, document: str, after: int) -> Room:
        """A control room of this document, which has its facts up to `after`."""
        room = Room(self._bus, document, after)
        self._rooms.add(room)
        if self._sampling is None:
            self._sampling = asyncio.create_task(self._sample())
            self._forget = (self._bus.on_lost(self._lost), self._bus.on_reconnected(self._returned))
        return room

    async def close(self, room: Room) -> None:
        """It has gone."""
        self._rooms.discard(room)
        if not self._rooms and self._sampling is not None:
            self._sampling.cancel()
            self._sampling = None
            for forget in self._forget:
                forget()
        await room.close()

    async def close_all(self) -> None:
        """End every stream."""
        for room in tuple(self._rooms):
            await self.close(room)

    def _tell(self, sample: Sample) -> None:
        for room in self._rooms:
            room.tell(sample)

    def _lost(self) -> None:
        self._lost_at_ms = monotonic_ms()
        self._tell(BusLost(at_ms=now_ms()))

    async def _returned(self) -> None:
        self._tell(BusReturned(at_ms=now_ms(), away_ms=round(monotonic_ms() - self._lost_at_ms)))

    async def _sample(self) -> None:
        while True:
            try:
                queues = [queue for name in QUEUES if (queue := await self._queue(name)) is not None]
            except (NatsError, APIError, TimeoutError) as error:
                log.info("queues not sampled: %s", error)  # The bus is away; the rooms were told.
            else:
                self._tell(QueuesSampled(at_ms=now_ms(), queues=tuple(queues)))
            await asyncio.sleep(SAMPLE_S)

    async def _queue(self, name: str) -> Queue | None:
        try:
            info = await self._bus.js.consumer_info(subjects.JOBS, name)
        except NotFoundError:
            return None  # Its service has not started yet.
        return Queue(
            name=name,
            waiting=info.num_pending or 0,
            taken=info.num_ack_pending or 0,
            redelivered=info.num_redelivered or 0,
        )


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""  # Makes this a generator.


class RoomResponse(EventSourceResponse):
    """sse-starlette's head, pings and life cycle; the frames come from the room."""

    def __init__(self, rooms: Rooms, room: Room) -> None:
        super().__init__(_nothing(), ping=PING_S, headers={"Cache-Control": "no-store"}, sep="\n")
        self._rooms = rooms
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; HEAD gets the head alone."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._rooms.close(self._room)

    async def _stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": RETRY, "more_body": True})
        try:
            async for chunk in self._room.chunks():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except (BusUnavailableError, NatsError) as error:
            log.info("a control room ends, and may come back: %s", error)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
