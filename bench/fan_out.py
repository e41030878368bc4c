"""One document before many viewers: what a token costs the gateway for each of them, and how long it is on its way.

The viewers are bare sockets in this process. Ink is published at the pace of a document with several cells in flight.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import uvloop

from bench.pace import sent_at_s
from bench.parts import bus_of_our_own, cpu_s
from bench.tables import percentile, table
from schemas import subjects
from schemas.events import TextAppended, encode
from services.shared.bus import Bus
from tests.integration.gateways import GatewayProcess, gateway_process
from tests.system import create, sections

VIEWERS = (0, 1, 50, 200)
TOKENS = 400
PER_SECOND = 100.0
CELL, ATTEMPT = "part-1", 1_001_001
PATIENCE_S = 30.0


class Shown(NamedTuple):
    """One number of viewers."""

    viewers: int
    cpu_us: float
    """Of the gateway, a token."""
    hops_ms: list[float]


class Socket(asyncio.Protocol):
    """One viewer: asks, and notes when each token comes."""

    def __init__(self, host: str, path: str) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n".encode()
        self._rest = ""
        self.hops_ms: list[float] = []
        self.opened = asyncio.Event()
        self.done = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance.
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note the stamps in it; one may be in two pieces."""
        now_s = time.time()
        if b"event: snapshot" in data:
            self.opened.set()
        text = self._rest + data.decode()
        found = sent_at_s(text)
        self._rest = text[-200:] if not found else text[text.rindex(f"{found[-1]:.6f}") + 17 :]
        self.hops_ms += [(now_s - sent_s) * 1_000 for sent_s in found]
        if len(self.hops_ms) >= TOKENS:
            self.done.set()


@contextmanager
def _closing(sockets: list[Socket]) -> Generator[None]:
    try:
        yield
    finally:
        for socket in sockets:
            socket.transport.close()


async def show(house: GatewayProcess, bus: Bus, viewers: int) -> Shown:
    """A document's ink, before so many viewers."""
    made = await create(house.client, brief="B", outline=sections(1, summary=False))
    subject, address = subjects.ink(made["id"]), urlsplit(house.address)
    loop = asyncio.get_running_loop()
    sockets = [
        (
            await loop.create_connection(
                lambda: Socket(address.netloc, f"/api/documents/{made['id']}/events"),
                address.hostname or "",
                address.port or 0,
            )
        )[1]
        for _ in range(viewers)
    ]
    async with asyncio.timeout(PATIENCE_S):
        with _closing(sockets):
            await asyncio.gather(*(socket.opened.wait() for socket in sockets))
            before_s, began_s, offset = cpu_s(house.process.pid), loop.time(), 0
            for number in range(TOKENS):
                await asyncio.sleep(began_s + number / PER_SECOND - loop.time())
                text = f" {time.time():.6f}"
                ink = TextAppended(cell=CELL, attempt=ATTEMPT, offset=offset, text=text)
                offset += len(text)
                await bus.client.publish(subject, encode(ink))
            await asyncio.gather(*(socket.done.wait() for socket in sockets))
            cpu_us = (cpu_s(house.process.pid) - before_s) / TOKENS * 1e6
    return Shown(viewers, cpu_us, [hop for socket in sockets for hop in socket.hops_ms])


async def measure(folder: Path) -> list[Shown]:
    """All numbers of viewers, one after the other, by the same gateway."""
    async with bus_of_our_own(folder) as (url, bus), gateway_process(url, folder) as house:
        return [await show(house, bus, viewers) for viewers in VIEWERS]


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        found = uvloop.run(measure(Path(folder)))
    idle_us = found[0].cpu_us
    rows = [
        (
            shown.viewers,
            f"{shown.cpu_us:.0f}",
            f"{(shown.cpu_us - idle_us) / shown.viewers:.1f}",
            *(f"{percentile(shown.hops_ms, share):.2f}" for share in (0.5, 0.99)),
        )
        for shown in found
        if shown.viewers
    ]
    table(
        f"Fan-out: one document at {PER_SECOND:g} tokens/s, {TOKENS} tokens",
        ("viewers", "gateway CPU a token, µs", "a token a viewer, µs", "bus to viewer p50, ms", "p99, ms"),
        rows,
        f"With nobody watching, the gateway computes {idle_us:.0f} µs in a token's time.",
    )
