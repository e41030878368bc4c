"""How many streams one writer process holds: each at 30 tokens a second, on real HTTP and a real bus, and nothing else running.

The model stamps each token; the ink that the writer publishes is read off the bus by its stamps. A writer that falls behind is one
whose ink comes later and later: p99 of the last third of the run beyond LATE_MS_MAX.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvloop
from nats.aio.msg import Msg

from bench.pace import Pace, provider, sent_at_s
from bench.parts import bus_of_our_own, cpu_s, resident_mb
from bench.tables import percentile, table
from schemas import subjects
from schemas.values import Section
from services.shared.bus import Bus
from tests.writers import Desk, service

STREAMS = (100, 150, 200)
PACE = Pace(tokens=240, per_second=30, first_ms=2_000, stamped=True)
CELLS_A_DOCUMENT = 20
LATE_MS_MAX = 250.0
PATIENCE_S = 60.0


class Held(NamedTuple):
    """One number of streams."""

    streams: int
    cpu: float
    """Of one core, while all of them spoke."""
    lags_ms: list[float]
    """Of each token in the last third, from the model's sending to its ink on the bus."""
    over_ideal_s: float
    """From the last token's due moment to its coming."""
    memory_mb: float


class Reader:
    """What comes off the bus, and when."""

    def __init__(self) -> None:
        self.lags: list[tuple[float, float]] = []
        """(when it came, s; how long it took, ms)"""
        self._awaited: dict[int, asyncio.Event] = {}

    async def heard(self, message: Msg) -> None:
        """One piece of ink."""
        now_s = time.time()
        self.lags += [(now_s, (now_s - sent_s) * 1_000) for sent_s in sent_at_s(message.data.decode())]
        for tokens in [tokens for tokens in self._awaited if len(self.lags) >= tokens]:
            self._awaited.pop(tokens).set()

    async def reached(self, tokens: int) -> None:
        """Wait for so many tokens."""
        reached = self._awaited[tokens] = asyncio.Event()
        async with asyncio.timeout(PATIENCE_S):
            await reached.wait()


async def hold(bus: Bus, reader: Reader, writer: int, streams: int) -> Held:
    """Have so many cells written at once."""
    desks = [Desk(bus, f"{streams:03d}{n:029d}") for n in range(-(-streams // CELLS_A_DOCUMENT))]
    cells = [(desk, f"c{n}") for desk in desks for n in range(CELLS_A_DOCUMENT)][:streams]
    outline = tuple(Section(id=f"c{n}", heading=f"Cell {n}") for n in range(CELLS_A_DOCUMENT))
    for desk in desks:
        await desk.create(*outline)
    await asyncio.gather(*(desk.ask(cell) for desk, cell in cells))
    tokens = streams * PACE.tokens
    await reader.reached(tokens // 4)  # By then all of them speak, and none has ended before three quarters.
    before_s, began_s = cpu_s(writer), time.time()
    await reader.reached(tokens * 3 // 4)
    cpu = (cpu_s(writer) - before_s) / (time.time() - began_s)
    await reader.reached(tokens)
    lags, reader.lags = reader.lags, []
    last_third = [lag for _, lag in lags[-len(lags) // 3 :]]
    spoken_s = lags[-1][0] - lags[0][0]
    for desk in desks:
        await desk.close()
    return Held(streams, cpu, last_third, spoken_s - (PACE.tokens - 1) / PACE.per_second, resident_mb(writer))


async def measure(folder: Path, port: int) -> list[Held]:
    """All numbers of streams, one after the other, by the same writer."""
    settings = {
        "SCRIPTORIUM_PROVIDERS": msgspec.json.encode({"paced": {"base_url": f"http://127.0.0.1:{port}/v1"}}).decode(),
        "SCRIPTORIUM_MODELS__WRITE": f'["paced/{PACE.name}"]',
        "SCRIPTORIUM_WRITER__SLOTS": str(2 * max(STREAMS)),
        "SCRIPTORIUM_HEALTH__CONCURRENT_FIRST": str(2 * max(STREAMS)),
        "SCRIPTORIUM_HEALTH__CONCURRENT_MAX": str(2 * max(STREAMS)),
    }
    reader = Reader()
    async with bus_of_our_own(folder) as (url, bus):
        await bus.client.subscribe(subjects.live_ink(), cb=reader.heard, pending_msgs_limit=-1, pending_bytes_limit=-1)
        with service("writer", url, "", settings) as writer:
            return [await hold(bus, reader, writer.pid, streams) for streams in STREAMS]


def main() -> None:
    """Print the table."""
    with provider() as port, tempfile.TemporaryDirectory() as folder:
        found = uvloop.run(measure(Path(folder), port))
    rows = [
        (
            held.streams,
            f"{held.cpu:.2f}",
            f"{held.cpu / (held.streams * PACE.per_second) * 1e6:.0f}",
            f"{held.streams / held.cpu:.0f}",
            *(f"{percentile(held.lags_ms, share):.1f}" for share in (0.5, 0.99)),
            f"{held.over_ideal_s:.2f}",
            f"{held.memory_mb:.0f}",
            "holds" if percentile(held.lags_ms, 0.99) <= LATE_MS_MAX else "falls behind",
        )
        for held in found
    ]
    table(
        f"One writer process, streams of {PACE.per_second:g} tokens/s",
        (
            "streams",
            "cores",
            "µs a token",
            "streams a core",
            "lag p50, ms",
            "lag p99, ms",
            "later than ideal, s",
            "memory, MB",
            "",
        ),
        rows,
        f"Lag: from the model's sending of a token to its ink on the bus; behind: p99 beyond {LATE_MS_MAX:g} ms. Model, bus and "
        "writer share the machine's cores: `streams a core` is what the writer's own computing would allow.",
    )
