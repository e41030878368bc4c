"""Real writers on a real bus, and a simulator that counts: what was written is not written again, neither later nor at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from schemas import subjects
from schemas.document import Completed, Document
from schemas.events import AttemptCancelled, AttemptStarted, CellCompleted, CellFailed
from schemas.values import Column, Policy, Section
from services.shared.bus import Bus
from tests.far import FAST, Far, far_of
from tests.integration.conftest import BusFactory
from tests.simulators import simulator
from tests.writers import PATIENCE_S, Desk, service

SECTIONS = tuple(Section(id=f"s{n}", heading=f"Ink {n}", instructions="How was it made?") for n in range(4))
SHARED = Policy(cache="shared")


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with simulator() as address:
        yield address


@pytest.fixture
async def far(model: str) -> AsyncIterator[Far]:
    async with far_of(model) as far:
        await far.turn(**FAST)
        yield far


@pytest.fixture
async def desks(bus: BusFactory) -> AsyncIterator[tuple[Desk, Desk]]:
    operator: Bus = await bus("operator")
    pair = Desk(operator, uuid4().hex), Desk(operator, uuid4().hex)
    yield pair
    for desk in pair:
        await desk.close()


@pytest.fixture
def writers(desks: Any, nats_server: str, model: str, far: Far) -> Iterator[None]:
    del desks, far  # Streams and dials come first.
    with service("writer", nats_server, model), service("writer", nats_server, model):
        yield


async def ask_for_all(desks: tuple[Desk, Desk], policy: Policy) -> tuple[Document, Document]:
    for desk in desks:
        await desk.create(*SECTIONS, policy=policy)
    for section in SECTIONS:
        for desk in desks:
            await desk.ask(section.id)
    for desk in desks:
        await desk.until(lambda d: len(d.heard(CellCompleted)) == len(SECTIONS))
    first, second = [await desk.folded() for desk in desks]
    return first, second


async def test_two_documents_that_share_ask_the_same_at_once_and_it_is_written_once(
    desks: tuple[Desk, Desk], writers: None, far: Far
) -> None:
    del writers
    await far.turn(variety=1)  # A second answer would be another one.
    first, second = await ask_for_all(desks, SHARED)
    assert len(await far.until_closed()) == len(SECTIONS)
    texts = [[cell.completed and cell.completed.text for cell in one.cells.values()] for one in (first, second)]
    assert texts[0] == texts[1]
    ledgers = first.ledger, second.ledger
    assert sum(ledger.cells_cached for ledger in ledgers) == len(SECTIONS)
    assert sum(ledger.tokens_cached for ledger in ledgers) == sum(
        ledger.tokens_in + ledger.tokens_out for ledger in ledgers
    )
    cached = [cell.completed for one in (first, second) for cell in one.cells.values() if cell.completed]
    assert all(done.citations and all(c.verified for c in done.citations) for done in cached)


@pytest.mark.parametrize("policy", [Policy(), Policy(cache="off")])
async def test_documents_that_do_not_share_take_nothing_from_each_other(
    desks: tuple[Desk, Desk], writers: None, far: Far, policy: Policy
) -> None:
    del writers
    first, second = await ask_for_all(desks, policy)
    assert len(await far.until_closed()) == 2 * len(SECTIONS)
    assert first.ledger.cells_cached == second.ledger.cells_cached == 0


async def test_going_back_to_what_was_written_before_costs_nothing(
    desks: tuple[Desk, Desk], writers: None, far: Far
) -> None:
    del writers
    desk, _ = desks
    await far.turn(variety=1)
    await desk.create(SECTIONS[0])
    for revision, wanted in enumerate(("as it was", "changed", "as it was"), start=1):
        await desk.ask("s0", job=revision, revision=revision, input_digest=wanted)
        await desk.until(lambda d, n=revision: len(d.heard(CellCompleted)) == n)
    was, changed, again = desk.heard(CellCompleted)
    assert (was.cached, changed.cached, again.cached) == (False, False, True)
    assert again.text == was.text
    assert len(await far.until_closed()) == 2
    assert len(desk.heard(AttemptStarted)) == 2
    document = await desk.folded()
    assert (document.ledger.cells_cached, document.ledger.calls) == (1, 2)


async def test_twins_in_one_document_are_written_once(desks: tuple[Desk, Desk], writers: None, far: Far) -> None:
    del writers
    desk, _ = desks
    twins = [replace(SECTIONS[0], id=id_) for id_ in ("one", "two")]
    await desk.create(*twins)
    for twin in twins:
        await desk.want(twin.id, input_digest="the same")
    for twin in twins:
        await desk.ask(twin.id, input_digest="the same", job=2)
    await desk.until(lambda d: len(d.heard(CellCompleted)) == 2)
    assert len(await far.until_closed()) == 1


async def test_a_table_s_cell_is_found_as_well(desks: tuple[Desk, Desk], writers: None, far: Far) -> None:
    del writers
    table = Section(id="t", heading="Facts", columns=(Column(id="ink", heading="Ink", instructions="Made from?"),))
    for desk in desks:
        await desk.create(table, policy=SHARED)
        await desk.ask("t:s1:ink")
        await desk.until(lambda d: d.heard(CellCompleted))
    (first,), (second,) = [desk.heard(CellCompleted) for desk in desks]
    assert (second.cached, second.text, second.citations) == (True, first.text, first.citations)
    assert len(await far.until_closed()) == 1


async def test_what_was_cut_off_is_not_kept(desks: tuple[Desk, Desk], writers: None, far: Far) -> None:
    del writers
    await far.turn(endless=1)
    for desk in desks:
        await desk.create(SECTIONS[0], policy=SHARED)
        await desk.ask("s0")
        await desk.until(lambda d: d.heard(CellCompleted))
    assert [desk.heard(CellCompleted)[0].cached for desk in desks] == [False, False]
    assert len(await far.until_closed()) == 2


async def test_where_the_first_one_fails_the_one_that_waited_tries_itself(
    desks: tuple[Desk, Desk], writers: None, far: Far
) -> None:
    del writers
    first, second = desks
    await far.turn(error_401=1, first_token_ms=1_000)
    for desk in desks:
        await desk.create(SECTIONS[0], policy=SHARED)
        await desk.ask("s0")
    for desk in desks:
        await desk.until(lambda d: d.heard(CellFailed))
    assert first.heard(AttemptStarted)[0].at_ms != second.heard(AttemptStarted)[0].at_ms
    assert len(await far.until_closed()) == 4


async def test_a_stop_while_it_waits_for_another_s_answer_is_obeyed(
    desks: tuple[Desk, Desk], writers: None, far: Far
) -> None:
    del writers
    first, second = desks
    await far.turn(token_interval_ms=200)
    for desk in desks:
        await desk.create(SECTIONS[0], policy=SHARED)
    await first.ask("s0")
    await first.until(lambda d: d.heard(AttemptStarted))
    await second.ask("s0")
    await until_taken(second)
    await second.pause()
    async with asyncio.timeout(PATIENCE_S):
        while (await second.bus.js.stream_info(subjects.JOBS)).state.messages > 1:
            pass
    assert not second.heard(AttemptStarted)
    assert not second.heard(CellCompleted)
    await first.pause()
    await first.until(lambda d: d.heard(AttemptCancelled))
    assert not await far.calls(second.id)


async def test_a_killed_writer_s_claim_runs_out_and_another_writes_it(
    desks: tuple[Desk, Desk], nats_server: str, model: str, far: Far
) -> None:
    first, second = desks
    await far.turn(token_interval_ms=200)
    for desk in desks:
        await desk.create(SECTIONS[0], policy=SHARED)
    with contextlib.ExitStack() as stack:
        killed = stack.enter_context(service("writer", nats_server, model, {"SCRIPTORIUM_WRITER__SLOTS": "1"}))
        await first.ask("s0")
        await first.until(lambda d: d.heard(AttemptStarted))
        stack.enter_context(service("writer", nats_server, model))
        await second.ask("s0")
        await until_taken(second)
        assert not second.heard(AttemptStarted)
        killed.kill()
        killed.wait()
        await far.turn(**FAST)
        for desk in desks:
            await desk.until(lambda d: d.heard(CellCompleted))
    assert [call["ended"] for call in await far.until_closed()] == ["client_gone", "finished"]
    assert isinstance((await first.folded()).cells["s0"].state, Completed)


async def until_taken(desk: Desk) -> None:
    """Until no job waits on the queue: a writer has each in hand."""
    async with asyncio.timeout(PATIENCE_S):
        while (await desk.bus.js.consumer_info(subjects.JOBS, "writer-interactive")).num_pending:
            pass
