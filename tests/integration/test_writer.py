"""A writer process, a real bus, a real simulator over HTTP; the test is the conductor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from schemas import subjects
from schemas.document import Completed
from schemas.events import (
    AttemptCancelled,
    CallSettled,
    CellCompleted,
    TextAppended,
    decode_ink,
)
from schemas.values import Section
from services.shared.bus import Bus
from tests.integration.conftest import BusFactory
from tests.simulators import simulator
from tests.writers import PATIENCE_S, Desk, service

FAST = {"pace": "fixed", "first_token_ms": 30, "token_interval_ms": 3}
SLOW = {"pace": "fixed", "first_token_ms": 100, "token_interval_ms": 200}
SECTION = Section(id="rooms", heading="The room", instructions="Say how books were copied, in three sentences.")


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with simulator() as address:
        yield address


class Far:
    """The simulator's own view, and its dials."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def turn(self, model: str = "*", **dials: Any) -> None:
        (await self._http.patch("/dials", json={"model": model, "dials": dials})).raise_for_status()

    async def calls(self, document: str) -> list[dict[str, Any]]:
        return (await self._http.get("/record", params={"document": document})).json()

    async def until_closed(self, document: str) -> list[dict[str, Any]]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                calls = await self.calls(document)
                if all(call["ended"] != "open" for call in calls):
                    return calls


@pytest.fixture
async def far(model: str) -> AsyncIterator[Far]:
    async with httpx2.AsyncClient(base_url=model, trust_env=False) as http:
        await http.delete("/dials")
        far = Far(http)
        await far.turn(**FAST)
        yield far


@pytest.fixture
async def operator(bus: BusFactory) -> Bus:
    return await bus("operator")


@pytest.fixture
async def desk(operator: Bus) -> AsyncIterator[Desk]:
    desk = Desk(operator, uuid4().hex)
    yield desk
    await desk.close()


@pytest.fixture
def writer(operator: Bus, nats_server: str, model: str, far: Far) -> Iterator[Any]:
    del operator, far  # Streams and dials come first.
    with service("writer", nats_server, model) as process:
        yield process


async def test_a_cell_is_written_streamed_checked_and_paid_for(desk: Desk, writer: Any, far: Far) -> None:
    del writer
    ink: list[TextAppended] = []
    subscription = await desk.bus.client.subscribe(subjects.live_ink(desk.id))
    await desk.create(SECTION)
    await desk.ask("rooms")
    await desk.until(lambda d: d.heard(CallSettled))
    async with asyncio.timeout(PATIENCE_S):
        (done,) = desk.heard(CellCompleted)
        assert isinstance(done, CellCompleted)
        while sum(len(piece.text) for piece in ink) < len(done.text):
            ink.append(decode_ink((await subscription.next_msg()).data))
    assert "".join(piece.text for piece in ink) == done.text
    assert [piece.offset for piece in ink] == [len(done.text[: piece.offset]) for piece in ink]
    assert done.citations
    assert all(citation.verified for citation in done.citations)
    (settled,) = desk.heard(CallSettled)
    assert isinstance(settled, CallSettled)
    assert settled.exact
    assert settled.outcome == "finished"
    document = await desk.folded()
    assert isinstance(document.cells["rooms"].state, Completed)
    assert not document.open_calls
    (call,) = await far.until_closed(desk.id)
    assert call["ended"] == "finished"
    assert call["attempt"] == "1001001"


async def test_a_stop_while_streaming_closes_the_call_and_leaves_a_receipt(desk: Desk, writer: Any, far: Far) -> None:
    del writer
    await far.turn(**SLOW)
    subscription = await desk.bus.client.subscribe(subjects.live_ink(desk.id))
    await desk.create(SECTION)
    await desk.ask("rooms")
    await subscription.next_msg(timeout=PATIENCE_S)
    await desk.pause()
    await desk.until(lambda d: d.heard(AttemptCancelled))
    (receipt,) = desk.heard(AttemptCancelled)
    assert isinstance(receipt, AttemptCancelled)
    assert receipt.reason == "stopped"
    assert receipt.calls_closed == 1
    assert receipt.characters > 0
    assert receipt.tokens_saved > 0
    (call,) = await far.until_closed(desk.id)
    assert call["ended"] == "client_gone"
    document = await desk.folded()
    assert document.stop is not None
    assert document.stop.calls_closed == 1
    assert not document.open_calls
