"""A model that dies or falls silent in the middle of steady work: how long readers notice, and when it is asked again.

One writer has cells coming in steadily, with a fast model first and a slower one behind it. The fast one is turned to answer 503,
or to say nothing at all, and after a while is turned back. Nobody tells the writer.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import httpx2
import uvloop
from nats.aio.msg import Msg

from bench.parts import bus_of_our_own
from bench.tables import median, table
from schemas import subjects
from schemas.events import AnyFact, AttemptStarted, CellCompleted, CellFailed, decode_ink
from schemas.values import Section
from services.shared.bus import Bus
from tests.simulators import simulator
from tests.writers import Desk, service

FAST, SLOW = "fast", "slow"
FIRST_MS = {FAST: 100, SLOW: 300}
OUTAGES: dict[str, dict[str, int]] = {"answers 503": {"error_503": 1}, "says nothing": {"stall": 1, "strike_at": 0}}
CELLS_A_SECOND = 10
BEFORE_S, OUT_S, AFTER_S = 8, 15, 35
RECOVERED = 1.25
"""Times what the slower model takes by itself, and what everything beside it takes."""
PATIENCE_S = 90.0
NEVER_S = math.inf
AIM_S = 10


class Cell(NamedTuple):
    """One cell."""

    asked_s: float
    """After the beginning."""
    first_ms: float
    """From being asked for to its first ink on the bus."""
    model: str


class Steady:
    """Asks for a cell in each interval, and sees its first ink."""

    def __init__(self, bus: Bus, document: str) -> None:
        self.desk = Desk(bus, document)
        self._asked: dict[str, float] = {}
        self._first: dict[str, float] = {}

    async def heard(self, message: Msg) -> None:
        """A piece of ink."""
        self._first.setdefault(decode_ink(message.data).cell, time.monotonic())

    async def run(self, cells: int) -> list[Cell]:
        """So many, at their pace; returns once all are written."""
        began = time.monotonic()
        for number in range(cells):
            await asyncio.sleep(began + number / CELLS_A_SECOND - time.monotonic())
            self._asked[f"c{number}"] = time.monotonic()
            await self.desk.ask(f"c{number}")
        await self._all_over(cells)
        models = {fact.cell: fact.model.partition("/")[2] for fact in self.desk.heard(AttemptStarted)}
        return [
            Cell(asked - began, (self._first.get(cell, NEVER_S) - asked) * 1_000, models.get(cell, ""))
            for cell, asked in self._asked.items()
        ]

    async def _all_over(self, cells: int) -> None:
        """Wait until each is written or given up."""
        over: set[str] = {fact.cell for kind in (CellCompleted, CellFailed) for fact in self.desk.heard(kind)}
        done = asyncio.Event()

        def heard(fact: AnyFact) -> None:
            if isinstance(fact, CellCompleted | CellFailed):
                over.add(fact.cell)
            if len(over) >= cells:
                done.set()

        forget = self.desk.listen(heard)
        async with asyncio.timeout(PATIENCE_S):
            if len(over) < cells:
                await done.wait()
        forget()


async def measure(folder: Path, address: str, outage: dict[str, int]) -> list[Cell]:
    """One outage."""
    settings = {
        "SCRIPTORIUM_MODELS__WRITE": f'["simulator/{FAST}", "simulator/{SLOW}"]',
        "SCRIPTORIUM_WRITER__SLOTS": "64",
        "SCRIPTORIUM_LIMITS__TOKENS_OUT_MAX": "16",
    }
    cells = CELLS_A_SECOND * (BEFORE_S + OUT_S + AFTER_S)
    async with (
        bus_of_our_own(folder) as (url, bus),
        httpx2.AsyncClient(base_url=address, trust_env=False) as http,
    ):

        async def turn(model: str, dials: dict[str, int]) -> None:
            pace = {"pace": "fixed", "first_token_ms": FIRST_MS[model], "token_interval_ms": 5}
            (await http.put("/dials", json={"model": model, "dials": {**pace, **dials}})).raise_for_status()

        for model in FIRST_MS:
            await turn(model, {})
        steady = Steady(bus, "0" * 32)
        await bus.client.subscribe(subjects.live_ink(), cb=steady.heard)
        await steady.desk.create(*(Section(id=f"c{n}", heading=f"Cell {n}") for n in range(cells)))
        with service("writer", url, address, settings):
            running = asyncio.create_task(steady.run(cells))
            await asyncio.sleep(BEFORE_S)
            await turn(FAST, outage)
            await asyncio.sleep(OUT_S)
            await turn(FAST, {})
            return await running


def row(name: str, cells: list[Cell]) -> tuple[object, ...]:
    """What a reader noticed of it, second by second."""

    def p50(begin_s: float, end_s: float) -> float:
        return median(cell.first_ms for cell in cells if begin_s <= cell.asked_s < end_s)

    before_ms = p50(2, BEFORE_S)
    fallback_ms = before_ms - FIRST_MS[FAST] + FIRST_MS[SLOW]
    over_s, end_s = BEFORE_S + OUT_S, BEFORE_S + OUT_S + AFTER_S
    well = [
        second for second in range(OUT_S) if p50(BEFORE_S + second, BEFORE_S + second + 1) > RECOVERED * fallback_ms
    ]
    recovered_s = well[-1] + 1 if well else 0
    back = [cell.asked_s for cell in cells if over_s <= cell.asked_s < end_s and cell.model == FAST]
    return (
        name,
        f"{before_ms:.0f}",
        f"{p50(BEFORE_S, BEFORE_S + 1):.0f}",
        f"{p50(BEFORE_S + AIM_S, over_s):.0f} (alone {fallback_ms:.0f})",
        f"{recovered_s} s",
        f"{back[0] - over_s:.1f} s" if back else "not seen",
        f"{p50(end_s - 4, end_s):.0f}",
        sum(math.isinf(cell.first_ms) for cell in cells),
    )


def main() -> None:
    """Print the table."""
    rows: list[tuple[object, ...]] = []
    for name, outage in OUTAGES.items():
        with simulator() as address, tempfile.TemporaryDirectory() as folder:
            rows.append(row(name, uvloop.run(measure(Path(folder), address, outage))))
    head = (
        "the first model",
        "before",
        "first second",
        f"after {AIM_S} s",
        "p50 is the fallback's after",
        "asked again after",
        "at the end",
        "cells given up",
    )
    table(
        f"Outage: first token p50, ms, of {CELLS_A_SECOND} cells a second; models of {FIRST_MS[FAST]} and "
        f"{FIRST_MS[SLOW]} ms, the first out of order for {OUT_S} s",
        head,
        rows,
        f"Aim: the fallback's within {AIM_S} s, and back to the first model by itself.",
    )
