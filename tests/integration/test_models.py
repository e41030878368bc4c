"""What writers know of their models: real processes, a real bus, a real simulator over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from schemas import subjects
from schemas.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    CallReserved,
    CallSettled,
    CellCompleted,
)
from schemas.samples import CallerSampled, ModelHeld, ModelSample, decode_hold, decode_sample
from schemas.values import Column, Section
from services.shared.bus import Bus
from services.shared.clock import now_ms
from tests.far import FAST, Far, far_of
from tests.integration.conftest import BusFactory
from tests.simulators import simulator
from tests.writers import PATIENCE_S, Desk, service

SCRIBE = "simulator/scribe"
LARGE = "simulator/scribe-large"
ALONE = {"SCRIPTORIUM_MODELS__WRITE": f'["{SCRIBE}"]'}
QUICK: dict[str, Any] = {**FAST, "token_interval_ms": 1}
HUNG: dict[str, Any] = {"pace": "fixed", "first_token_ms": 600_000, "token_interval_ms": 1}
QUICK_TO_LOOK = {"SCRIPTORIUM_HEALTH__OPEN_MS_MAX": "1000"}
PRACTICE = 48
"""Calls after which a model's p95 is known and the hedge budget has two."""
HEDGES = 2
STEADY_MS = 500
ROUNDS_MAX = 6
RECOVERED_MS = 10_000


def sections(count: int) -> list[Section]:
    return [Section(id=f"s{n}", heading=f"Ink {n}", instructions="How was it made?") for n in range(count)]


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with simulator() as address:
        yield address


@pytest.fixture
async def far(model: str) -> AsyncIterator[Far]:
    async with far_of(model) as far:
        await far.turn(**QUICK)
        yield far


@pytest.fixture
async def operator(bus: BusFactory) -> Bus:
    return await bus("operator")


@pytest.fixture
async def desk(operator: Bus) -> AsyncIterator[Desk]:
    desk = Desk(operator, uuid4().hex)
    yield desk
    await desk.close()


