"""A writer process, a real bus, a real simulator over HTTP; the test is the conductor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from msgspec.structs import replace

from schemas import subjects
from schemas.document import Completed
from schemas.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    CallSettled,
    CellCompleted,
    CellFailed,
    CellStopped,
    TextAppended,
    decode_ink,
)
from schemas.values import Column, Policy, Section
from services.shared.attempt.runner import DELIVERIES_MAX
from services.shared.bus import Bus
from services.shared.provision import provision
from services.writer.slots import ACK_WAIT_S, ensure_consumer
from tests.integration.conftest import BusFactory, NatsServer
from tests.simulators import simulator
from tests.writers import PATIENCE_S, Desk, service

FAST: dict[str, Any] = {"pace": "fixed", "first_token_ms": 30, "token_interval_ms": 3}
SLOW: dict[str, Any] = {"pace": "fixed", "first_token_ms": 100, "token_interval_ms": 200}
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
        while sum(len(piece.text) for piece in ink) < len(done.text):
            ink.append(decode_ink((await subscription.next_msg()).data))
    assert "".join(piece.text for piece in ink) == done.text
    assert [piece.offset for piece in ink] == [len(done.text[: piece.offset]) for piece in ink]
    assert done.citations
    assert all(citation.verified for citation in done.citations)
    (settled,) = desk.heard(CallSettled)
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


async def test_an_overloaded_model_is_asked_again_and_the_text_comes(desk: Desk, writer: Any, far: Far) -> None:
    del writer
    await far.turn("scribe", error_503=1)
    await desk.create(SECTION)
    await desk.ask("rooms")
    await desk.until(lambda d: d.heard(AttemptFailed))
    await far.turn("scribe", error_503=None)
    await desk.until(lambda d: d.heard(CellCompleted))
    (failed,) = desk.heard(AttemptFailed)
    assert failed.kind == "overloaded"
    assert failed.next_model == "simulator/scribe"
    assert [call["status"] for call in await far.until_closed(desk.id)] == [503, 200]


async def test_after_two_failures_the_next_model_of_the_chain_writes(desk: Desk, writer: Any, far: Far) -> None:
    del writer
    await far.turn("scribe", error_500=1)
    await desk.create(SECTION)
    await desk.ask("rooms")
    await desk.until(lambda d: d.heard(CallSettled) and d.heard(CellCompleted))
    (done,) = desk.heard(CellCompleted)
    assert done.model == "simulator/scribe-large"
    assert [call["model"] for call in await far.until_closed(desk.id)] == ["scribe", "scribe", "scribe-large"]


async def test_a_cut_stream_is_written_anew_and_never_spliced(desk: Desk, writer: Any, far: Far) -> None:
    del writer
    await far.turn("scribe", cut_hard=1, strike_at=0.5)
    await far.turn("scribe-large", variety=1, seed=99)
    subscription = await desk.bus.client.subscribe(subjects.live_ink(desk.id))
    await desk.create(SECTION)
    await desk.ask("rooms")
    await desk.until(lambda d: d.heard(CellCompleted))
    (done,) = desk.heard(CellCompleted)
    texts: dict[int, str] = {}
    async with asyncio.timeout(PATIENCE_S):
        while texts.get(done.attempt) != done.text:
            piece = decode_ink((await subscription.next_msg()).data)
            assert piece.offset == len(texts.get(piece.attempt, ""))
            texts[piece.attempt] = texts.get(piece.attempt, "") + piece.text
    assert len(texts) == 3
    await desk.until(lambda d: any(bill.attempt == done.attempt for bill in d.heard(CallSettled)))
    document = await desk.folded()
    assert document.cells["rooms"].completed is not None
    assert document.cells["rooms"].completed.text == done.text
    assert not document.open_calls


async def test_a_key_that_is_refused_is_not_tried_twice(desk: Desk, writer: Any, far: Far) -> None:
    del writer
    await far.turn("*", **FAST, error_401=1)
    await desk.create(SECTION)
    await desk.ask("rooms")
    await desk.until(lambda d: d.heard(CellFailed))
    (failed,) = desk.heard(CellFailed)
    assert failed.kind == "unauthorized"
    assert [call["model"] for call in await far.until_closed(desk.id)] == ["scribe", "scribe-large"]


async def test_an_endless_answer_is_cut_and_kept(desk: Desk, writer: Any, far: Far) -> None:
    del writer
    await far.turn("scribe", endless=1)
    await desk.create(SECTION)
    await desk.ask("rooms")
    await desk.until(lambda d: d.heard(CellCompleted))
    (done,) = desk.heard(CellCompleted)
    assert done.cut == "repetition"
    assert done.text
    (call,) = await far.until_closed(desk.id)
    assert call["ended"] == "client_gone"


async def _nothing_is_begun(desk: Desk, operator: Bus, nats_server: str, model: str, far: Far) -> None:
    """A writer comes and goes: every job is off the queue, and no call was made for any."""
    with service("writer", nats_server, model):
        async with asyncio.timeout(PATIENCE_S):
            while (await operator.js.stream_info(subjects.JOBS)).state.messages:
                pass
    assert not desk.heard(AttemptStarted)
    assert await far.calls(desk.id) == []


async def test_what_was_stopped_before_it_was_taken_is_never_begun(
    desk: Desk, operator: Bus, nats_server: str, model: str, far: Far
) -> None:
    await desk.create(SECTION)
    await desk.ask("rooms")
    await desk.pause()
    await _nothing_is_begun(desk, operator, nats_server, model, far)


async def test_a_stop_between_two_tries_begins_no_other(desk: Desk, writer: Any, far: Far) -> None:
    del writer
    await far.turn("scribe", error_429_seconds=1, retry_after_s=2)
    await desk.create(SECTION)
    await desk.ask("rooms")
    await desk.until(lambda d: d.heard(AttemptFailed))
    await desk.pause()
    await desk.until(lambda d: d.heard(AttemptCancelled))
    (receipt,) = desk.heard(AttemptCancelled)
    assert receipt.calls_closed == 0
    assert len(await far.until_closed(desk.id)) == 1


async def test_a_cell_that_was_stopped_before_it_was_taken_is_never_begun(
    desk: Desk, operator: Bus, nats_server: str, model: str, far: Far
) -> None:
    await desk.create(SECTION)
    await desk.ask("rooms")
    await desk.stop_cell("rooms")
    await _nothing_is_begun(desk, operator, nats_server, model, far)


async def test_a_cell_that_is_stopped_between_two_tries_begins_no_other(desk: Desk, writer: Any, far: Far) -> None:
    del writer
    await far.turn("scribe", error_429_seconds=1, retry_after_s=2)
    await desk.create(SECTION)
    await desk.ask("rooms")
    await desk.until(lambda d: d.heard(AttemptFailed))
    await desk.stop_cell("rooms")
    await desk.until(lambda d: d.heard(AttemptCancelled))
    (receipt,) = desk.heard(AttemptCancelled)
    assert (receipt.reason, receipt.calls_closed) == ("stopped", 0)
    assert len(await far.until_closed(desk.id)) == 1


async def test_a_cell_that_is_stopped_is_cut_off_at_once_and_the_other_is_written_to_its_end(
    desk: Desk, writer: Any, far: Far
) -> None:
    del writer
    await far.turn("scribe", pace="fixed", first_token_ms=30, token_interval_ms=20)
    await desk.create(SECTION, replace(SECTION, id="others", heading="Others"))
    await desk.ask("rooms")
    await desk.ask("others")
    subscription = await desk.bus.client.subscribe(subjects.live_ink(desk.id))
    async with asyncio.timeout(PATIENCE_S):
        while decode_ink((await subscription.next_msg(timeout=PATIENCE_S)).data).cell != "rooms":
            pass
    await desk.stop_cell("rooms")
    await desk.until(lambda d: d.heard(AttemptCancelled) and d.heard(CellCompleted))
    (receipt,) = desk.heard(AttemptCancelled)
    (stop,) = desk.heard(CellStopped)
    assert (receipt.cell, receipt.reason, receipt.calls_closed) == ("rooms", "stopped", 1)
    assert receipt.asked_at_ms == stop.asked_at_ms
    assert receipt.text
    assert [done.cell for done in desk.heard(CellCompleted)] == ["others"]
    assert sorted(call["ended"] for call in await far.until_closed(desk.id)) == ["client_gone", "finished"]


async def test_a_killed_writer_s_job_is_taken_over_and_counts_once(
    desk: Desk, operator: Bus, nats_server: str, model: str, far: Far
) -> None:
    del operator
    await far.turn(pace="fixed", first_token_ms=30, token_interval_ms=40)
    await desk.create(SECTION)
    with service("writer", nats_server, model) as first:
        subscription = await desk.bus.client.subscribe(subjects.live_ink(desk.id))
        await desk.ask("rooms")
        await subscription.next_msg(timeout=PATIENCE_S)
        first.kill()
        first.wait()
        await far.turn(**FAST)
        with service("writer", nats_server, model):
            await desk.until(lambda d: d.heard(CellCompleted))
    attempts = [fact.attempt for fact in desk.heard(AttemptStarted)]
    assert attempts == [1_001_001, 1_002_001]
    (done,) = desk.heard(CellCompleted)
    assert done.attempt == 1_002_001
    assert [call["ended"] for call in await far.until_closed(desk.id)] == ["client_gone", "finished"]


async def test_a_writer_that_is_told_to_end_hands_its_jobs_over_at_once(
    desk: Desk, operator: Bus, nats_server: str, model: str, far: Far
) -> None:
    del operator
    await far.turn(pace="fixed", first_token_ms=30, token_interval_ms=1_000)  # Still at it when the second is there.
    await desk.create(SECTION)
    with service("writer", nats_server, model) as first:
        subscription = await desk.bus.client.subscribe(subjects.live_ink(desk.id))
        await desk.ask("rooms")
        await subscription.next_msg(timeout=PATIENCE_S)
        with service("writer", nats_server, model):
            await far.turn(**FAST)
            first.terminate()
            assert first.wait(PATIENCE_S) == 0
            await desk.until(lambda d: d.heard(CellCompleted))
    (receipt,) = desk.heard(AttemptCancelled)
    (_, taken_over) = desk.heard(AttemptStarted)
    assert receipt.reason == "writer_stopping"
    assert taken_over.at_ms - receipt.closed_at_ms < ACK_WAIT_S * 1_000 / 2, "given back, not run out"
    assert not (await desk.folded()).open_calls


async def test_a_table_s_cell_is_asked_for_as_json_and_kept_as_text(desk: Desk, writer: Any, far: Far) -> None:
    del writer, far
    table = Section(
        id="facts", heading="Facts", columns=(Column(id="ink", heading="Ink", instructions="What was ink made from?"),)
    )
    await desk.create(table)
    await desk.ask("facts:s1:ink")
    await desk.until(lambda d: d.heard(CellCompleted))
    (done,) = desk.heard(CellCompleted)
    assert "oak galls" in done.text
    (citation,) = done.citations
    assert citation.source == "s1"
    assert citation.verified


async def test_an_unknown_model_falls_back_and_says_so(desk: Desk, writer: Any, far: Far) -> None:
    del writer, far
    await desk.create(SECTION, policy=Policy(model="nowhere/none"))
    await desk.ask("rooms")
    await desk.until(lambda d: d.heard(CellCompleted))
    (failed,) = desk.heard(AttemptFailed)
    assert failed.kind == "no_model"
    assert "nowhere" in failed.message


async def test_the_deadline_ends_it(desk: Desk, writer: Any, far: Far) -> None:
    del writer
    await far.turn(**SLOW)
    await desk.create(SECTION)
    await desk.ask("rooms", deadline_in_ms=800)
    await desk.until(lambda d: d.heard(CellFailed))
    (failed,) = desk.heard(CellFailed)
    assert failed.kind == "deadline"
    (call,) = await far.until_closed(desk.id)
    assert call["ended"] == "client_gone"
    assert not (await desk.folded()).open_calls


async def test_a_restart_of_the_bus_interrupts_no_call(desk: Desk, writer: Any, far: Far, server: NatsServer) -> None:
    del writer
    await far.turn(pace="fixed", first_token_ms=30, token_interval_ms=30)
    await desk.create(SECTION)
    subscription = await desk.bus.client.subscribe(subjects.live_ink(desk.id))
    await desk.ask("rooms")
    await subscription.next_msg(timeout=PATIENCE_S)
    back = asyncio.Event()

    async def reconnected() -> None:
        back.set()

    desk.bus.on_reconnected(reconnected)
    server.kill()
    server.start()
    await back.wait()
    await provision(desk.bus)  # What was in memory, as the conductor does.
    async with asyncio.timeout(PATIENCE_S):  # Ink that was lost with the server is there again before the text is done.
        while decode_ink((await subscription.next_msg(timeout=PATIENCE_S)).data).offset != 0:
            pass
    await desk.until(lambda d: d.heard(CallSettled))
    (done,) = desk.heard(CellCompleted)
    assert done.attempt == 1_001_001
    assert [call["ended"] for call in await far.until_closed(desk.id)] == ["finished"]


async def test_a_writer_without_a_bus_closes_its_calls_by_itself(
    desk: Desk, writer: Any, far: Far, server: NatsServer
) -> None:
    del writer
    await far.turn(**SLOW)
    await desk.create(SECTION)
    subscription = await desk.bus.client.subscribe(subjects.live_ink(desk.id))
    await desk.ask("rooms")
    await subscription.next_msg(timeout=PATIENCE_S)
    server.kill()
    (call,) = await far.until_closed(desk.id)
    assert call["ended"] == "client_gone"
    await far.turn(**FAST)
    server.start()
    await desk.until(lambda d: d.heard(CellCompleted) and d.heard(AttemptCancelled) and len(d.heard(CallSettled)) == 2)
    (receipt,) = desk.heard(AttemptCancelled)
    assert receipt.reason == "bus_lost"
    assert (await desk.folded()).open_calls == {}


async def test_a_job_that_was_delivered_too_often_is_buried(
    desk: Desk, operator: Bus, nats_server: str, model: str, far: Far
) -> None:
    await desk.create(SECTION)
    await desk.ask("rooms")
    await ensure_consumer(operator.js, "interactive")
    pull = await operator.js.pull_subscribe_bind(durable="writer-interactive", stream=subjects.JOBS)
    for _ in range(DELIVERIES_MAX):
        (message,) = await pull.fetch(1)
        await message.nak()
    await pull.unsubscribe()
    with service("writer", nats_server, model):
        await desk.until(lambda d: d.heard(CellFailed))
    (failed,) = desk.heard(CellFailed)
    assert failed.kind == "poison"
    assert (await operator.js.stream_info(subjects.DEAD)).state.messages == 1
    assert (await operator.js.stream_info(subjects.JOBS)).state.messages == 0
    assert await far.calls(desk.id) == []


async def test_two_writers_share_twelve_cells_and_write_each_once(
    desk: Desk, writer: Any, nats_server: str, model: str, far: Far
) -> None:
    del writer
    sections = [Section(id=f"s{n}", heading=f"Ink {n}", instructions="How was it made?") for n in range(12)]
    await desk.create(*sections)
    with service("writer", nats_server, model):
        for section in sections:
            await desk.ask(section.id)
        await desk.until(lambda d: len(d.heard(CallSettled)) == 12)
    document = await desk.folded()
    assert all(isinstance(document.cells[section.id].state, Completed) for section in sections)
    assert len(await far.until_closed(desk.id)) == 12


async def test_a_slot_is_kept_for_interactive_jobs(
    desk: Desk, operator: Bus, nats_server: str, model: str, far: Far
) -> None:
    del operator
    await far.turn(pace="fixed", first_token_ms=300, token_interval_ms=2)
    sections = [Section(id=f"s{n}", heading=f"Ink {n}", instructions="How was it made?") for n in range(8)]
    await desk.create(SECTION, *sections)
    for section in sections:
        await desk.ask(section.id, lane="batch")
    with service("writer", nats_server, model, {"SCRIPTORIUM_WRITER__SLOTS": "2"}):
        await desk.until(lambda d: d.heard(AttemptStarted))
        await desk.ask("rooms")
        await desk.until(lambda d: len(d.heard(CellCompleted)) == 9)
    done = [fact.cell for fact in desk.heard(CellCompleted)]
    assert done.index("rooms") <= 2
