"""Takes a job to its end: looks whether it is wanted, has its prompt made, and runs a session for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from schemas.attempts import DELIVERIES_MAX as DELIVERIES_NUMBERED_MAX
from schemas.attempts import TRIES_MAX, attempt_number
from schemas.document import Document
from schemas.events import CellFailed
from schemas.values import ErrorKind
from services.shared.attempt.asking import Work
from services.shared.attempt.cache import Flight, Question
from services.shared.attempt.documents import Documents, Followed
from services.shared.attempt.errors import ERRORS
from services.shared.attempt.look import Ask, Verdict, look
from services.shared.attempt.models import Models
from services.shared.attempt.plan import Plan, Release
from services.shared.attempt.session import Session
from services.shared.attempt.tally import CHARACTERS_PER_TOKEN_MIN
from services.shared.bus import Bus
from services.shared.clock import monotonic_ms, now_ms
from services.shared.log import append

DELIVERIES_MAX = 5
"""A job that was delivered more often has killed whoever took it."""
LOST_MS_MAX = 5_000
"""So long without the bus, and nobody knows any more what is wanted: model connections are closed."""
LOST_LOOK_S = 0.25


class Prepared(msgspec.Struct, frozen=True):
    """The work of a job, and within which limits."""

    work: Work
    chain: tuple[str, ...]
    tokens_out_max: int
    structured: ErrorKind | None = None
    """As in `Plan`."""
    question: Question | None = None
    """What its answer is kept under; None: nowhere."""


class Purpose(Protocol):
    """What a service makes of a job."""

    async def prepare(self, document: Document, ask: Ask) -> Prepared | None:
        """Make the prompt. None: there is nothing to write."""
        ...


class Runner:
    """All deliveries of one process."""

    def __init__(self, bus: Bus, models: Models, purpose: Purpose, name: str) -> None:
        self.sessions: set[Session] = set()
        self._bus = bus
        self._models = models
        self._purpose = purpose
        self._name = name
        self._documents = Documents(bus)
        self._forget: Callable[[], None] = bus.on_reconnected(self._ink_again)
        self._watch = asyncio.create_task(self._watch_bus(), name="watch the bus")

    async def run(self, ask: Ask, delivery: int) -> Release:
        """Work on one delivery; what is to become of the job."""
        async with self._documents.hold(ask.document) as followed:
            verdict = await self._looked(followed, ask, delivery)
            document = followed.document
            if verdict == "behind" or document is None:
                return "ack"  # A job that no log knows of.
            if verdict != "go":
                return verdict
            prepared = await self._purpose.prepare(document, ask)
            if prepared is None:
                return "ack"
            plan = self._plan(document, ask, delivery, prepared)
            flight = None if prepared.question is None else Flight(self._bus, prepared.question, self._name)
            session = Session(self._bus, self._models, followed, ask, plan, prepared.work, flight)
            self.sessions.add(session)
            try:
                return await session.run()
            finally:
                self.sessions.discard(session)

    async def bury(self, ask: Ask) -> None:
        """Say in the log that a job is given up because it kills whoever takes it."""
        message = ERRORS["poison"].reads
        fact = CellFailed(
            at_ms=now_ms(), cell=ask.cell, revision=ask.revision, job=ask.job, kind="poison", message=message
        )
        await append(self._bus, ask.document, fact)

    def stop(self) -> None:
        """The process ends: close every call, at once."""
        for session in tuple(self.sessions):
            session.stop_for("writer_stopping")

    async def close(self) -> None:
        """Follow nothing any more. Sessions are over."""
        self._watch.cancel()
        self._forget()
        await self._documents.close()
        await self._models.close()

    async def _looked(self, followed: Followed, ask: Ask, delivery: int) -> Verdict:
        if delivery > DELIVERIES_NUMBERED_MAX:
            return "ack"
        attempt = attempt_number(ask.job, delivery, TRIES_MAX)
        verdict = look(followed.document, ask, attempt)
        if verdict == "behind":
            # A job is put on the queue after the fact that it is wanted, but the two come by different ways.
            await followed.tail.refresh()
            verdict = look(followed.document, ask, attempt)
        return verdict

    def _plan(self, document: Document, ask: Ask, delivery: int, prepared: Prepared) -> Plan:
        cell_s = self._models.limits.cell_s
        if document.policy.cell_deadline_s is not None:
            cell_s = min(document.policy.cell_deadline_s, cell_s)
        characters = sum(len(message.content) for message in prepared.work.messages)
        return Plan(
            cell=ask.cell,
            revision=ask.revision,
            job=ask.job,
            delivery=delivery,
            writer=self._name,
            chain=prepared.chain,
            deadline_ms=min(ask.deadline_ms, now_ms() + cell_s * 1_000),
            tokens_in_max=-(-characters // CHARACTERS_PER_TOKEN_MIN),
            tokens_out_max=prepared.tokens_out_max,
            tries_max=self._models.limits.tries_max,
            prices=self._models.registry.prices,
            structured=prepared.structured,
        )

    async def _ink_again(self) -> None:
        for session in tuple(self.sessions):
            await session.ink_again()

    async def _watch_bus(self) -> None:
        while True:
            await asyncio.sleep(LOST_LOOK_S)
            lost_at_ms = self._bus.lost_at_ms
            if lost_at_ms is not None and monotonic_ms() - lost_at_ms > LOST_MS_MAX:
                for session in tuple(self.sessions):
                    session.stop_for("bus_lost")
