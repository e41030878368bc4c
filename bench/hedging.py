"""Second calls beside those that are late to speak: what they do for the slowest sections, and how many calls they cost.

Two models whose time to the first token has a p99 of ten times its median: *lognormal*, as measured ones look, and *hump*, most calls
alike and one in fifty ten times slower, as a model with a sick replica. One writer with hedging and one without take turns at each.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvloop

from bench.pace import TAIL, Pace, Tail, provider
from bench.parts import bus_of_our_own
from bench.tables import percentile, table
from schemas.events import AttemptStarted, CallReserved, CellCompleted
from schemas.values import Section
from services.shared.bus import Bus
from tests.writers import Desk, service

TAILS: tuple[Tail, ...] = ("lognormal", "hump")
FIRST_MS = 200
CELLS = 700
LEARNING = 100
"""The first of them, by which the writer learns how fast its model is; they do not count."""
SLOTS = 40
SHARES = (0.0, 0.05)
"""Of calls that may be hedged: never, and as it is by default."""
PATIENCE_S = 60.0


class Written(NamedTuple):
    """One run."""

    section_ms: list[float]
    """From the first attempt to the whole text."""
    hedged: float
    """Second calls, as a share of ordinary ones."""


async def write(bus: Bus, document: str) -> Written:
    """Have many short cells written."""
    desk = Desk(bus, document)
    await desk.create(*(Section(id=f"c{n}", heading=f"Cell {n}") for n in range(CELLS)))
    for at in range(0, CELLS, SLOTS):
        await asyncio.gather(*(desk.ask(f"c{n}") for n in range(at, min(at + SLOTS, CELLS))))
    async with asyncio.timeout(PATIENCE_S):
        completed = asyncio.Event()
        left = CELLS - len(desk.heard(CellCompleted))

        def heard(fact: object) -> None:
            nonlocal left
            left -= isinstance(fact, CellCompleted)
            if left <= 0:
                completed.set()

        forget = desk.listen(heard)
        if left > 0:
            await completed.wait()
        forget()
    began: dict[str, int] = {}
    for fact in desk.heard(AttemptStarted):
        began.setdefault(fact.cell, fact.at_ms)
    counted = {cell for cell, _ in sorted(began.items(), key=lambda item: item[1])[LEARNING:]}
    took = [float(fact.at_ms - began[fact.cell]) for fact in desk.heard(CellCompleted) if fact.cell in counted]
    hedges = len(desk.heard(CallReserved))
    await desk.close()
    return Written(took, hedges / CELLS)


async def measure(folder: Path, port: int) -> dict[tuple[Tail, float], Written]:
    """Each tail without and with."""
    found: dict[tuple[Tail, float], Written] = {}
    async with bus_of_our_own(folder) as (url, bus):
        for tail in TAILS:
            for share in SHARES:
                pace = Pace(tokens=10, per_second=100, first_ms=FIRST_MS, tail=tail)
                providers = msgspec.json.encode({"paced": {"base_url": f"http://127.0.0.1:{port}/v1"}}).decode()
                settings = {
                    "SCRIPTORIUM_PROVIDERS": providers,
                    "SCRIPTORIUM_MODELS__WRITE": f'["paced/{pace.name}"]',
                    "SCRIPTORIUM_WRITER__SLOTS": str(SLOTS),
                    "SCRIPTORIUM_HEALTH__CONCURRENT_FIRST": str(SLOTS * 2),
                    "SCRIPTORIUM_HEALTH__HEDGE_SHARE": str(share),
                }
                with service("writer", url, "", settings):
                    found[tail, share] = await write(bus, f"{len(found):032d}")
    return found


def main() -> None:
    """Print the table."""
    with provider() as port, tempfile.TemporaryDirectory() as folder:
        found = uvloop.run(measure(Path(folder), port))
    rows: list[tuple[object, ...]] = []
    for tail in TAILS:
        without, hedged = (found[tail, share] for share in SHARES)
        figures = [
            (percentile(without.section_ms, share), percentile(hedged.section_ms, share)) for share in (0.5, 0.99)
        ]
        rows.append((tail, *(f"{a:.0f} → {b:.0f} (x {b / a:.2f})" for a, b in figures), f"{hedged.hedged:.1%}"))
    table(
        f"Hedging: {CELLS - LEARNING} sections, first token {FIRST_MS} ms with a p99 of {TAIL:g} times that; without → with",
        ("tail", "section p50, ms", "section p99, ms", "extra calls"),
        rows,
        "Aim: half the p99 at 5% extra calls or less. A lognormal tail's p95 is itself beyond half of its p99 (5.1 and 10 times the "
        "median), so that nothing which waits for the p95 can halve it.",
    )
