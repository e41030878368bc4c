"""Opening a huge document: a table of 200 sources by 10 questions, 2,000 cells written, each with its citation.

In each round of edits a quarter of the sources is replaced, and their 500 cells are written anew. The first viewer has the gateway
read the log and fold it, or begin with the snapshot that the conductor keeps and read the log's rest: five cells' worth of it, here.
A later viewer gets what is folded already.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import uvloop

from bench.parts import bus_of_our_own, cpu_s, most_resident_mb, resident_mb
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
    SourceReplaced,
    encode,
)
from schemas.values import Citation, Column, Policy, Section, SourceGiven
from services.shared.bus import Bus
from services.shared.erase import erase
from services.shared.opening import read_document
from services.shared.snapshots import STREAM, Snapshots
from tests.integration.gateways import GatewayProcess, gateway_process

ROWS, COLUMNS = 200, 10
QUEUED_AT_ONCE = 48
PUBLISHED_AT_ONCE = 500
OPENINGS = 3
ROUNDS = (1, 5, 20)
ROUND_SHARE = 4
REST_CELLS = 5
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
    peak_mb: float
    """The most memory that the gateway had so far, above what it had when it was idle."""
    snapshot: bytes


def table_of_questions() -> Section:
    """The only section."""
    columns = tuple(
        Column(id=f"q{n}", heading=f"Question {n}", instructions=f"What does it say of {n}?") for n in range(COLUMNS)
    )
    return Section(id="table", heading="What the sources say", columns=columns)


def history() -> Iterator[AnyFact]:
    """What happened to it, the way that conductor and writers write it down."""
    section = table_of_questions()
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


def round_of_edits(number: int) -> Iterator[AnyFact]:
    """A quarter of the sources is replaced, and what is written from them is written anew."""
    rows = [f"s{n}" for n in range(1, ROWS + 1)][number % ROUND_SHARE :: ROUND_SHARE]
    for id_ in rows:
        digest = text_digest(f"{id_} {number}")
        given = SourceGiven(id=id_, name=f"Source {id_}", media_type="text/plain", size_bytes=9, digest=digest)
        yield SourceReplaced(at_ms=10, source=given)
        yield SourceIngested(at_ms=10, source=id_, digest=digest, passages=40, characters=20_000)
    yield from _rewritten(list(cells_of_section(table_of_questions(), rows)), number + 1)
    yield DocumentCompleted(at_ms=19, cells_completed=ROWS * COLUMNS, cells_failed=0)


def _rewritten(cells: list[str], revision: int) -> Iterator[AnyFact]:
    queued = tuple(
        CellQueued(at_ms=11, cell=cell, revision=revision, job=revision, input_digest="", lane="batch", deadline_ms=19)
        for cell in cells
    )
    yield CellsQueued(at_ms=11, cells=queued)
    for cell in cells:
        yield from _written(cell, revision)


def _written(cell: str, revision: int = 1) -> Iterator[AnyFact]:
    attempt, model = attempt_number(revision, 1, 1), "simulator/scribe"
    quoted = Citation(start=0, end=len(QUOTE), source=cell.split(":")[1], passage=1, quote=QUOTE, verified=True)
    yield AttemptStarted(at_ms=4, cell=cell, attempt=attempt, writer="w", model=model, cost_max=0.01)
    yield CellCompleted(
        at_ms=5,
        cell=cell,
        revision=revision,
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


async def record(bus: Bus, happened: Iterable[AnyFact]) -> tuple[int, int]:
    """Put it into the log; facts and bytes."""
    facts = [encode(fact) for fact in happened]
    for at in range(0, len(facts), PUBLISHED_AT_ONCE):
        some = facts[at : at + PUBLISHED_AT_ONCE]
        await asyncio.gather(*[await bus.js.publish_async(subjects.facts(ID), data) for data in some])
    return len(facts), sum(map(len, facts))


async def keep(bus: Bus) -> None:
    """As the conductor does, now and then; and something happens afterwards."""
    document = await read_document(bus, ID)
    assert document is not None  # noqa: S101 -- it was recorded
    await Snapshots(bus).keep(document, "newest")


async def _snapshot(house: GatewayProcess) -> bytes:
    """The first event; nothing where the gateway could not have it ready."""
    received = b""
    async with house.client.stream("GET", f"/api/documents/{ID}/events") as response:
        if response.status_code != HTTPStatus.OK:
            return b""
        async for data in response.aiter_raw():
            received += data
            if b"event: snapshot" in received and received.endswith(b"\n\n"):
                break
    return received


async def open_once(house: GatewayProcess, idle_mb: float = 0) -> Opening:
    """Be a viewer until the snapshot is there."""
    before_s, began_s = cpu_s(house.process.pid), time.perf_counter()
    received = b""
    while not received:
        received = await _snapshot(
            house
        )  # A gateway that takes too long says so, and is asked again, as a browser would.
    took_ms = (time.perf_counter() - began_s) * 1_000
    cpu_ms = (cpu_s(house.process.pid) - before_s) * 1_000
    peak_mb = most_resident_mb(house.process.pid) - idle_mb
    return Opening(took_ms, cpu_ms, peak_mb, received.split(b"data: ", 1)[1].strip())


class Seen(NamedTuple):
    """After some rounds of edits: first viewers without a snapshot and with one, later viewers, and how long the log is."""

    rounds: int
    facts: int
    log_bytes: int
    without: list[Opening]
    with_one: list[Opening]
    laters: list[Opening]


async def open_in(url: str, folder: Path) -> tuple[Opening, Opening]:
    """The first viewer of a gateway of their own, and the second."""
    async with gateway_process(url, folder) as house:
        first = await open_once(house, resident_mb(house.process.pid))
        return first, await open_once(house)


async def measure(folder: Path) -> None:
    """Open it after some rounds of edits, in gateways that do not know it, without a snapshot and with one."""
    seen: list[Seen] = []
    async with bus_of_our_own(folder) as (url, bus):
        facts, log_bytes = await record(bus, history())
        done = 0
        for rounds in ROUNDS:
            for number in range(done + 1, rounds + 1):
                more, bytes_ = await record(bus, round_of_edits(number))
                facts, log_bytes = facts + more, log_bytes + bytes_
            done = rounds
            without = [await open_in(url, folder) for _ in range(OPENINGS)]
            await keep(bus)
            last = cells_of_section(table_of_questions(), ["s1"])[:REST_CELLS]
            more, bytes_ = await record(bus, _rewritten(list(last), 1_000 + rounds))
            facts, log_bytes = facts + more, log_bytes + bytes_
            with_one = [await open_in(url, folder) for _ in range(OPENINGS)]
            await erase(bus, STREAM, subjects.of_document(ID)[STREAM])
            laters = [later for _, later in with_one]
            seen.append(
                Seen(rounds, facts, log_bytes, [one for one, _ in without], [one for one, _ in with_one], laters)
            )
    began_s = time.perf_counter()
    cells = len(documents.decode(seen[0].with_one[0].snapshot).cells)
    decode_ms = (time.perf_counter() - began_s) * 1_000
    size_mb = len(seen[0].with_one[0].snapshot) / 1e6
    table(
        f"Opening a document of {cells:,} cells, medians of {OPENINGS} gateways each: without a snapshot → with one (ratio)",
        (
            "rounds of edits",
            "facts",
            "log, MB",
            "first viewer, ms",
            "gateway CPU, ms",
            "gateway peak, MB more",
            "later, ms",
        ),
        [
            (
                str(one.rounds),
                f"{one.facts:,}",
                f"{one.log_bytes / 1e6:.1f}",
                *(_compared(one, figure) for figure in (attrgetter("ms"), attrgetter("cpu_ms"), attrgetter("peak_mb"))),
                f"{median(later.ms for later in one.laters):.0f}",
            )
            for one in seen
        ],
        f"What a viewer is sent: {size_mb:.2f} MB; decoding it in Python takes {decode_ms:.0f} ms.",
    )


def _compared(seen: Seen, figure: Callable[[Opening], float]) -> str:
    without, with_one = median(map(figure, seen.without)), median(map(figure, seen.with_one))
    return f"{without:.0f} → {with_one:.0f} ({with_one / without:.2f})"


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(Path(folder)))
