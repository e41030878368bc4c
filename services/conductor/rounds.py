"""Going round all documents: at the start, after the bus was away, and now and then. Whoever should have attended may be dead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import msgspec
from nats.errors import Error as NatsError

from schemas import subjects
from schemas.document import Running
from services.conductor.desk import Desk
from services.shared.bus import REQUEST_TIMEOUT_S, Bus
from services.shared.log import BusUnavailableError

log = logging.getLogger(__name__)

ROUND_S = 15.0
RETRY_S = 0.5


class _State(msgspec.Struct):
    subjects: dict[str, int] | None = None


class _Info(msgspec.Struct):
    """What is read of a stream's info (NATS API `io.nats.jetstream.api.v1.stream_info_response`); an error has no state."""

    state: _State
    total: int = 0


class Rounds:
    """Attends to every document that is not at rest, or whose log has grown since it was."""

    def __init__(self, bus: Bus, desk: Desk) -> None:
        self._bus = bus
        self._desk = desk
        self._at_rest: dict[str, int] = {}
        self._due = asyncio.Event()

    def due(self) -> None:
        """Begin the next one now."""
        self._due.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            self._due.clear()
            pause_s = ROUND_S
            try:
                await self._round()
            except (BusUnavailableError, NatsError, TimeoutError, msgspec.ValidationError) as error:
                log.warning("this round again: %s", error)
                pause_s = RETRY_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def _round(self) -> None:
        at_rest: dict[str, int] = {}
        async for subject, facts in subjects_of(self._bus, subjects.FACTS, subjects.facts_stored()):
            id_ = subjects.document_of(subject)
            if self._at_rest.get(id_) == facts or await self._rests(id_):
                at_rest[id_] = facts
        self._at_rest = at_rest

    async def _rests(self, id_: str) -> bool:
        on_queue: frozenset[str] | None = None
        try:
            if self._desk.suspects(
                id_
            ):  # Asked before the log is read: a worker's facts are there before its job is gone.
                on_queue = await self._on_queue(id_)
            document = await self._desk.attend(id_, on_queue=on_queue)
        except (BusUnavailableError, NatsError, TimeoutError):
            raise
        except Exception:
            # A defect in one document costs no other its round. It is looked at again when its log grows.
            log.exception("%s cannot be attended to", id_)
            return True
        return document is None or not isinstance(document.run, Running)

    async def _on_queue(self, id_: str) -> frozenset[str]:
        """Cells of a document whose jobs wait or are being worked on."""
        found: set[str] = set()
        async for subject, _ in subjects_of(self._bus, subjects.JOBS, subjects.job("*", "*", id_)):
            _, _, kind, _, cell = subject.split(".", 4)
            if kind != "ingest":
                found.add(cell)
        return frozenset(found)


async def subjects_of(bus: Bus, stream: str, wanted: str) -> AsyncIterator[tuple[str, int]]:
    """Every subject of a stream, with how many messages it has. The server answers in pages."""
    offset, total = 0, 1
    while offset < total:
        ask = msgspec.json.encode({"subjects_filter": wanted, "offset": offset})
        answer = await bus.client.request(subjects.stream_info(stream), ask, timeout=REQUEST_TIMEOUT_S)
        info = msgspec.json.decode(answer.data, type=_Info)
        page = info.state.subjects or {}
        for item in page.items():
            yield item
        offset, total = offset + max(len(page), 1), info.total
