"""A huge document and a small one share one queue, first come, first served: counted in jobs, not in time."""

from __future__ import annotations

import random
from collections import deque
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attempts import attempt_number
from schemas.cells import text_digest
from schemas.document import Document
from schemas.events import AnyFact, AttemptStarted, CellCompleted, DocumentCreated, SourceIngested
from schemas.fold import created, fold
from schemas.jobs import WriteCell
from schemas.values import Column, Policy, Section, SourceGiven
from services.conductor.core import CELLS_QUEUED_MAX, Situation, decide

NOW = 1_000_000
SMALL_CELLS = 8
COLUMNS = 50


class Ticket(NamedTuple):
    """A job on the queue."""

    name: str
    job: WriteCell


class House:
    """Documents by name, one queue, and writers with so many slots between them."""

    def __init__(self, slots: int, seed: int) -> None:
        self.documents: dict[str, Document] = {}
        self.begun: list[str] = []
        """The document of each job that was begun, in order."""
        self._slots = slots
        self._rng = random.Random(seed)  # noqa: S311 -- a schedule, not a secret
        self._queue: deque[Ticket] = deque()
        self._published: set[tuple[str, str, int]] = set()
        self._running: list[Ticket] = []

    def create(self, name: str, cells: int) -> None:
        rows = -(-cells // COLUMNS) if cells > COLUMNS else 0
        sources = tuple(
            SourceGiven(id=f"s{n}", name="n", media_type="text/plain", size_bytes=1, digest="x") for n in range(rows)
        )
        columns = tuple(Column(id=f"q{n}", heading="?") for n in range(COLUMNS))
        table = (Section(id="t", heading="T", columns=columns),)
        prose = tuple(Section(id=f"p{n}", heading="P") for n in range(cells))
        first = DocumentCreated(
            at_ms=NOW,
            title="T",
            brief="B",
            policy=Policy(on_last_viewer_left="continue"),
            sources=sources,
            outline=table if rows else prose,
        )
        self.documents[name] = created(name, first, 1)
        for source in sources:
            self._fold(name, SourceIngested(at_ms=NOW, source=source.id, digest="d", passages=1, characters=1))
        self._settle(name)

    def step(self) -> None:
        """A writer takes the first job of the queue, or ends one that it has."""
        if self._queue and len(self._running) < self._slots and (not self._running or self._rng.random() < 0.6):
            ticket = self._queue.popleft()
            self._running.append(ticket)
            self.begun.append(ticket.name)
            self._tell(ticket, done=False)
        elif self._running:
            self._tell(self._running.pop(self._rng.randrange(len(self._running))), done=True)

    def _tell(self, ticket: Ticket, *, done: bool) -> None:
        cell, attempt = ticket.job.cell, attempt_number(ticket.job.job, 1, 1)
        if done:
            digest = text_digest("text")
            revision = ticket.job.revision
            fact: AnyFact = CellCompleted(
                at_ms=NOW, cell=cell, revision=revision, attempt=attempt, text="text", output_digest=digest
            )
        else:
            fact = AttemptStarted(at_ms=NOW, cell=cell, attempt=attempt, writer="w", model="m")
        self._fold(ticket.name, fact)
        self._settle(ticket.name)

    def _fold(self, name: str, fact: AnyFact) -> None:
        document = self.documents[name]
        self.documents[name] = fold(document, fact, document.sequence + 1)

    def _settle(self, name: str) -> None:
        """As its conductor does: facts until none is missing, and each job onto the queue once."""
        while True:
            decision = decide(self.documents[name], Situation(now_ms=NOW))
            for job in decision.jobs:
                assert isinstance(job, WriteCell)
                if (name, job.cell, job.job) not in self._published:
                    self._published.add((name, job.cell, job.job))
                    self._queue.append(Ticket(name, job))
            if not decision.facts:
                return
            for fact in decision.facts:
                self._fold(name, fact)


def delay(cells: int, slots: int, before: int, seed: int) -> int:
    """Jobs of a huge document that are begun between the coming of a small one and the beginning of its last job."""
    house = House(slots, seed)
    house.create("huge", cells)
    for _ in range(before):
        house.step()
    came = len(house.begun)
    house.create("small", SMALL_CELLS)
    while house.begun.count("small") < SMALL_CELLS:
        house.step()
    return house.begun[came:].count("huge")


@settings(max_examples=25)
@given(slots=st.integers(1, 40), before=st.integers(0, 90), seed=st.integers(0, 2**32 - 1))
def test_a_large_document_begins_no_more_than_a_few_jobs_before_a_small_one_s(
    slots: int, before: int, seed: int
) -> None:
    assert delay(150, slots, before, seed) <= CELLS_QUEUED_MAX


@pytest.mark.parametrize("slots", [4, 16])
def test_neither_does_one_of_two_thousand_cells(slots: int) -> None:
    assert delay(2_000, slots, before=60, seed=1) <= CELLS_QUEUED_MAX


def test_several_large_ones_take_turns_with_each_other() -> None:
    house = House(slots=16, seed=1)
    names = ("one", "two", "three")
    for name in names:
        house.create(name, 150)
    for _ in range(150):
        house.step()
    counts = [house.begun.count(name) for name in names]
    assert max(counts) - min(counts) <= CELLS_QUEUED_MAX
