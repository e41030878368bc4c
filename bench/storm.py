"""An account that allows fewer calls than four writers would make: at which rate it is used, and how many calls it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path

import httpx2
import msgspec
import uvloop

from bench.parts import bus_of_our_own
from bench.tables import table
from schemas.values import Section
from tests.simulators import simulator
from tests.writers import Desk, service

WRITERS = 4
LIMIT_A_MINUTE = 600
SETTLING_S, MEASURED_S = 30, 30
CELLS_A_DOCUMENT = 100
CELLS = LIMIT_A_MINUTE * (SETTLING_S + MEASURED_S) // 60 * 2
"""Twice as many as could be written."""
DIALS = {
    "pace": "fixed",
    "first_token_ms": 100,
    "token_interval_ms": 5,
    "requests_per_minute": LIMIT_A_MINUTE,
    "limit_window_s": 2,
}


class Call(msgspec.Struct):
    """One call as the simulator saw it."""

    began_at_ms: float
    status: int | None = None


async def measure(folder: Path, address: str) -> list[Call]:
    """The calls made once it has settled."""
    settings = {
        "SCRIPTORIUM_MODELS__WRITE": '["simulator/limited"]',
        "SCRIPTORIUM_LIMITS__TOKENS_OUT_MAX": "16",
        "SCRIPTORIUM_LIMITS__TRIES_MAX": "20",
    }
    async with (
        bus_of_our_own(folder) as (url, bus),
        httpx2.AsyncClient(base_url=address, trust_env=False, timeout=30) as http,
    ):
        (await http.put("/dials", json={"model": "limited", "dials": DIALS})).raise_for_status()
        outline = tuple(Section(id=f"c{n}", heading=f"Cell {n}") for n in range(CELLS_A_DOCUMENT))
        desks = [Desk(bus, f"{n:032d}") for n in range(CELLS // CELLS_A_DOCUMENT)]
        for desk in desks:
            await desk.create(*outline)
            await asyncio.gather(*(desk.ask(section.id, deadline_in_ms=600_000) for section in outline))
        with contextlib.ExitStack() as writers:
            for _ in range(WRITERS):
                writers.enter_context(service("writer", url, address, settings))
            await asyncio.sleep(SETTLING_S)
            since_ms = time.time() * 1_000
            await asyncio.sleep(MEASURED_S)
            answer = await http.get("/record", params={"since": f"{since_ms}"})
        for desk in desks:
            await desk.close()
    calls = msgspec.json.decode(answer.content, type=list[Call])
    return [call for call in calls if call.began_at_ms >= since_ms]


def main() -> None:
    """Print the table."""
    with simulator() as address, tempfile.TemporaryDirectory() as folder:
        calls = uvloop.run(measure(Path(folder), address))
    refused = sum(call.status == 429 for call in calls)
    rate = (len(calls) - refused) / MEASURED_S
    limit = LIMIT_A_MINUTE / 60
    table(
        f"429 storm: {WRITERS} writers, an account of {limit:g} calls/s, {MEASURED_S} s after {SETTLING_S} s of settling",
        ("accepted, calls/s", "of the limit", "refused, share of calls"),
        [(f"{rate:.2f}", f"{rate / limit:.1%}", f"{refused / max(len(calls), 1):.1%}")],
        "Aim: within 10% of the limit, below 10% refused.",
    )
