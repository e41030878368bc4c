"""Conductors as processes, a real bus, and a writer that is as quick as it can be."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig

from schemas import commands, jobs, streams, subjects
from schemas.attempts import attempt_number, job_of
from schemas.cells import text_digest, text_of
from schemas.commands import ResumeDocument, StopDocument
from schemas.document import Document, Done, Paused, Running
from schemas.events import (
    PLAN_CELL,
    AnyFact,
    AttemptStarted,
    CellCompleted,
    DocumentCreated,
    OutlinePlanned,
    SourceIngested,
    decode_fact,
    queued_in,
)
from schemas.jobs import IngestSource, PlanOutline, WriteCell
from schemas.values import Policy, Section, SourceGiven
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import append, read
from services.shared.tail import DocumentTail
from tests.integration.conftest import BusFactory, NatsServer

PATIENCE_S = 60.0
OUTLINE = (
    Section(id="a", heading="A"),
    Section(id="b", heading="B"),
    Section(id="c", heading="C", depends_on=("a", "b")),
)
CELLS = {"a", "b", "c"}
Conductors = Callable[[], Awaitable[asyncio.subprocess.Process]]
Until = Callable[[Callable[[Document], bool]], Awaitable[Document]]


@pytest.fixture
async def conductor(nats_server: str) -> AsyncIterator[Conductors]:
    """Start one more replica; returns when it is ready."""
    started: list[asyncio.subprocess.Process] = []

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.conductor",
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "SCRIPTORIUM_BUS__URL": nats_server},
        )
        started.append(process)
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            assert await process.stdout.readline() == b"conductor ready\n"
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Writer:
    """Takes every job, does it at once unless it is held back, and remembers it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.jobs: Counter[tuple[str, str, int]] = Counter()
        self.may_finish = asyncio.Event()
        self.may_finish.set()
        self.taken = asyncio.Condition()
        self._working: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        pull = await self._bus.js.pull_subscribe(
            "job.>", "writers", stream=subjects.JOBS, config=ConsumerConfig(max_ack_pending=-1)
        )
        while True:
            try:
                messages = await pull.fetch(100, timeout=1)
            except (TimeoutError, NatsError):  # nats-py raises both kinds of TimeoutError here.
                continue
            for message in messages:
                job = jobs.decode(message.data)
                delivery = message.metadata.num_delivered
                task = asyncio.create_task(self._write(job, delivery))
                self._working.add(task)
                task.add_done_callback(self._working.discard)
                await message.ack()
                async with self.taken:
                    self.taken.notify_all()

    async def _write(self, job: jobs.AnyJob, delivery: int) -> None:
        document = job.document
        match job:
            case IngestSource(source=source):
                self.jobs[document, source, 1] += 1
                read = SourceIngested(at_ms=now_ms(), source=source, digest="d", passages=1, characters=1)
                await append(self._bus, document, read)
                return
            case PlanOutline():
                cell = PLAN_CELL
            case WriteCell():
                cell = job.cell
        self.jobs[document, cell, job.job] += 1
        attempt = attempt_number(job.job, delivery, 1)
        await append(
            self._bus, document, AttemptStarted(at_ms=now_ms(), cell=cell, attempt=attempt, writer="w", model="m")
        )
        await self.may_finish.wait()
        text = f"{cell} of {document}"
        done = (
            OutlinePlanned(at_ms=now_ms(), attempt=attempt, sections=OUTLINE)
            if isinstance(job, PlanOutline)
            else CellCompleted(
                at_ms=now_ms(),
                cell=cell,
                revision=job.revision,
                attempt=attempt,
                text=text,
                output_digest=text_digest(text),
            )
        )
        await append(self._bus, document, done)


@asynccontextmanager
async def _writing(bus: Bus) -> AsyncGenerator[Writer]:
    writer = Writer(bus)
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _following(bus: Bus, document: str) -> AsyncGenerator[Until]:
    tail = DocumentTail(bus, document)
    moved = asyncio.Event()
    tail.listen(lambda _: moved.set())
    await tail.start()

    async def until(wanted: Callable[[Document], bool]) -> Document:
        async with asyncio.timeout(PATIENCE_S):
            while tail.document is None or not wanted(tail.document):
                moved.clear()
                await moved.wait()
            return tail.document

    try:
        yield until
    finally:
        await tail.stop()