class Samples:
    """What writers say of themselves, as it comes."""

    def __init__(self) -> None:
        self.last: dict[str, CallerSampled] = {}
        self._moved = asyncio.Event()

    async def start(self, bus: Bus) -> Samples:
        async def heard(message: Any) -> None:
            sample = decode_sample(message.data)
            self.last[sample.name] = sample
            self._moved.set()

        await bus.client.subscribe(subjects.metrics("writer"), cb=heard)
        return self

    def of(self, model: str) -> list[ModelSample]:
        return [one for sample in self.last.values() for one in sample.models if one.model == model]

    async def until(self, holds: Callable[[Samples], object]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not holds(self):
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise AssertionError(self.last) from None


@pytest.fixture
async def samples(operator: Bus) -> Samples:
    return await Samples().start(operator)


async def practise(desk: Desk, cells: list[Section]) -> None:
    """Have these written, so that the model's pace is known."""
    over = len(desk.heard(CellCompleted)) + len(cells)
    for section in cells:
        await desk.ask(section.id)
    await desk.until(lambda d: len(d.heard(CellCompleted)) == over)


async def practise_until_a_second_call_is_paid_for(desk: Desk, samples: Samples, cells: list[Section]) -> None:
    """As long as it takes: on a busy machine some calls are late by themselves, and have a second one already."""
    for first in range(0, len(cells), PRACTICE):
        await practise(desk, cells[first : first + PRACTICE])
        over = len(desk.heard(CellCompleted))
        await samples.until(lambda s, over=over: any(one.finished >= over for one in s.of(SCRIBE)))
        if any(one.hedges_left >= HEDGES for one in samples.of(SCRIBE)):
            return
    pytest.fail("every second call was needed for practice")


async def test_a_dead_model_is_left_for_the_next_and_taken_back_by_itself(
    desk: Desk, samples: Samples, nats_server: str, model: str, far: Far
) -> None:
    cells = sections(120)
    await desk.create(*cells)
    left = iter(cells)
    with service("writer", nats_server, model, QUICK_TO_LOOK):
        await practise(desk, [next(left) for _ in range(8)])
        assert {done.model for done in desk.heard(CellCompleted)} == {SCRIBE}
        await far.turn("scribe", error_500=1)
        died_ms = now_ms()
        for _ in range(8):
            await desk.ask(next(left).id)
        await desk.until(lambda d: len(d.heard(CellCompleted)) == 16)
        await samples.until(lambda s: any(one.breaker != "closed" for one in s.of(SCRIBE)))
        # From now on nobody begins with it, but for a probe now and then.
        asked = [next(left).id for _ in range(16)]
        for id_ in asked:
            await desk.ask(id_)
        await desk.until(lambda d: len(d.heard(CellCompleted)) == 32)
        done = [fact for fact in desk.heard(CellCompleted) if fact.cell in asked]
        assert {(fact.model, fact.fell_back_from) for fact in done} == {(LARGE, SCRIBE)}
        at_once = [fact for fact in done if fact.attempt % 1_000 == 1]
        assert len(at_once) > len(done) / 2
        assert min(fact.at_ms for fact in desk.heard(AttemptStarted) if fact.model == LARGE) - died_ms < RECOVERED_MS
        await far.turn("scribe", error_500=None)
        for section in left:
            await desk.ask(section.id)
            await desk.until(lambda d, id_=section.id: d.heard(CellCompleted, id_))
            (done_now,) = desk.heard(CellCompleted, section.id)
            if done_now.model == SCRIBE and all(one.breaker == "closed" for one in samples.of(SCRIBE)):
                break
        else:
            pytest.fail("the breaker did not close")
    assert not (await desk.folded()).open_calls


@pytest.fixture
async def holds(operator: Bus) -> list[ModelHeld]:
    """What writers tell each other of a model that is not to be called."""
    holds: list[ModelHeld] = []

    async def heard(message: Any) -> None:
        if isinstance(said := decode_hold(message.data), ModelHeld):
            holds.append(said)

    await operator.client.subscribe(subjects.MODEL_HOLDS, cb=heard)
    return holds


async def test_what_one_writer_is_told_all_of_them_obey_and_so_does_one_that_joins(
    desk: Desk, samples: Samples, nats_server: str, model: str, far: Far
) -> None:
    cells = sections(12)
    await desk.create(*cells)
    await far.turn("scribe", error_429_seconds=1, retry_after_s=600)
    with service("writer", nats_server, model, ALONE), service("writer", nats_server, model, ALONE):
        await desk.ask("s0", deadline_in_ms=900_000)
        await desk.until(lambda d: d.heard(AttemptFailed))
        await far.turn("scribe", error_429_seconds=None)
        await samples.until(lambda s: len(s.of(SCRIBE)) == 2 and all(one.held_until_ms for one in s.of(SCRIBE)))
        with service("writer", nats_server, model, ALONE):
            await samples.until(lambda s: len(s.of(SCRIBE)) == 3 and all(one.held_until_ms for one in s.of(SCRIBE)))
            for cell in cells[1:]:
                await desk.ask(cell.id, deadline_in_ms=900_000)
            # Every job is with a writer, of which none calls.
            await samples.until(lambda s: sum(one.jobs for one in s.last.values()) == len(cells))
            (told,) = await far.calls(desk.id)
            assert told["status"] == 429
    assert len(await far.until_closed(desk.id)) == 1


@pytest.mark.parametrize("spelled", ["error_429_seconds", "error_429_date"])
async def test_a_model_is_called_again_when_the_time_that_it_asked_for_is_over(  # noqa: PLR0913, PLR0917 -- fixtures
    desk: Desk, holds: list[ModelHeld], nats_server: str, model: str, far: Far, spelled: str
) -> None:
    cells = sections(4)
    await desk.create(*cells)
    await far.turn("scribe", **{spelled: 1, "retry_after_s": 3})
    with service("writer", nats_server, model, ALONE), service("writer", nats_server, model, ALONE):
        await desk.ask("s0")
        await desk.until(lambda d: d.heard(AttemptFailed))
        await far.turn("scribe", **{spelled: None})
        for cell in cells[1:]:
            await desk.ask(cell.id)
        await desk.until(lambda d: len(d.heard(CellCompleted)) == 4)
    first, *others = sorted(await far.until_closed(desk.id), key=lambda call: call["began_at_ms"])
    assert first["status"] == 429
    assert [call["status"] for call in others] == [200] * 4
    assert others[0]["began_at_ms"] >= holds[0].until_ms - 1
    assert holds[0].until_ms - first["began_at_ms"] >= 2_000


async def test_a_call_that_is_late_to_speak_gets_a_second_one_and_the_first_to_speak_wins(
    desk: Desk, samples: Samples, nats_server: str, model: str, far: Far
) -> None:
    cells = sections(PRACTICE * ROUNDS_MAX + 12)
    await desk.create(*cells)
    with service("writer", nats_server, model, {**ALONE, "SCRIPTORIUM_LIMITS__FIRST_TOKEN_MS": "3000"}):
        await far.turn("scribe", first_token_ms=STEADY_MS)
        await practise_until_a_second_call_is_paid_for(desk, samples, cells[:-12])
        # The first call hangs, the second one does not, if the model is well again before it is sent: until that came out so.
        for section in cells[-12:]:
            await far.turn("scribe", **HUNG)
            await desk.ask(section.id)
            while not any(call["cell"] == section.id for call in await far.calls(desk.id)):
                pass
            await far.turn("scribe", first_token_ms=1)
            await desk.until(lambda d, id_=section.id: d.heard(CellCompleted, id_))
            if any(fact.outcome == "lost_race" for fact in desk.heard(CallSettled, section.id)):
                break
        else:
            pytest.fail("nothing was hedged")
        await samples.until(lambda s: any(one.hedges_won for one in s.of(SCRIBE)))
    second = desk.heard(CallReserved, section.id)[-1]
    settled = [fact for fact in desk.heard(CallSettled, section.id) if fact.attempt == second.attempt]
    assert {(fact.call, fact.outcome) for fact in settled} == {(1, "lost_race"), (2, "finished")}
    assert second.model == SCRIBE
    assert len(desk.heard(CallReserved)) <= 0.05 * len(desk.heard(AttemptStarted))
    calls = {call["call"]: call for call in await far.until_closed(desk.id) if call["cell"] == section.id}
    assert (calls["1"]["ended"], calls["2"]["ended"]) == ("client_gone", "finished")
    assert not (await desk.folded()).open_calls


# -- Stops, at moments that only a busy or a sick model has ------------------------------------------------------------


async def nothing_left(desk: Desk, far: Far, calls: int) -> list[dict[str, Any]]:
    """No call is open, none is begun any more, and all that were are paid."""
    seen = await far.until_closed(desk.id)
    assert len(seen) == calls
    assert not (await desk.folded()).open_calls
    assert len(await far.calls(desk.id)) == calls
    return seen


async def test_a_stop_while_waiting_for_a_place_makes_no_call(
    desk: Desk, samples: Samples, nats_server: str, model: str, far: Far
) -> None:
    await far.turn(**HUNG)
    await desk.create(*sections(3))
    narrow = {
        "SCRIPTORIUM_PROVIDERS": f'{{"simulator": {{"base_url": "{model}/v1", "send_ids": true, "max_concurrent": 1}}}}'
    }
    with service("writer", nats_server, model, {**ALONE, **narrow}):
        for number in range(3):
            await desk.ask(f"s{number}")
        await samples.until(lambda s: [(one.in_flight, one.waiting) for one in s.of(SCRIBE)] == [(1, 2)])
        await desk.pause()
        await desk.until(lambda d: d.heard(AttemptCancelled))
        await samples.until(lambda s: [(one.in_flight, one.waiting) for one in s.of(SCRIBE)] == [(0, 0)])
        (call,) = await nothing_left(desk, far, 1)
    assert call["ended"] == "client_gone"


async def test_a_cell_that_is_stopped_while_it_waits_for_a_place_leaves_it_to_the_others(
    desk: Desk, samples: Samples, nats_server: str, model: str, far: Far
) -> None:
    await far.turn(**HUNG)
    await desk.create(*sections(3))
    narrow = {
        "SCRIPTORIUM_PROVIDERS": f'{{"simulator": {{"base_url": "{model}/v1", "send_ids": true, "max_concurrent": 1}}}}'
    }
    with service("writer", nats_server, model, {**ALONE, **narrow}):
        for number in range(3):
            await desk.ask(f"s{number}")
        await samples.until(lambda s: [(one.in_flight, one.waiting) for one in s.of(SCRIBE)] == [(1, 2)])
        (first,) = desk.heard(AttemptStarted)
        second, third = sorted({"s0", "s1", "s2"} - {first.cell})
        await desk.stop_cell(second)
        await samples.until(lambda s: [(one.in_flight, one.waiting) for one in s.of(SCRIBE)] == [(1, 1)])
        await desk.stop_cell(first.cell)
        await desk.until(lambda d: [one.cell for one in d.heard(AttemptStarted)] == [first.cell, third])
        await desk.stop_cell(third)
        await desk.until(lambda d: len(d.heard(AttemptCancelled)) == 2)
        # Whether the third one's call was under way or not yet.
        assert second not in {call["cell"] for call in await far.until_closed(desk.id)}
        assert not (await desk.folded()).open_calls


async def test_a_stop_while_the_model_is_held_makes_no_call(
    desk: Desk, samples: Samples, nats_server: str, model: str, far: Far
) -> None:
    await far.turn("scribe", error_429_seconds=1, retry_after_s=30)
    await desk.create(*sections(2))
    with service("writer", nats_server, model, ALONE):
        await desk.ask("s0")
        await desk.until(lambda d: d.heard(AttemptFailed))
        await desk.ask("s1")
        await samples.until(lambda s: [one.waiting for one in s.of(SCRIBE)] == [1])
        await desk.pause()
        await samples.until(lambda s: [one.waiting for one in s.of(SCRIBE)] == [0])
        await desk.until(lambda d: d.heard(AttemptCancelled))
        await nothing_left(desk, far, 1)


@pytest.mark.parametrize("of", ["document", "cell"])
async def test_a_stop_while_hedging_closes_both(  # noqa: PLR0913, PLR0917 -- fixtures
    of: str, desk: Desk, samples: Samples, nats_server: str, model: str, far: Far
) -> None:
    cells = sections(PRACTICE * ROUNDS_MAX + 1)
    await desk.create(*cells)
    with service("writer", nats_server, model, ALONE):
        await practise_until_a_second_call_is_paid_for(desk, samples, cells[:-1])
        before = len(await far.calls(desk.id))
        hedges = len(desk.heard(CallReserved))
        await far.turn("scribe", **HUNG)
        await desk.ask(cells[-1].id)
        await desk.until(lambda d: len(d.heard(CallReserved)) > hedges)
        await samples.until(lambda s: any(one.in_flight == 2 for one in s.of(SCRIBE)))
        await (desk.pause() if of == "document" else desk.stop_cell(cells[-1].id))
        await desk.until(lambda d: d.heard(AttemptCancelled))
        await nothing_left(desk, far, before + 2)
    (receipt,) = desk.heard(AttemptCancelled)
    assert receipt.calls_closed == 2


async def test_a_stop_while_falling_back_closes_the_other_model_s_call(
    desk: Desk, nats_server: str, model: str, far: Far
) -> None:
    await far.turn("scribe", error_401=1)
    await far.turn("scribe-large", **HUNG)
    await desk.create(*sections(1))
    with service("writer", nats_server, model):
        await desk.ask("s0")
        await desk.until(lambda d: [fact.model for fact in d.heard(AttemptStarted)] == [SCRIBE, LARGE])
        await desk.pause()
        await desk.until(lambda d: d.heard(AttemptCancelled))
        # Whether the second call was under way or not yet: none is left.
        calls = await far.until_closed(desk.id)
        assert not (await desk.folded()).open_calls
        assert {(call["model"], call["ended"]) for call in calls} <= {
            ("scribe", "failed"),
            ("scribe-large", "client_gone"),
        }


# -- Chains -------------------------------------------------------------------------------------------------------------


async def test_each_purpose_has_a_chain_of_its_own(desk: Desk, nats_server: str, model: str, far: Far) -> None:
    table = Section(id="facts", heading="Facts", columns=(Column(id="ink", heading="Ink", instructions="Of what?"),))
    await desk.create(*sections(1), table)
    chains = {"SCRIPTORIUM_MODELS__WRITE": f'["{SCRIBE}"]', "SCRIPTORIUM_MODELS__TABLE": f'["{LARGE}", "{SCRIBE}"]'}
    with service("writer", nats_server, model, chains):
        await desk.ask("s0")
        await desk.ask("facts:s1:ink")
        await desk.until(lambda d: len(d.heard(CellCompleted)) == 2)
    assert {fact.cell: (fact.model, fact.fell_back_from) for fact in desk.heard(CellCompleted)} == {
        "s0": (SCRIBE, ""),
        "facts:s1:ink": (LARGE, ""),
    }
    del far
