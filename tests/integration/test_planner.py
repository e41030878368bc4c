"""A planner process, a real bus, a real simulator over HTTP; the test is the conductor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import httpx2
import pytest

from schemas.events import AttemptCancelled, AttemptFailed, CallSettled, CellFailed, OutlinePlanned
from schemas.outline import check_outline
from services.shared.bus import Bus
from tests.integration.conftest import BusFactory
from tests.simulators import simulator
from tests.writers import Desk, service


@pytest.fixture
def model() -> Iterator[str]:
    with simulator() as address:
        yield address


@pytest.fixture
async def operator(bus: BusFactory) -> Bus:
    return await bus("operator")


@pytest.fixture
async def desk(operator: Bus) -> AsyncIterator[Desk]:
    desk = Desk(operator, uuid4().hex)
    await desk.create(brief="How books were copied, in four sections.")
    yield desk
    await desk.close()


async def turn(model: str, **dials: float | str) -> None:
    async with httpx2.AsyncClient(base_url=model, trust_env=False) as http:
        fast: dict[str, float | str] = {"pace": "fixed", "first_token_ms": 30, "token_interval_ms": 1}
        (await http.patch("/dials", json={"dials": fast | dials})).raise_for_status()


async def test_an_outline_is_planned_and_can_be_written(desk: Desk, nats_server: str, model: str) -> None:
    await turn(model)
    with service("planner", nats_server, model):
        await desk.plan()
        await desk.until(lambda d: d.heard(CallSettled))
    document = await desk.folded()
    assert check_outline(document.outline) == []
    assert len(document.outline) == 4
    assert document.outline[-1].depends_on
    (bill,) = desk.heard(CallSettled)
    assert bill.exact


async def test_a_malformed_outline_goes_back_once_and_then_fails_plainly(
    desk: Desk, nats_server: str, model: str
) -> None:
    await turn(model, malformed=1)
    with service("planner", nats_server, model):
        await desk.plan()
        await desk.until(lambda d: d.heard(CellFailed))
    (failed,) = desk.heard(CellFailed)
    assert (failed.cell, failed.kind) == ("outline", "bad_outline")
    assert [fact.kind for fact in desk.heard(AttemptFailed)] == ["bad_outline", "bad_outline"]
    assert not desk.heard(OutlinePlanned)


async def test_a_planner_that_is_told_to_end_closes_its_call_and_another_plans(
    desk: Desk, nats_server: str, model: str
) -> None:
    await turn(model, token_interval_ms=200)
    with service("planner", nats_server, model) as first:
        await desk.plan()
        await desk.until(lambda d: (d.facts and d.facts[-1].__class__.__name__) == "AttemptStarted")
        with service("planner", nats_server, model):
            await turn(model)
            first.terminate()
            assert first.wait(5) == 0
            await desk.until(lambda d: d.heard(OutlinePlanned))
    (receipt,) = desk.heard(AttemptCancelled)
    assert receipt.reason == "writer_stopping"