async def _create(
    bus: Bus, document: str, outline: tuple[Section, ...] = OUTLINE, policy: Policy | None = None
) -> None:
    fact = DocumentCreated(
        at_ms=now_ms(), title="T", brief="B", policy=policy or Policy(grace_ms="never"), outline=outline
    )
    await append(bus, document, fact, 0)


async def _facts(bus: Bus, document: str) -> list[AnyFact]:
    stored = read(bus.client, subjects.FACTS, subjects.facts_stored(document))
    return [decode_fact(message.data) async for message in stored]


async def _command(bus: Bus, wish: commands.AnyCommand) -> None:
    await bus.js.publish(subjects.command(wish.document), commands.encode(wish))


async def _lease(bus: Bus, document: str, gateway: str = "g1") -> None:
    key = subjects.kv(subjects.VIEWERS, subjects.viewer_key(document, gateway))
    await bus.js.publish(key, b"1", msg_ttl=streams.LEASE_TTL_S)


async def _leave(bus: Bus, document: str, gateway: str = "g1") -> None:
    key = subjects.kv(subjects.VIEWERS, subjects.viewer_key(document, gateway))
    await bus.js.publish(key, b"", headers={"KV-Operation": "DEL"}, msg_ttl=streams.LEASE_TTL_S)


def _is_done(document: Document) -> bool:
    return isinstance(document.run, Done)


def _is_paused(document: Document) -> bool:
    return isinstance(document.run, Paused)


def _is_running(document: Document) -> bool:
    return isinstance(document.run, Running)


def _is_writing(*cells: str, job: int = 1) -> Callable[[Document], bool]:
    return lambda document: all(
        cell in document.cells and job_of(document.cells[cell].attempt) == job for cell in cells
    )


# -----------------------------------------------------------------------------------------------------------------------


async def test_a_document_is_read_planned_written_and_completed(bus: BusFactory, conductor: Conductors) -> None:
    here = await bus("operator")
    await conductor()
    source = SourceGiven(id="s1", name="one", media_type="text/plain", size_bytes=1, digest="x")
    created = DocumentCreated(at_ms=now_ms(), title="T", brief="B", policy=Policy(grace_ms="never"), sources=(source,))
    async with _writing(here) as writer, _following(here, "d1") as until:
        await append(here, "d1", created, 0)
        document = await until(_is_done)
        assert document.sources["s1"].digest == "d"
        assert {cell: text_of(document.cells, cell) for cell in CELLS} == {cell: f"{cell} of d1" for cell in CELLS}
        assert set(writer.jobs.values()) == {1}
        assert {cell for _, cell, _ in writer.jobs} == {"s1", PLAN_CELL, *CELLS}


async def test_two_conductors_queue_every_cell_once_although_one_of_them_is_killed(
    bus: BusFactory, conductor: Conductors
) -> None:
    here = await bus("operator")
    victim, _ = await asyncio.gather(conductor(), conductor())
    names = [f"d{n}" for n in range(30)]
    async with _writing(here) as writer:
        for name in names[:15]:
            await _create(here, name)
        async with writer.taken:
            await writer.taken.wait_for(lambda: len(writer.jobs) > 20)
        victim.send_signal(signal.SIGKILL)
        for name in names[15:]:
            await _create(here, name)
        for name in names:
            async with _following(here, name) as until:
                await until(_is_done)
        for name in names:
            queued = [one.cell for fact in await _facts(here, name) for one in queued_in(fact)]
            assert sorted(queued) == ["a", "b", "c"], name
        assert writer.jobs == Counter({(name, cell, 1): 1 for name in names for cell in CELLS})


async def test_a_document_that_is_stopped_queues_nothing_until_it_is_resumed(
    bus: BusFactory, conductor: Conductors
) -> None:
    here = await bus("operator")
    await conductor()
    async with _writing(here) as writer, _following(here, "d1") as until:
        writer.may_finish.clear()
        await _create(here, "d1")
        await until(_is_writing("a", "b"))
        await _command(here, StopDocument(document="d1", asked_at_ms=now_ms()))
        document = await until(_is_paused)
        assert isinstance(document.run, Paused)
        assert document.run.reason == "stop_asked"
        await _command(here, ResumeDocument(document="d1", asked_at_ms=now_ms()))
        await until(_is_writing("a", "b", job=2))
        writer.may_finish.set()
        await until(_is_done)
        facts = [type(fact).__name__ for fact in await _facts(here, "d1")]
        paused, resumed = facts.index("DocumentPaused"), facts.index("DocumentResumed")
        assert not {"CellQueued", "CellsQueued"} & {*facts[paused:resumed]}
        assert writer.jobs == Counter({("d1", cell, job): 1 for cell in "ab" for job in (1, 2)} | {("d1", "c", 1): 1})


