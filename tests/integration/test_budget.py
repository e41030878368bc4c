"""A conductor, two writers, a real bus and a simulator that has prices: what a budget does not leave is not asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import msgspec
import pytest

from schemas.document import Completed, Document, Paused
from schemas.events import (
    AttemptStarted,
    CellCompleted,
    CellFailed,
    DocumentCompleted,
    DocumentPaused,
    DocumentResumed,
    PolicyChanged,
)
from schemas.fold import created, fold
from schemas.spending import committed
from schemas.values import Policy, Section
from services.shared.attempt.claims import Claims
from services.shared.attempt.documents import Followed
from services.shared.attempt.events import Claimed
from services.shared.attempt.look import Ask
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.tail import DocumentTail
from tests.far import FAST, Far, far_of
from tests.integration.conftest import BusFactory
from tests.simulators import simulator
from tests.writers import Desk, service

PRICED = {
    "SCRIPTORIUM_PRICES": msgspec.json.encode(
        {f"simulator/{name}": {"input": 100.0, "output": 100.0} for name in ("scribe", "scribe-large")}
    ).decode()
}
"""100 dollars a million tokens: a call of a thousand or two has a maximum of some tenths of a dollar."""
SECTIONS = tuple(Section(id=f"s{n}", heading=f"Ink {n}", instructions="How was it made?") for n in range(8))
UNWATCHED: Policy = Policy(on_last_viewer_left="continue")


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
async def desk(bus: BusFactory) -> AsyncIterator[Desk]:
    operator: Bus = await bus("operator")
    desk = Desk(operator, uuid4().hex)
    yield desk
    await desk.close()


@pytest.fixture
def house(desk: Desk, nats_server: str, model: str, far: Far) -> Iterator[None]:
    del desk, far  # Streams and dials come first.
    with contextlib.ExitStack() as stack:
        for name in ("conductor", "writer", "writer"):
            stack.enter_context(service(name, nats_server, model, PRICED))
        yield


async def history(desk: Desk) -> list[Document]:
    """The document as it was after each fact of its log."""
    documents: list[Document] = []
    async for sequence, fact in desk.log():
        documents.append(fold(documents[-1], fact, sequence) if documents else created(desk.id, fact, sequence))
    return documents


async def test_two_writers_stay_within_the_budget_and_the_document_pauses_saying_so(
    desk: Desk, house: None, far: Far
) -> None:
    del house
    budget = 0.4
    await desk.create(*SECTIONS, policy=msgspec.structs.replace(UNWATCHED, budget=budget))
    await desk.until(lambda d: d.heard(DocumentPaused))
    (paused,) = desk.heard(DocumentPaused)
    assert paused.reason == "budget_spent"
    documents = await history(desk)
    assert max(committed(document) for document in documents) <= budget
    last = documents[-1]
    assert isinstance(last.run, Paused)
    written = [cell for cell in last.cells.values() if isinstance(cell.state, Completed)]
    assert 0 < len(written) < len(SECTIONS)
    assert last.ledger.cost > 0
    assert last.ledger.cost_estimated == 0
    assert not last.open_calls
    reserved = desk.heard(AttemptStarted)
    # It could not afford one more.
    assert last.ledger.cost + min(fact.cost_max for fact in reserved) > budget
    assert len(await far.until_closed(desk.id)) == len(reserved)


async def test_after_the_budget_is_raised_a_resume_writes_the_rest_within_it(desk: Desk, house: None, far: Far) -> None:
    del house, far
    await desk.create(*SECTIONS, policy=msgspec.structs.replace(UNWATCHED, budget=0.4))
    await desk.until(lambda d: d.heard(DocumentPaused))
    await desk.say(DocumentResumed(at_ms=now_ms()))
    await desk.until(lambda d: len(d.heard(DocumentPaused)) == 2)  # It is still spent, and says so again.
    raised = msgspec.structs.replace(UNWATCHED, budget=0.8)
    await desk.say(PolicyChanged(at_ms=now_ms(), policy=raised), DocumentResumed(at_ms=now_ms()))
    await desk.until(lambda d: d.heard(DocumentCompleted))
    documents = await history(desk)
    assert max(committed(document) for document in documents) <= 0.8
    last = documents[-1]
    assert all(isinstance(last.cells[section.id].state, Completed) for section in SECTIONS)


async def test_a_cell_that_may_not_cost_what_it_needs_fails_and_the_document_goes_on(
    desk: Desk, house: None, far: Far
) -> None:
    del house
    long = Section(id="long", heading="Long", instructions="How was ink made? " * 900)
    await desk.create(*SECTIONS[:2], long, policy=msgspec.structs.replace(UNWATCHED, cell_budget=0.6))
    await desk.until(lambda d: len(d.heard(CellCompleted)) == 2 and d.heard(CellFailed))
    (failed,) = desk.heard(CellFailed)
    assert (failed.cell, failed.kind) == ("long", "budget")
    assert {call["cell"] for call in await far.until_closed(desk.id)} == {"s0", "s1"}


async def test_a_policy_limits_what_one_answer_may_have(desk: Desk, house: None, far: Far) -> None:
    del house, far
    await desk.create(SECTIONS[0], policy=msgspec.structs.replace(UNWATCHED, cell_tokens_max=16))
    await desk.until(lambda d: d.heard(CellCompleted))
    (done,) = desk.heard(CellCompleted)
    (started,) = desk.heard(AttemptStarted)
    assert started.tokens_out_max == 16
    assert (done.cut, done.tokens_out) == ("too_long", 16)


async def test_a_policy_limits_how_long_one_cell_may_take(desk: Desk, house: None, far: Far) -> None:
    del house
    await far.turn(stall=1, strike_at=0.5)
    await desk.create(SECTIONS[0], policy=msgspec.structs.replace(UNWATCHED, cell_deadline_s=1))
    await desk.until(lambda d: d.heard(CellFailed))
    (failed,) = desk.heard(CellFailed)
    assert failed.kind == "deadline"
    (call,) = await far.until_closed(desk.id)
    assert call["ended"] == "client_gone"


class LateTail(DocumentTail):
    """Hears of everything some milliseconds late, as over a slow link."""

    def _fact(self, sequence: int, data: bytes) -> None:
        asyncio.get_running_loop().call_later(0.02, super()._fact, sequence, data)


async def test_what_a_process_has_just_reserved_itself_counts_though_it_has_not_heard_of_it_yet(desk: Desk) -> None:
    await desk.create(*SECTIONS, policy=Policy(budget=1.0))
    for section in SECTIONS:
        await desk.ask(section.id)
    followed = Followed(LateTail(desk.bus, desk.id))
    await followed.tail.start()
    await followed.tail.reached((await desk.folded()).sequence)
    pens = [
        Claims(desk.bus, followed, Ask(document=desk.id, cell=section.id, revision=1, job=1, deadline_ms=2**60))
        for section in SECTIONS
    ]
    facts = [
        AttemptStarted(at_ms=1, cell=section.id, attempt=1_001_001, writer="w", model="m", cost_max=0.3)
        for section in SECTIONS
    ]
    answers = await asyncio.gather(*(pen.claim(fact) for pen, fact in zip(pens, facts, strict=True)))
    await followed.tail.stop()
    assert [isinstance(answer, Claimed) for answer in answers].count(True) == 3
    assert committed(await desk.folded()) <= 1.0
