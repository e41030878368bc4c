"""Many viewers, slow viewers, viewers that come back from anywhere: each ends with the same document."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

import pytest

from schemas import document as documents
from schemas import subjects
from schemas.attempts import attempt_number
from schemas.cells import text_digest
from schemas.document import Document
from schemas.events import (
    AttemptStarted,
    CellCompleted,
    CellQueued,
    DocumentCompleted,
    TextAppended,
    decode_event,
    encode,
)
from schemas.fold import fold, fold_ink
from services.gateway.frames import parse_cursor
from services.shared.bus import Bus
from services.shared.log import append
from services.shared.sse import Blocks, ServerSentEvent, event_of
from tests.integration.conftest import BusFactory
from tests.integration.gateways import GatewayProcess
from tests.system import create, sections

A1 = attempt_number(1, 1, 1)
CHUNK = 65_536
EVENT_BYTES_MAX = 16 * 1024 * 1024


class Reader:
    """A viewer on a bare socket: it reads when told to, so that a test may make it slow."""

    def __init__(self, house: GatewayProcess, document: str) -> None:
        self._house = house
        self._id = document
        self.events: list[ServerSentEvent] = []
        self.blocks: list[bytes] = []
        self.document: Document | None = None
        self._new = Blocks(EVENT_BYTES_MAX)

    async def open(self, last_id: str = "", buffer_bytes: int | None = None) -> None:
        url = urlsplit(self._house.address)
        raw = socket.socket()
        if buffer_bytes is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, (url.hostname, url.port))
        self._reader, self._writer = await asyncio.open_connection(sock=raw, limit=CHUNK)
        last = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        # HTTP/1.0: the body comes as it is, without chunks' lengths between.
        self._writer.write(
            f"GET /api/documents/{self._id}/events HTTP/1.0\r\nHost: {url.netloc}\r\n{last}\r\n".encode()
        )
        assert b"200" in (await self._reader.readuntil(b"\r\n\r\n")).splitlines()[0]
        self._new = Blocks(EVENT_BYTES_MAX)

    async def until(self, type_: str) -> None:
        while not any(event.type == type_ for event in self.events):
            await self.read()

    async def read(self) -> None:
        self._take(await self._reader.read(CHUNK))

    def count(self, type_: str) -> int:
        return sum(event.type == type_ for event in self.events)

    def close(self) -> None:
        self._writer.close()

    def _take(self, data: bytes) -> None:
        assert data, "the stream ended"
        for block in self._new.feed(data):
            event = event_of(block)
            if event is None:
                continue
            self.blocks.append(block)
            self.events.append(event)
            self.fold(event)

    def fold(self, event: ServerSentEvent) -> None:
        if event.type == "snapshot":
            self.document = documents.decode(event.data)
        elif event.type != "CaughtUp":
            assert self.document is not None
            happened = decode_event(event.data)
            if isinstance(happened, TextAppended):
                self.document = fold_ink(self.document, happened)
            else:
                self.document = fold(self.document, happened, int(event.id.split("-")[1]))


async def _begin(bus: Bus, document: str, cell: str) -> None:
    queued = CellQueued(at_ms=1, cell=cell, revision=1, job=1, input_digest="i", lane="interactive", deadline_ms=9)
    await append(bus, document, queued)
    await append(bus, document, AttemptStarted(at_ms=2, cell=cell, attempt=A1, writer="w", model="m/a"))


async def _ink(bus: Bus, document: str, cell: str, pieces: list[str], before: int = 0) -> None:
    """`before`: how many pieces of the same length went before these."""
    at = before * len(pieces[0])
    for piece in pieces:
        data = encode(TextAppended(cell=cell, attempt=A1, offset=at, text=piece))
        await bus.js.publish(subjects.ink(document), data)
        at += len(piece)


async def _end(bus: Bus, document: str, cell: str, text: str) -> None:
    completed = CellCompleted(at_ms=3, cell=cell, revision=1, attempt=A1, text=text, output_digest=text_digest(text))
    await append(bus, document, completed)


async def test_all_viewers_get_the_same_bytes(house: GatewayProcess, bus: BusFactory) -> None:
    writer = await bus("operator")
    made = await create(house.client, brief="B", outline=sections(1, summary=False))
    readers = [Reader(house, made["id"]) for _ in range(5)]
    async with asyncio.timeout(20):
        for reader in readers:
            await reader.open()
            await reader.until("snapshot")
        await _begin(writer, made["id"], "part-1")
        await _ink(writer, made["id"], "part-1", ["Über ", "😀\u2028", "\x85 end"])
        await _end(writer, made["id"], "part-1", "Über 😀\u2028\x85 end")
        for reader in readers:
            await reader.until("CellCompleted")
            reader.close()
    assert len({tuple(reader.blocks) for reader in readers}) == 1
    # Facts are in order, and ink is; between the two there is none.
    types = [event.type for event in readers[0].events]
    assert [type_ for type_ in types if type_ != "TextAppended"] == [
        "snapshot",
        "CellQueued",
        "AttemptStarted",
        "CellCompleted",
    ]


async def test_a_viewer_that_stops_reading_slows_nobody_and_then_skips_to_a_snapshot(
    house: GatewayProcess, bus: BusFactory
) -> None:
    writer = await bus("operator")
    skipped = await _skips(house)
    made = await create(house.client, brief="B", outline=sections(1, summary=False))
    slow, steady = Reader(house, made["id"]), Reader(house, made["id"])
    pieces = [f"{n:04d}" + "x" * 30_000 for n in range(40)]
    async with asyncio.timeout(40):
        await slow.open(buffer_bytes=4_096)
        await slow.until("snapshot")
        await steady.open()
        await _begin(writer, made["id"], "part-1")
        for number, piece in enumerate(pieces, 1):
            await _ink(writer, made["id"], "part-1", [piece], number - 1)
            while steady.count("TextAppended") < number:  # The slow one reads nothing all the while.
                await steady.read()
        await append(writer, made["id"], DocumentCompleted(at_ms=9, cells_completed=1, cells_failed=0))
        await steady.until("DocumentCompleted")
        while slow.document != steady.document:
            await slow.read()
        slow.close()
        steady.close()
    assert steady.count("snapshot") == 1
    assert slow.count("snapshot") == 2
    assert slow.count("TextAppended") < len(pieces)
    assert await _skips(house) == skipped + 1


async def _skips(house: GatewayProcess) -> float:
    metrics = (await house.client.get("/metrics")).text.splitlines()
    return sum(float(line.split()[1]) for line in metrics if line.startswith("scriptorium_gateway_skips "))


async def test_whoever_comes_back_from_any_event_ends_with_the_same_document(
    house: GatewayProcess, bus: BusFactory
) -> None:
    writer = await bus("operator")
    other = await create(house.client, brief="B", outline=sections(1, summary=False))
    await _begin(writer, other["id"], "part-1")
    await _ink(writer, other["id"], "part-1", ["Something was said before, elsewhere."])
    made = await create(house.client, brief="B", outline=sections(2, summary=False))
    steady = Reader(house, made["id"])
    async with asyncio.timeout(60):
        await steady.open()
        await steady.until("snapshot")
        for cell in ("part-1", "part-2"):
            await _begin(writer, made["id"], cell)
            await _ink(writer, made["id"], cell, ["ab", "cd", "ef"])
        await _end(writer, made["id"], "part-1", "abcdef")  # The other one is left unfinished.
        await append(writer, made["id"], DocumentCompleted(at_ms=9, cells_completed=1, cells_failed=1))
        await steady.until("DocumentCompleted")
        for number, event in enumerate(steady.events):
            back = Reader(house, made["id"])
            for earlier in steady.events[: number + 1]:
                back.fold(earlier)
            await back.open(last_id=event.id)
            cursor = parse_cursor(event.id)
            assert cursor is not None
            # Whoever left before the first ink cannot tell whether more went before it than the gateway knows.
            await back.until("CaughtUp" if cursor.ink else "snapshot")
            back.close()
            assert back.document == steady.document, event
            if cursor.ink:
                assert [e.data for e in back.events[:-1]] == [e.data for e in steady.events[number + 1 :]]


@pytest.mark.parametrize("last_id", ["nonsense", "0-1-1", "ffffffffffff-0-0", "1-2", "-1--1--1", "9" * 400])
async def test_an_id_that_is_none_of_ours_gets_a_snapshot(house: GatewayProcess, last_id: str) -> None:
    made = await create(house.client, brief="B")
    reader = Reader(house, made["id"])
    async with asyncio.timeout(10):
        await reader.open(last_id=last_id)
        await reader.until("snapshot")
        reader.close()
    assert [event.type for event in reader.events] == ["snapshot"]
