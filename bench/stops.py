"""How long model connections outlive a stop: the last viewer leaving, or the Stop button, at moments all over a document.

The clock runs from just before the viewer's socket is closed, or the request is sent, to the moment at which the simulator, at the
other end of each model connection, saw it close. Both ends read the same machine's clock.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import get_args

import httpx2

from bench.tables import percentile, table
from tests.stopping import How, Stopped, calls_of, set_pace, stop
from tests.system import running

STOPS = 50
"""Of each kind."""
FIRST_TOKEN_MS, TOKEN_INTERVAL_MS = 60, 20
FIRST_EVENTS = 14
"""Of a document of eight sections: by then some of its calls speak."""
EVENTS_STEP = 3
P50_AIM_MS, P99_AIM_MS = 50, 250


async def measure(gateway_url: str, simulator_url: str) -> tuple[dict[How, list[Stopped]], int]:
    """Stops of both kinds, in turn; and how many calls were begun after a document had come to rest."""
    stopped: dict[How, list[Stopped]] = {how: [] for how in get_args(How)}
    async with (
        httpx2.AsyncClient(base_url=gateway_url, trust_env=False, timeout=30) as gateway,
        httpx2.AsyncClient(base_url=simulator_url, trust_env=False, timeout=30) as simulator,
    ):
        await set_pace(simulator, FIRST_TOKEN_MS, TOKEN_INTERVAL_MS)
        for how in stopped:
            await stop(gateway, simulator, how, FIRST_EVENTS)  # While the bus is new, having no lease means nothing.
        for number in range(STOPS):
            for how, found in stopped.items():
                found.append(await stop(gateway, simulator, how, FIRST_EVENTS + EVENTS_STEP * number))
        begun = 0
        for one in (*stopped["leaving"], *stopped["button"]):
            begun += len(await calls_of(simulator, one.id)) - len(one.calls)
    return stopped, begun


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as system:
        stopped, begun = asyncio.run(measure(system.gateway, system.simulator))
    rows: list[tuple[object, ...]] = []
    for how, found in stopped.items():
        closed = [ms for one in found for ms in one.closed_after_ms]
        last = [max(one.closed_after_ms) for one in found if one.closed_after_ms]
        rows += [
            (how, "each call", len(closed), *(f"{percentile(closed, share):.1f}" for share in (0.5, 0.99, 1))),
            (how, "last call of a stop", len(last), *(f"{percentile(last, share):.1f}" for share in (0.5, 0.99, 1))),
        ]
    table(
        f"Stops: {STOPS} of each kind; from the closing of the last viewer's socket, or the request, to the model "
        "connection's closing as the simulator saw it, ms",
        ("stopped by", "of", "number", "p50", "p99", "longest"),
        rows,
        f"Aim: p50 below {P50_AIM_MS}, p99 below {P99_AIM_MS}. Calls left open: 0 (waited for). Begun afterwards: {begun}.",
    )
