"""For tests of writer and planner: the real services as processes, and what a conductor would write and ask."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from schemas import jobs, subjects
from schemas.cells import text_digest
from schemas.document import Document
from schemas.events import (
    AnyFact,
    CellQueued,
    CellStopped,
    DocumentCreated,
    DocumentPaused,
    Fact,
    SourceIngested,
    decode_fact,
)
from schemas.jobs import PlanOutline, WriteCell
from schemas.passages import Passage, Passages
from schemas.values import Lane, Policy, Section, SourceGiven
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import append, read
from services.shared.opening import read_document
from services.shared.sources import SourceStore
from services.shared.tail import DocumentTail

F = TypeVar("F", bound=Fact)
PATIENCE_S = 60.0
SENTENCES = (
    "A scriptorium was a room in a monastery where scribes copied books by hand.",
    "Each scribe copied one part, so that a whole book was finished in a fraction of the time.",
    "The parts were bound into one volume when the ink had dried.",
    "A corrector compared every copied page with its exemplar and marked the errors in the margin.",
    "Ink was made from oak galls and iron, and it darkened as it dried.",
)


@contextmanager
def service(
    name: str, nats: str, simulator: str, environment: Mapping[str, str] | None = None
) -> Generator[subprocess.Popen[str]]:
    """A service as its own process, ready; ended by SIGTERM."""
    settings = {
        "SCRIPTORIUM_BUS__URL": nats,
        "SCRIPTORIUM_PROVIDERS": msgspec.json.encode(
            {"simulator": {"base_url": f"{simulator}/v1", "send_ids": True}}
        ).decode(),
        **(environment or {}),
    }
    process = subprocess.Popen(  # noqa: S603 -- our own module
        [sys.executable, "-m", f"services.{name}"],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == f"{name} ready"
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
        process.stdout.close()


class Desk:
    """A document, seen and driven as a conductor would."""

    def __init__(self, bus: Bus, document: str) -> None:
        self.bus = bus
        self.id = document
        self.facts: list[AnyFact] = []
        self._tail = DocumentTail(bus, document)
        self._moved = asyncio.Event()

    async def create(
        self, *outline: Section, policy: Policy | None = None, brief: str = "How books were copied."
    ) -> None:
        """A document with one source that is read."""
        text = "\n".join(SENTENCES)
        starts = [text.index(sentence) for sentence in SENTENCES]
        found = Passages(
            source="s1",
            name="Scriptoria",
            digest=text_digest(text),
            text=text,
            passages=tuple(
                Passage(number=n, start=start, end=start + len(sentence), text=sentence)
                for n, (start, sentence) in enumerate(zip(starts, SENTENCES, strict=True), start=1)
            ),
        )
        await (await SourceStore.open(self.bus)).put_passages(self.id, "0" * 64, found)
        given = SourceGiven(id="s1", name="Scriptoria", media_type="text/plain", size_bytes=len(text), digest="0" * 64)
        await self.say(
            DocumentCreated(
                at_ms=now_ms(),
                title="Scriptoria",
                brief=brief,
                policy=policy or Policy(),
                sources=(given,),
                outline=outline,
            ),
            SourceIngested(
                at_ms=now_ms(), source="s1", digest=found.digest, passages=len(SENTENCES), characters=len(text)
            ),
        )
        self._tail.listen(self._heard)
        await self._tail.start()

    async def close(self) -> None:
        await self._tail.stop()

    async def say(self, *facts: AnyFact) -> None:
        for fact in facts:
            await append(self.bus, self.id, fact)

    async def ask(  # noqa: PLR0913 -- each is one thing, given by name
        self,
        cell: str,
        *,
        job: int = 1,
        revision: int = 1,
        input_digest: str | None = None,
        lane: Lane = "interactive",
        deadline_in_ms: int = 60_000,
    ) -> None:
        """Queue a cell."""
        digest, deadline_ms = input_digest or f"{cell}-{job}", now_ms() + deadline_in_ms
        await self.want(cell, job=job, revision=revision, input_digest=digest, lane=lane, deadline_ms=deadline_ms)
        work = WriteCell(document=self.id, lane=lane, deadline_ms=deadline_ms, cell=cell, revision=revision, job=job)
        await self.bus.js.publish(subjects.job(lane, "write", self.id, cell), jobs.encode(work))

    async def want(self, cell: str, **more: Any) -> None:
        """Say that a cell is wanted, and put nothing on the queue."""
        wanted: dict[str, Any] = {
            "job": 1,
            "revision": 1,
            "lane": "interactive",
            "deadline_ms": now_ms() + 60_000,
            **more,
        }
        await self.say(CellQueued(at_ms=now_ms(), cell=cell, **wanted))

    async def plan(self) -> None:
        """Queue the outline."""
        deadline_ms = now_ms() + 60_000
        await self.say(
            CellQueued(
                at_ms=now_ms(),
                cell="outline",
                revision=1,
                job=1,
                input_digest="plan",
                lane="interactive",
                deadline_ms=deadline_ms,
            )
        )
        work = PlanOutline(document=self.id, lane="interactive", deadline_ms=deadline_ms, revision=1, job=1)
        await self.bus.js.publish(subjects.job("interactive", "plan", self.id, "outline"), jobs.encode(work))

    async def pause(self) -> None:
        """Stop."""
        at_ms = now_ms()
        await self.say(DocumentPaused(at_ms=at_ms, reason="stop_asked", asked_at_ms=at_ms))

    async def stop_cell(self, cell: str, job: int = 1) -> None:
        """Stop it alone."""
        at_ms = now_ms()
        await self.say(CellStopped(at_ms=at_ms, cell=cell, job=job, asked_at_ms=at_ms))

    def heard(self, kind: type[F], cell: str | None = None) -> list[F]:
        """The facts of one kind so far."""
        return [fact for fact in self.facts if isinstance(fact, kind) and cell in {None, getattr(fact, "cell", None)}]

    def listen(self, listener: Callable[[AnyFact], None]) -> Callable[[], None]:
        """Call `listener` for each further fact; returns what ends that."""
        return self._tail.listen(listener)

    async def until(self, holds: Callable[[Desk], object]) -> None:
        """Wait for something to hold of the facts so far."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not holds(self):
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise AssertionError([replace(f, text="…") if hasattr(f, "text") else f for f in self.facts]) from None

    async def folded(self) -> Document:
        """The document as its log has it."""
        document = await read_document(self.bus, self.id)
        assert document is not None
        return document

    async def log(self) -> AsyncIterator[tuple[int, AnyFact]]:
        """Every fact of its log, with its sequence."""
        async for stored in read(self.bus.client, subjects.FACTS, subjects.facts_stored(self.id)):
            yield stored.sequence, decode_fact(stored.data)

    def _heard(self, fact: AnyFact) -> None:
        self.facts.append(fact)
        self._moved.set()