async def test_with_no_grace_the_last_viewer_leaving_pauses_and_the_next_one_coming_resumes(
    bus: BusFactory, conductor: Conductors
) -> None:
    here = await bus("operator")
    await asyncio.gather(conductor(), conductor())
    async with _writing(here) as writer, _following(here, "d1") as until:
        writer.may_finish.clear()
        await _create(here, "d1", policy=Policy(grace_ms=0))
        await _lease(here, "d1", "g1")
        await _lease(here, "d1", "g2")
        await until(_is_writing("a", "b"))
        await _leave(here, "d1", "g1")
        await _command(here, ResumeDocument(document="d1", asked_at_ms=now_ms()))  # Changes nothing: it runs.
        await _leave(here, "d1", "g2")
        document = await until(_is_paused)
        assert isinstance(document.run, Paused)
        assert document.run.reason == "last_viewer_left"
        await _lease(here, "d1", "g1")
        await until(_is_running)
        writer.may_finish.set()
        await until(_is_done)
        facts = [type(fact).__name__ for fact in await _facts(here, "d1")]
        assert facts.count("DocumentPaused") == facts.count("DocumentResumed") == 1


async def test_the_viewers_of_a_gateway_that_was_killed_are_gone_when_its_lease_has_run_out(
    bus: BusFactory, conductor: Conductors
) -> None:
    here = await bus("operator")
    await conductor()
    async with _writing(here) as writer, _following(here, "d1") as until:
        writer.may_finish.clear()
        await _create(here, "d1", policy=Policy(grace_ms=0))
        leased_ms = now_ms()
        await _lease(here, "d1")
        document = await until(_is_paused)
        assert isinstance(document.run, Paused)
        assert document.run.at_ms - leased_ms >= streams.LEASE_TTL_S * 1_000


async def test_documents_are_completed_although_the_bus_is_killed_under_them(
    bus: BusFactory, conductor: Conductors, server: NatsServer
) -> None:
    here = await bus("operator")
    await conductor()
    async with _writing(here) as writer, _following(here, "d1") as until:
        writer.may_finish.clear()
        await _create(here, "d1")
        await until(_is_writing("a", "b"))
        server.kill()
        server.start()
        writer.may_finish.set()
        document = await until(_is_done)
        assert all(document.cells[cell].completed for cell in CELLS)
        assert {job for _, _, job in writer.jobs} == {1}
    assert (await here.js.stream_info(subjects.INK)).config.name == subjects.INK


async def test_a_document_created_while_no_conductor_ran_is_found_by_the_first_one(
    bus: BusFactory, conductor: Conductors
) -> None:
    here = await bus("operator")
    await _create(here, "d1")
    await conductor()
    async with _writing(here), _following(here, "d1") as until:
        await until(_is_done)


async def test_what_no_conductor_could_have_written_stops_nobody_else(bus: BusFactory, conductor: Conductors) -> None:
    here = await bus("operator")
    await conductor()
    for n in range(30):  # Every partition gets some.
        await here.js.publish(subjects.facts(f"bad{n}"), b"no fact")
        await here.js.publish(subjects.command(f"bad{n}"), b"no wish")
    async with _writing(here), _following(here, "d1") as until:
        await _create(here, "d1")
        await until(_is_done)
    async with _following(here, "d2") as until:
        await _create(here, "d2", policy=Policy(grace_ms="never"))
        await _command(here, StopDocument(document="d2", asked_at_ms=now_ms()))
        await until(_is_paused)


async def test_sigterm_ends_a_conductor_cleanly(bus: BusFactory, conductor: Conductors) -> None:
    here = await bus("operator")
    process = await conductor()
    async with _writing(here) as writer:
        writer.may_finish.clear()
        await _create(here, "d1")
        async with writer.taken:
            await writer.taken.wait_for(lambda: bool(writer.jobs))
        process.terminate()
        async with asyncio.timeout(10):
            assert await process.wait() == 0
