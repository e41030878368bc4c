"""An edit until its first new token can be seen, above the model's own time to it; against a bare loop, in the same run.

A finished document of eight sections. The instructions of one of them are changed over HTTP while a reader watches; counted is from
sending the request to reading the first text of the section's new revision, less the time that the model takes for its first token.
The two take turns; the first edits of each are thrown away, as they warm connections.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import httpx2
import msgspec

from bench.bare import bare_loop
from bench.pace import Pace, provider
from bench.reader import Event, events
from bench.tables import median, percentile, spread, table
from schemas.events import TextAppended, decode_event
from tests.system import CREATED, OK, running, sections

PACE = Pace(tokens=10, per_second=66, first_ms=350)
EDITS = 40
WARMING_EDITS = 4
SECTIONS = 8
EDIT_S_MAX = 30.0
AIM_MS = 60.0


async def edits(client: httpx2.AsyncClient, count: int) -> AsyncGenerator[float]:
    """Have a document written, change it so often, and say what each edit took, ms above the model's own."""
    asked = {
        "brief": "What a bus costs",
        "outline": sections(SECTIONS, summary=False),
        "policy": {"model": f"paced/{PACE.name}", "cache": "off"},
    }
    json = {"Content-Type": "application/json"}
    response = await client.post("/api/documents", content=msgspec.json.encode(asked), headers=json)
    if response.status_code != CREATED:
        raise RuntimeError(response.text)
    made = response.json()
    path = f"/api/documents/{made['id']}"
    headers = json | {"Authorization": f"Bearer {made.get('key', 'none')}"}
    async with aclosing(events(client, f"{path}/events")) as watching:
        async with asyncio.timeout(EDIT_S_MAX):
            await _until(watching, "DocumentCompleted")
        for number in range(count):
            section = f"part-{number % SECTIONS + 1}"
            body = msgspec.json.encode({"instructions": f"Say it once more, in other words ({number})."})
            async with asyncio.timeout(EDIT_S_MAX):
                began_s = time.time()
                # Not awaited first: a reader sees the text when it comes, and not when the editor has its answer.
                editing = asyncio.create_task(client.patch(f"{path}/sections/{section}", content=body, headers=headers))
                first = await _until(watching, "TextAppended")
                ink = decode_event(first.data)
                answer = await editing
                if answer.status_code != OK or not isinstance(ink, TextAppended) or ink.cell != section:
                    msg = f"{answer.status_code} for {section}, and then {first.data}"
                    raise RuntimeError(msg)
                yield (first.at_s - began_s) * 1_000 - PACE.first_ms
                await _until(watching, "DocumentCompleted")


async def _until(watching: AsyncIterator[Event], type_: str) -> Event:
    async for event in watching:
        if event.type == type_:
            return event
    raise RuntimeError("the stream ended")


async def compare(addresses: dict[str, str]) -> dict[str, list[float]]:
    """Take turns."""
    found: dict[str, list[float]] = {}
    clients = [httpx2.AsyncClient(base_url=url, trust_env=False, timeout=EDIT_S_MAX) for url in addresses.values()]
    turns = [edits(client, EDITS + WARMING_EDITS) for client in clients]
    try:
        for _ in range(EDITS + WARMING_EDITS):
            for name, turn in zip(addresses, turns, strict=True):
                found.setdefault(name, []).append(await anext(turn))
    finally:
        for turn, client in zip(turns, clients, strict=True):
            await turn.aclose()
            await client.aclose()
    return {name: all_[WARMING_EDITS:] for name, all_ in found.items()}


def main() -> None:
    """Print the table."""
    with provider() as port, tempfile.TemporaryDirectory() as folder:
        base_url, config = f"http://127.0.0.1:{port}/v1", Path(folder) / "scriptorium.toml"
        config.write_text(
            f'[providers.paced]\nbase_url = "{base_url}"\n[models]\nwrite = ["paced/{PACE.name}"]\n', encoding="utf-8"
        )
        with bare_loop(base_url) as bare, running(Path(folder) / "data", "--config", str(config)) as system:
            found = asyncio.run(compare({"bare": bare, "ours": system.gateway}))
    bare_ms, ours_ms = found["bare"], found["ours"]
    table(
        f"Edits: {EDITS} of one section of {SECTIONS}, model's first token after {PACE.first_ms:g} ms",
        ("edit to first new token, above the model's own, ms", "bare loop", "scriptorium", "difference", "aim"),
        [
            (
                "median (smallest to largest)",
                spread(bare_ms),
                spread(ours_ms),
                f"+ {median(ours_ms) - median(bare_ms):.1f}",
                f"{AIM_MS:g}",
            ),
            ("p99", f"{percentile(bare_ms, 0.99):.1f}", f"{percentile(ours_ms, 0.99):.1f}", "", ""),
        ],
    )
