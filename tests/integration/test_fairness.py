"""A conductor, a writer with few slots, a real bus: a large document does not stand in the way of a small one."""

from __future__ import annotations

import contextlib
from uuid import uuid4

from schemas.events import AttemptStarted, CellCompleted, DocumentCreated
from schemas.values import Policy, Section
from services.conductor.core import CELLS_QUEUED_MAX
from tests.far import far_of
from tests.integration.conftest import BusFactory
from tests.simulators import simulator
from tests.writers import Desk, service

SLOTS = 4
LARGE, SMALL = 120, 8
UNWATCHED = Policy(on_last_viewer_left="continue")


def outline(number: int) -> tuple[Section, ...]:
    return tuple(Section(id=f"p{n}", heading=f"Ink {n}", instructions="How was it made?") for n in range(number))


async def test_a_small_document_waits_for_a_few_jobs_of_a_large_one_and_no_more(
    bus: BusFactory, nats_server: str
) -> None:
    operator = await bus("operator")
    large, small = Desk(operator, uuid4().hex), Desk(operator, uuid4().hex)
    with contextlib.ExitStack() as stack:
        model = stack.enter_context(simulator())
        async with far_of(model) as far:
            await far.turn(pace="fixed", first_token_ms=20, token_interval_ms=0)
        stack.enter_context(service("conductor", nats_server, model))
        stack.enter_context(service("writer", nats_server, model, {"SCRIPTORIUM_WRITER__SLOTS": str(SLOTS)}))
        await large.create(*outline(LARGE), policy=UNWATCHED)
        await large.until(lambda d: len(d.heard(CellCompleted)) > SLOTS)
        await small.create(*outline(SMALL), policy=UNWATCHED)
        await small.until(lambda d: len(d.heard(CellCompleted)) == SMALL)
        begun = [sequence async for sequence, fact in small.log() if isinstance(fact, AttemptStarted)]
        came = [sequence async for sequence, fact in small.log() if isinstance(fact, DocumentCreated)]
        # Both logs are in one stream, whose sequence orders them.
        others = [
            sequence
            async for sequence, fact in large.log()
            if isinstance(fact, AttemptStarted) and came[0] < sequence < max(begun)
        ]
    await large.close()
    await small.close()
    assert len(large.heard(CellCompleted)) < LARGE
    assert len(others) <= CELLS_QUEUED_MAX + SLOTS
