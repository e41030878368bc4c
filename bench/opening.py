"""Opening a huge document: a table of 200 sources by 10 questions, 2,000 cells written, each with its citation.

`log` is what a viewer would be sent if a document were its history; `snapshot` is what is sent. The first viewer has the gateway
read the log and fold it; a later one gets what is folded already.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import uvloop

from bench.parts import bus_of_our_own, cpu_s, resident_mb
from bench.tables import median, table
from schemas import document as documents
from schemas import subjects
from schemas.attempts import attempt_number
from schemas.cells import cells_of_section, text_digest
from schemas.events import (
    AnyFact,
    AttemptStarted,
    CallSettled,
    CellCompleted,
    CellQueued,
    CellsQueued,
    DocumentCompleted,
    DocumentCreated,
    SourceIngested,
    encode,
)
from schemas.values import Citation, Column, Policy, Section, SourceGiven
from services.shared.bus import Bus
from tests.integration.gateways import GatewayProcess, gateway_process

ROWS, COLUMNS = 200, 10
QUEUED_AT_ONCE = 48
PUBLISHED_AT_ONCE = 500
OPENINGS = 3
ID = "0123456789abcdef0123456789abcdef"
TEXT = (
    "Twelve scribes worked there, by the second chronicle; the first one speaks of ten, and does not name its source."
)
QUOTE = "Twelve scribes worked there"


class Opening(NamedTuple):
    """One viewer."""

    ms: float
    """From the request to the last byte of the snapshot."""
    cpu_ms: float
    """What the gateway computed meanwhile."""
    snapshot: bytes


def history() -> Iterator[AnyFact]:
    """What happened to it, the way that conductor and writers write it down."""
    columns = tuple(
        Column(id=f"q{n}", heading=f"Question {n}", instructions=f"What does it say of {n}?") for n in range(COLUMNS)
    )
    section = Section(id="table", heading="What the sources say", columns=columns)
    sources = [f"s{n}" for n in range(1, ROWS + 1)]
    given = tuple(
        SourceGiven(id=id_, name=f"Source {id_}", media_type="text/plain", size_bytes=9, digest=text_digest(id_))
        for id_ in sources
    )
    yield DocumentCreated(at_ms=1, title="Chronicles", brief="B", policy=Policy(), sources=given, outline=(section,))
    for id_ in sources:
        yield SourceIngested(at_ms=2, source=id_, digest=text_digest(id_), passages=40, characters=20_000)
    cells = cells_of_section(section, sources)
    for some in (cells[at : at + QUEUED_AT_ONCE] for at in range(0, len(cells), QUEUED_AT_ONCE)):
        queued = tuple(
            CellQueued(
                at_ms=3, cell=cell, revision=1, job=1, input_digest=text_digest(cell), lane="batch", deadline_ms=9
            )
            for cell in some
        )
        yield CellsQueued(at_ms=3, cells=queued)
        for cell in some:
            yield from _written(cell)
    yield DocumentCompleted(at_ms=9, cells_completed=ROWS * COLUMNS, cells_failed=0)


def _written(cell: str) -> Iterator[AnyFact]:
    attempt, model = attempt_number(1, 1, 1), "simulator/scribe"
    quoted = Citation(start=0, end=len(QUOTE), source=cell.split(":")[1], passage=1, quote=QUOTE, verified=True)
    yield AttemptStarted(at_ms=4, cell=cell, attempt=attempt, writer="w", model=model, cost_max=0.01)
    yield CellCompleted(
        at_ms=5,
        cell=cell,
        revision=1,
        attempt=attempt,
        text=TEXT,
        output_digest=text_digest(TEXT),
        model=model,
        citations=(quoted,),
        tokens_out=30,
    )
    yield CallSettled(
        at_ms=5,
        cell=cell,
        attempt=attempt,
        call=1,
        model=model,
        outcome="finished",
        tokens_in=900,
        tokens_out=30,
        cost=0.001,
        exact=True,
        duration_ms=900,
    )


async def record(bus: Bus) -> tuple[int, int]:
    """Put it into the log; facts and bytes."""
    facts = [encode(fact) for fact in history()]
    for at in range(0, len(facts), PUBLISHED_AT_ONCE):
        some = facts[at : at + PUBLISHED_AT_ONCE]
        await asyncio.gather(*[await bus.js.publish_async(subjects.facts(ID), data) for data in some])
    return len(facts), sum(map(len, facts))


async def open_once(house: GatewayProcess) -> Opening:
    """Be a viewer until the snapshot is there."""
    before_s, began_s = cpu_s(house.process.pid), time.perf_counter()
    received = b""
    async with house.client.stream("GET", f"/api/documents/{ID}/events") as response:
        async for data in response.aiter_raw():
            received += data
            if b"event: snapshot" in received and received.endswith(b"\n\n"):
                break
        took_ms = (time.perf_counter() - began_s) * 1_000
    cpu_ms = (cpu_s(house.process.pid) - before_s) * 1_000
    return Opening(took_ms, cpu_ms, received.split(b"data: ", 1)[1].strip())


async def measure(folder: Path) -> None:
    """Open it, first in a gateway that does not know it, then in one that does."""
    async with bus_of_our_own(folder) as (url, bus):
        facts, log_bytes = await record(bus)
        firsts: list[Opening] = []
        laters: list[Opening] = []
        memory: list[float] = []
        for _ in range(OPENINGS):
            async with gateway_process(url, folder) as house:
                empty_mb = resident_mb(house.process.pid)
                firsts.append(await open_once(house))
                memory.append(resident_mb(house.process.pid) - empty_mb)
                laters += [await open_once(house) for _ in range(OPENINGS)]
    began_s = time.perf_counter()
    cells = len(documents.decode(firsts[0].snapshot).cells)
    decode_ms = (time.perf_counter() - began_s) * 1_000
    table(
        f"Opening a document of {cells:,} cells, medians of {OPENINGS} gateways",
        ("", "first viewer", "later viewers"),
        [
            ("to the snapshot's last byte, ms", *(f"{median(o.ms for o in seen):.0f}" for seen in (firsts, laters))),
            ("gateway CPU, ms", *(f"{median(o.cpu_ms for o in seen):.0f}" for seen in (firsts, laters))),
            ("gateway memory, MB more", f"{median(memory):.0f}", ""),
        ],
        f"Snapshot {len(firsts[0].snapshot) / 1e6:.2f} MB ({len(firsts[0].snapshot) / log_bytes:.2f} of the log's "
        f"{log_bytes / 1e6:.2f} MB in {facts:,} facts); decoding it in Python takes {decode_ms:.0f} ms.",
    )


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(Path(folder)))
