"""What a process knows about its models: what holds of each part, and of the gate, whatever happens."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.shared.health import breaker as breakers
from services.shared.health import budget, latency
from services.shared.health.breaker import Breaker, Closed, Open
from services.shared.health.budget import Bucket, Rule
from services.shared.health.core import avoid, step, wake_ms
from services.shared.health.gate import (
    Asked,
    Decision,
    Diverted,
    Event,
    Gate,
    GiveUp,
    Granted,
    HedgeAsked,
    Held,
    Left,
    Released,
    Spoke,
    Tell,
    Ticked,
    Waiting,
    Withdrawn,
)
from services.shared.health.latency import Latency
from services.shared.health.limit import accepted, first, grown, places, refused, slowed
from services.shared.health.model import End, hedge_after_ms
from services.shared.health.policy import Policy

POLICY = Policy()
A, B = "p/a", "p/b"
CHAIN = (A, B)


# -- Budgets ------------------------------------------------------------------------------------------------------------


@given(
    st.floats(0, 1),
    st.floats(0, 20),
    st.floats(0, 5),
    st.lists(st.tuples(st.booleans(), st.integers(0, 5_000)), max_size=200),
)
def test_extra_calls_stay_within_the_budget_whatever_happens(
    share: float, burst: float, per_s: float, happened: list[tuple[bool, int]]
) -> None:
    rule, at_ms = Rule(share=share, burst=burst, per_s=per_s), 0
    bucket, ordinary, extra = Bucket(tokens=burst, at_ms=0), 0, 0
    for is_extra, passed_ms in happened:
        at_ms += passed_ms
        if is_extra:
            after = budget.taken(rule, bucket, at_ms)
            extra += after is not None
            bucket = after or bucket
        else:
            ordinary += 1
            bucket = budget.filled(rule, bucket, at_ms)
    assert extra <= burst + share * ordinary + per_s * at_ms / 1_000 + 1e-6


@given(st.floats(0.01, 5), st.floats(0, 0.99))
def test_a_budget_that_time_fills_says_when(per_s: float, left: float) -> None:
    rule, bucket = Rule(share=0.1, burst=10, per_s=per_s), Bucket(tokens=left, at_ms=7)
    due_ms = budget.due_ms(rule, bucket)
    assert due_ms is not None
    assert budget.taken(rule, bucket, due_ms) is not None
    assert budget.taken(rule, bucket, due_ms - 3) is None or left > 1 - per_s * 0.003


# -- The breaker --------------------------------------------------------------------------------------------------------


def broken(times: int = 5) -> Breaker:
    breaker: Breaker = Closed()
    for number in range(times):
        breaker = breakers.failed(POLICY, breaker, number, probe=False)
    return breaker


def test_failures_in_a_row_open_it_and_one_success_between_does_not() -> None:
    assert isinstance(broken(4), Closed)
    assert isinstance(broken(5), Open)
    breaker = breakers.finished(POLICY, broken(4), 5)
    assert isinstance(breakers.failed(POLICY, breaker, 6, probe=False), Closed)


def often_failing(failures: int, of: int, calls: int = 60) -> Breaker:
    """So many of so many fail, evenly mixed."""
    breaker: Breaker = Closed()
    for number in range(calls):
        if number * failures % of < failures:
            breaker = breakers.failed(POLICY, breaker, number, probe=False)
        else:
            breaker = breakers.finished(POLICY, breaker, number)
        if isinstance(breaker, Open):
            break
    return breaker


def run_that_opens(breaker: Breaker) -> int:
    """How many failures in a row it takes."""
    for number in range(1, 100):
        breaker = breakers.failed(POLICY, breaker, 100, probe=False)
        if isinstance(breaker, Open):
            return number
    raise AssertionError(breaker)


def test_a_model_that_hardly_ever_answers_is_left_alone_and_one_that_often_fails_is_not() -> None:
    assert isinstance(often_failing(9, 10), Open)
    for failures, of in [(1, 5), (3, 5), (3, 4)]:
        assert isinstance(often_failing(failures, of), Closed)


@pytest.mark.parametrize(("failures", "of", "telling"), [(0, 5, 5), (1, 5, 5), (2, 5, 8), (3, 5, 13)])
def test_the_more_a_model_fails_the_more_failures_in_a_row_it_takes_to_call_it_gone(
    failures: int, of: int, telling: int
) -> None:
    breaker = often_failing(failures, of, calls=30)
    assert isinstance(breaker, Closed)
    assert run_that_opens(breakers.finished(POLICY, breaker, 30)) == pytest.approx(telling, abs=2)


def test_a_breaker_that_is_closed_again_remembers_what_is_normal() -> None:
    breaker = breakers.finished(POLICY, often_failing(3, 5, calls=30), 30)
    telling = run_that_opens(breaker)
    for number in range(telling):
        breaker = breakers.failed(POLICY, breaker, 31 + number, probe=False)
    for _ in range(POLICY.probes_to_close):
        breaker = breakers.spoke(POLICY, breaker, probe=True)
    assert isinstance(breaker, Closed)
    assert run_that_opens(breaker) == pytest.approx(telling, abs=2)


def test_it_is_open_then_half_open_and_two_probes_that_speak_close_it() -> None:
    breaker = broken()
    assert isinstance(breaker, Open)
    assert breakers.is_open(breaker, breaker.until_ms - 1)
    assert breakers.is_half_open(breaker, breaker.until_ms)
    breaker = breakers.spoke(POLICY, breaker, probe=False)
    breaker = breakers.spoke(POLICY, breaker, probe=True)
    assert isinstance(breaker, Open)
    assert isinstance(breakers.spoke(POLICY, breaker, probe=True), Closed)


def test_each_probe_that_fails_doubles_the_time_up_to_a_limit() -> None:
    breaker, opened_ms = broken(), list[int]()
    for at_ms in range(1_000, 11_000, 1_000):
        breaker = breakers.failed(POLICY, breaker, at_ms, probe=True)
        assert isinstance(breaker, Open)
        opened_ms.append(breaker.until_ms - at_ms)
    assert opened_ms[:4] == [2_000, 4_000, 8_000, 16_000]
    assert opened_ms[-1] == POLICY.open_ms_max


def test_once_a_probe_has_spoken_the_next_is_soon_made() -> None:
    breaker = broken()
    for at_ms in (1_000, 2_000, 3_000):
        breaker = breakers.failed(POLICY, breaker, at_ms, probe=True)
    breaker = breakers.spoke(POLICY, breaker, probe=True)
    breaker = breakers.failed(POLICY, breaker, 20_000, probe=True)
    assert isinstance(breaker, Open)
    assert breaker.until_ms == 20_000 + POLICY.open_ms
    assert isinstance(breakers.spoke(POLICY, breaker, probe=True), Closed)


# -- The limit ----------------------------------------------------------------------------------------------------------

moves = st.tuples(st.sampled_from([grown, refused, slowed]), st.integers(0, 1_000), st.integers(0, 300))


@given(st.lists(moves, max_size=300), st.integers(1, 5), st.integers(5, 300))
def test_the_limit_stays_within_its_bounds(happened: list[tuple[object, int, int]], least: int, most: int) -> None:
    policy = replace(POLICY, limit_min=least / 5, limit_max=most, plateau_ms=1_000)
    limit, at_ms = first(policy), 0
    for move, passed_ms, number in happened:
        at_ms += passed_ms
        if move is grown:
            limit = grown(policy, limit, at_ms, number)
        elif move is refused:
            limit = refused(policy, limit, at_ms, at_ms - number)
        else:
            limit = slowed(policy, limit, at_ms, at_ms - number)
        assert least / 5 <= limit.now <= most
        assert 1 <= places(limit) <= most


def test_refusals_of_one_round_count_once() -> None:
    once = refused(POLICY, first(POLICY), 1_000, 500)
    assert refused(POLICY, once, 1_001, 500).now == once.now
    assert refused(POLICY, once, 1_500, 1_000).now < once.now


def test_a_refusal_takes_away_the_share_that_was_refused_and_at_most_half() -> None:
    def after(*outcomes: bool) -> float:
        limit = replace(first(POLICY), decreased_at_ms=1)
        for is_refused in outcomes:
            limit = refused(POLICY, limit, 0, 0) if is_refused else accepted(POLICY, limit)
        return refused(POLICY, limit, 2, 1).now / first(POLICY).now

    assert after(*[False] * 200) == pytest.approx(1 - POLICY.refused_weight, abs=0.01)
    assert after(*[False, False, False, True] * 50) == pytest.approx(0.75, abs=0.1)
    assert after(*[True] * 200) == 0.5


def test_a_limit_that_is_not_in_use_does_not_grow() -> None:
    assert grown(POLICY, first(POLICY), 0, 3) == first(POLICY)
    assert grown(POLICY, first(POLICY), 0, 32).now > first(POLICY).now


# -- First tokens -------------------------------------------------------------------------------------------------------


def test_quantiles_need_samples_and_forget_old_ones() -> None:
    known = Latency()
    for number in range(1, 101):
        known = latency.heard(POLICY, known, number, number)
        if number < POLICY.samples_min:
            assert latency.quantile(POLICY, known, number, 0.5) is None
    assert latency.quantile(POLICY, known, 100, 0.5) == 50
    assert latency.quantile(POLICY, known, 100, 0.95) == 95
    assert latency.quantile(POLICY, known, 100 + POLICY.samples_age_ms, 0.5) is None


def test_the_losers_of_races_do_not_make_a_model_look_faster_than_it_is() -> None:
    known = Latency()
    for number in range(1_000):
        # One in ten is late; it is hedged at the p95 and closed.
        if number % 10 == 9:
            late_ms = latency.quantile(POLICY, known, number, 0.95) or 10_000
            known = latency.unheard(POLICY, known, number, late_ms + 200)
        else:
            known = latency.heard(POLICY, known, number, 300 + number % 7)
    assert (latency.quantile(POLICY, known, 1_000, 0.95) or 0) > 400


@given(st.lists(st.integers(1, 10_000), min_size=20, max_size=300), st.floats(0.01, 1))
def test_a_quantile_is_one_of_the_samples_and_so_many_are_not_beyond_it(values: list[int], share: float) -> None:
    known = Latency()
    for number, value in enumerate(values):
        known = latency.heard(POLICY, known, number, value)
    kept = values[-POLICY.samples_max :]
    found = latency.quantile(POLICY, known, len(values), share)
    assert found in kept
    assert found is not None
    assert sum(value <= found for value in kept) >= share * len(kept)


# -- The gate -----------------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """A gate, fed by hand."""

    policy: Policy = POLICY
    gate: Gate = field(default_factory=Gate)
    decisions: tuple[Decision, ...] = ()
    at_ms: int = 0

    def on(self, *events: Event) -> Told:
        for event in events:
            self.at_ms = event.at_ms
            self.gate, self.decisions = step(self.policy, self.gate, event)
        return self

    def wake(self) -> int:
        due_ms = wake_ms(self.policy, self.gate, self.at_ms)
        assert due_ms is not None
        return due_ms

    def granted(self) -> list[int]:
        return [one.ticket for one in self.decisions if isinstance(one, Granted)]

    def ask(self, *tickets: int, model: str = A, at_ms: int | None = None, **more: object) -> Told:
        for ticket in tickets:
            waiting = Waiting(ticket=ticket, model=model, **more)  # pyright: ignore[reportArgumentType]
            self.on(Asked(at_ms=self.at_ms if at_ms is None else at_ms, waiting=waiting))
        return self

    def leave(self, *tickets: int, manner: str = "finished", after_ms: int | None = None, took_ms: int = 10) -> Told:
        for ticket in tickets:
            end = End(manner, after_ms)  # pyright: ignore[reportArgumentType]
            self.on(Left(at_ms=self.at_ms + took_ms, ticket=ticket, end=end))
        return self


def few(most: int = 1) -> Told:
    return Told(gate=Gate(providers={"p": most}))


def test_a_place_is_given_at_once_where_there_is_one() -> None:
    assert Told().ask(1).granted() == [1]


def test_who_waits_is_next_when_a_place_is_free_and_a_ticket_that_was_withdrawn_is_not() -> None:
    told = few().ask(1, 2, 3)
    assert told.granted() == []
    told.on(Withdrawn(at_ms=5, ticket=2)).leave(1)
    assert told.granted() == [3]


def test_interactive_calls_go_before_batch_ones_and_small_documents_before_huge_ones() -> None:
    told = few(2).ask(1, document="huge", lane="batch").ask(2, document="huge")
    told.ask(3, document="batch", lane="batch").ask(4, 5, document="huge").ask(6, document="small")
    assert told.leave(1).granted() == [6]
    assert told.leave(2).granted() == [4]
    assert told.leave(6).granted() == [5]
    assert told.leave(4).granted() == [3]


def test_all_models_of_a_provider_share_what_it_was_configured_for() -> None:
    assert few().ask(1).ask(2, model=B).granted() == []


@pytest.mark.parametrize("manner", ["refused", "overloaded"])
def test_retry_after_holds_the_model_and_is_told(manner: str) -> None:
    told = Told().ask(1, at_ms=100).leave(1, manner=manner, after_ms=2_000)
    (tell,) = told.decisions
    assert isinstance(tell, Tell)
    assert (tell.news.reason, tell.news.until_ms) == ("retry_after", 2_110)
    assert told.ask(2).granted() == []
    assert told.wake() == 2_110
    assert told.on(Ticked(at_ms=2_109)).granted() == []
    assert told.on(Ticked(at_ms=2_110)).granted() == [2]


def test_a_refusal_without_retry_after_is_one_too() -> None:
    told = Told().ask(1, at_ms=100).leave(1, manner="refused").ask(2)
    assert told.granted() == []
    assert told.wake() == 110 + POLICY.refused_hold_ms


def test_what_another_process_was_told_holds_here_too() -> None:
    told = Told().on(Held(at_ms=10, model=A, reason="retry_after", until_ms=9_000)).ask(1)
    assert told.granted() == []
    assert avoid(POLICY, told.gate, 10, (A, B)) == {A}
    assert told.on(Ticked(at_ms=9_000)).granted() == [1]


def poor(*names: str) -> Told:
    """Two of three calls of these fail."""
    told, tickets = Told(), itertools.count(500)
    for name in names:
        for number in range(30):
            ticket = next(tickets)
            told.ask(ticket, model=name).leave(ticket, manner="finished" if number % 3 == 0 else "failed")
    return told


def test_a_model_that_answers_poorly_is_passed_over_for_one_that_answers_well_and_for_no_other() -> None:
    told = poor(A)
    assert avoid(POLICY, told.gate, told.at_ms, (A, B)) == {A}
    assert avoid(POLICY, told.gate, told.at_ms, (A,)) == set()
    assert avoid(POLICY, told.gate, told.at_ms + POLICY.window_ms, (A, B)) == set(), "it is asked again after a while"
    both = poor(A, B)
    assert avoid(POLICY, both.gate, both.at_ms, (A, B)) == set()
    for ticket in range(1, 30):
        both.ask(ticket, model=B).leave(ticket, manner="failed")
    assert avoid(POLICY, both.gate, both.at_ms, (B, A)) == {B}, "better poor than gone"
    assert both.ask(99, model=A).granted() == [99]


def opened() -> Told:
    told = Told()
    for ticket in range(1, 6):
        told.ask(ticket).leave(ticket, manner="failed")
    assert any(isinstance(one, Tell) and one.news.reason == "breaker_open" for one in told.decisions)
    return told


def test_an_open_breaker_lets_nobody_ask_but_a_probe_when_its_time_is_over() -> None:
    told = opened()
    assert told.ask(10, 11).granted() == []
    due_ms = told.wake()
    assert due_ms == told.at_ms + POLICY.open_ms
    assert told.on(Ticked(at_ms=due_ms)).granted() == [10]
    assert told.on(Spoke(at_ms=due_ms + 50, ticket=10, first_token_ms=50)).granted() == [11]
    told.on(Spoke(at_ms=due_ms + 90, ticket=11, first_token_ms=40))
    assert any(isinstance(one, Tell) and one.news.reason == "released" for one in told.decisions)
    assert told.ask(12, 13).granted() == [13]


def test_a_probe_that_was_stopped_leaves_room_for_another() -> None:
    told = opened().ask(10, 11)
    told.on(Ticked(at_ms=told.at_ms + POLICY.open_ms))
    assert told.leave(10, manner="closed").granted() == [11]


def test_a_probe_that_is_silent_has_failed_and_is_waited_for_no_longer() -> None:
    told = practised()
    for ticket in range(201, 206):
        told.ask(ticket).leave(ticket, manner="failed")
    due_ms = told.ask(210, 211).wake()
    assert due_ms is not None
    assert told.on(Ticked(at_ms=due_ms)).granted() == [210]
    told.on(HedgeAsked(at_ms=due_ms + 1_000, of=210, ticket=212, chain=CHAIN))
    assert GiveUp(210) in told.decisions
    health = told.gate.models[A]
    assert isinstance(health.breaker, Open)
    assert health.breaker.times == 2


def test_a_call_from_before_its_model_went_out_of_order_is_not_waited_for_either() -> None:
    told = practised(10).ask(300)  # No budget for a second call.
    for ticket in range(201, 206):
        told.ask(ticket).leave(ticket, manner="failed")
    told.on(HedgeAsked(at_ms=told.at_ms + 1_000, of=300, ticket=301, chain=CHAIN))
    assert GiveUp(300) in told.decisions


def test_a_probe_of_a_model_whose_pace_nobody_knows_has_some_time() -> None:
    told = opened().ask(10)
    told.on(Ticked(at_ms=told.at_ms + POLICY.open_ms))
    assert hedge_after_ms(POLICY, told.gate.models[A], told.at_ms) == POLICY.probe_ms
    told.on(HedgeAsked(at_ms=told.at_ms + POLICY.probe_ms, of=10, ticket=99, chain=CHAIN))
    assert GiveUp(10) in told.decisions
    gave_up_ms = told.at_ms
    assert told.leave(10, manner="failed").ask(11).wake() == gave_up_ms + 2 * POLICY.open_ms


def test_a_release_elsewhere_closes_it_here() -> None:
    told = opened().ask(10)
    assert told.on(Released(at_ms=told.at_ms + 1, model=A)).granted() == [10]


def test_who_waits_for_a_model_that_goes_out_of_order_chooses_anew() -> None:
    told = Told(gate=Gate(providers={"p": 5})).ask(*range(1, 7))
    for ticket in range(1, 5):
        told.leave(ticket, manner="failed")
        told.ask(10 + ticket)
    told.leave(5, manner="failed")
    diverted = {one.ticket for one in told.decisions if isinstance(one, Diverted)}
    assert diverted
    assert diverted <= {one.ticket for one in told.gate.waiting}


def test_who_waits_for_a_dead_model_chooses_anew_when_another_comes_back() -> None:
    told = opened().on(Held(at_ms=60, model=B, reason="retry_after", until_ms=5_000)).ask(10)
    told.on(Held(at_ms=61, model=A, reason="breaker_open", until_ms=60_000))
    due_ms = told.wake()
    assert due_ms == 5_000 - POLICY.patience_ms
    told.on(Ticked(at_ms=due_ms))
    assert told.decisions == (Diverted(10),)


def test_repeated_calls_wait_for_the_budget_and_ordinary_ones_do_not() -> None:
    policy = replace(POLICY, retry_burst=2.0, retries_per_s=0.5)
    told = Told(policy=policy).ask(1, 2, kind="again")
    assert told.ask(3, kind="again").granted() == []
    assert avoid(policy, told.gate, 0, (A, B), A) == {A}
    assert told.ask(4).granted() == [4]
    due_ms = told.wake()
    assert due_ms <= 2_001
    assert told.on(Ticked(at_ms=due_ms)).granted() == [3]


# -- Second calls -------------------------------------------------------------------------------------------------------


def practised(calls: int = 40) -> Told:
    """A model whose p95 is known, with a full hedge budget."""
    told = Told()
    for ticket in range(1_000, 1_000 + calls):
        told.ask(ticket).on(Spoke(at_ms=told.at_ms + 300, ticket=ticket, first_token_ms=300)).leave(ticket)
    return told


def hedge(told: Told, of: int, ticket: int = 99) -> list[tuple[int, str]]:
    told.on(HedgeAsked(at_ms=told.at_ms + 300, of=of, ticket=ticket, chain=CHAIN))
    return [(one.ticket, one.model) for one in told.decisions if isinstance(one, Granted)]


def test_a_late_call_is_hedged_by_its_own_model() -> None:
    assert hedge(practised().ask(1), 1) == [(99, A)]


def test_without_a_budget_nothing_is_hedged() -> None:
    assert hedge(practised(10).ask(1), 1) == []


def test_what_has_spoken_is_not_hedged() -> None:
    told = practised().ask(1)
    assert hedge(told.on(Spoke(at_ms=told.at_ms + 5, ticket=1, first_token_ms=5)), 1) == []


def test_while_others_wait_nothing_is_hedged() -> None:
    told = practised(60).ask(1)
    told.gate = replace(told.gate, providers={"p": 1})
    assert hedge(told.ask(2), 1) == []


def test_when_the_model_itself_is_late_another_is_asked_and_then_all_late_calls_move() -> None:
    told = practised(100).ask(*range(1, 8))
    asked = [hedge(told, of, 90 + of) for of in range(1, 6)]
    assert [asked[0], asked[3]] == [[(91, A)], [(94, B)]]
    assert {one.ticket for one in told.decisions if isinstance(one, GiveUp)} >= {1, 2, 3, 4, 5}
    assert A in avoid(POLICY, told.gate, told.at_ms, (A, B))


@pytest.mark.parametrize(("took_ms", "given_up"), [(10, {1}), (100, {1, 91})])
def test_a_second_call_is_given_up_with_the_first_once_it_is_late_itself(took_ms: int, given_up: set[int]) -> None:
    told = practised(100).ask(*range(1, 8))
    assert hedge(told, 1, 91) == [(91, A)]
    for ticket in range(2, 7):
        told.leave(ticket, manner="failed", took_ms=took_ms)
    assert {one.ticket for one in told.decisions if isinstance(one, GiveUp)} == given_up


def test_late_calls_are_given_up_when_another_process_finds_their_model_out_of_order() -> None:
    told = practised(100).ask(*range(1, 8))
    assert hedge(told, 1, 91) == [(91, A)]
    at_ms = told.at_ms + 1_000
    told.on(Held(at_ms=at_ms, model=A, reason="breaker_open", until_ms=at_ms + 1_000))
    assert {one.ticket for one in told.decisions if isinstance(one, GiveUp)} == {1, 91}


# -- Whatever happens ---------------------------------------------------------------------------------------------------

tickets = st.integers(0, 11)
steps = st.integers(0, 3_000)
models = st.sampled_from(CHAIN)
things = st.one_of(
    st.tuples(
        st.just("ask"),
        models,
        st.sampled_from(["interactive", "batch"]),
        st.sampled_from(["first", "again"]),
        st.sampled_from(["d1", "d2"]),
    ),
    st.tuples(st.just("hedge"), tickets),
    st.tuples(st.just("withdraw"), tickets),
    st.tuples(st.just("speak"), tickets, st.integers(1, 5_000)),
    st.tuples(
        st.just("leave"),
        tickets,
        st.sampled_from(["finished", "failed", "refused", "overloaded", "closed", "unused"]),
        st.none() | st.integers(0, 9_000),
    ),
    st.tuples(st.just("held"), models, st.sampled_from(["retry_after", "breaker_open"]), st.integers(0, 9_000)),
    st.tuples(st.just("released"), models),
    st.tuples(st.just("tick")),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(steps, things), max_size=120))
def test_the_gate_keeps_its_promises_whatever_happens(happened: list[tuple[int, tuple[object, ...]]]) -> None:  # noqa: C901, PLR0912, PLR0915 -- one arm a thing
    policy = replace(POLICY, limit_first=4, limit_max=6, retry_burst=3.0, retries_per_s=0.2, samples_min=3)
    told = Told(policy=policy, gate=Gate(providers={"p": 7}))
    waiting: set[int] = set()
    open_: set[int] = set()
    ever: set[int] = set()
    number = 0
    ordinary = again = hedges = 0
    for passed_ms, thing in happened:
        at_ms = told.at_ms + passed_ms
        before = told.gate
        known = sorted(waiting | open_)
        chosen = thing[1] if len(thing) > 1 else None
        picked = known[chosen % len(known)] if known and isinstance(chosen, int) else -1
        kinds = {one.ticket: one.kind for one in before.waiting}
        match thing:
            case ("ask", str() as model, lane, kind, str() as document):
                number += 1
                waiting.add(number)
                kinds[number] = kind  # pyright: ignore[reportArgumentType]
                one = Waiting(ticket=number, model=model, lane=lane, kind=kind, document=document)  # pyright: ignore[reportArgumentType]
                told.on(Asked(at_ms=at_ms, waiting=one))
            case ("hedge", _) if picked in open_:
                number += 1
                told.on(HedgeAsked(at_ms=at_ms, of=picked, ticket=number, chain=CHAIN))
            case ("withdraw", _) if picked in waiting:
                waiting.discard(picked)
                told.on(Withdrawn(at_ms=at_ms, ticket=picked))
            case ("speak", _, int() as first_token_ms) if picked in open_:
                told.on(Spoke(at_ms=at_ms, ticket=picked, first_token_ms=first_token_ms))
            case ("leave", _, manner, after_ms) if picked in open_:
                open_.discard(picked)
                told.on(Left(at_ms=at_ms, ticket=picked, end=End(manner, after_ms)))  # pyright: ignore[reportArgumentType]
            case ("held", str() as model, reason, int() as for_ms):
                told.on(Held(at_ms=at_ms, model=model, reason=reason, until_ms=at_ms + for_ms))  # pyright: ignore[reportArgumentType]
            case ("released", str() as model):
                told.on(Released(at_ms=at_ms, model=model))
            case _:
                told.on(Ticked(at_ms=at_ms))
        for decision in told.decisions:
            match decision:
                case Granted(ticket=ticket, model=model):
                    assert ticket not in ever, "granted twice"
                    ever.add(ticket)
                    kind = kinds.get(ticket, "hedge")
                    assert kind == "hedge" or ticket in waiting, "granted though withdrawn"
                    waiting.discard(ticket)
                    open_.add(ticket)
                    ordinary += kind == "first"
                    again += kind == "again"
                    hedges += kind == "hedge"
                    health = told.gate.models[model]
                    assert at_ms >= health.held_until_ms
                    if isinstance(health.breaker, Open):
                        assert at_ms >= health.breaker.until_ms, "asked though open"
                        assert health.flying[ticket].probe
                    else:
                        assert len(health.flying) <= places(health.limit), "more than the limit"
                case Diverted(ticket=ticket):
                    assert ticket in waiting
                case GiveUp(ticket=ticket):
                    assert ticket in open_
                case Tell():
                    pass
        flying = [ticket for health in told.gate.models.values() for ticket in health.flying]
        assert sorted(flying) == sorted(open_)
        assert len(flying) <= 7
        assert {one.ticket for one in told.gate.waiting} == waiting
        for health in told.gate.models.values():
            assert sum(flight.probe for flight in health.flying.values()) <= 1
            assert 1 <= places(health.limit) <= 6
    seconds = told.at_ms / 1_000
    assert again <= 2 * (3.0 + 0.2 * seconds) + 0.1 * ordinary + 1e-6  # Two models, a burst each.
    assert hedges <= 0.05 * ordinary + 1e-6


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=40))
def test_nobody_waits_for_ever_where_calls_end(asked: list[tuple[int, bool]]) -> None:
    """All that ask are granted in the end, by the wakes that the gate itself asks for."""
    policy = replace(POLICY, limit_first=2, retry_burst=1.0, retries_per_s=0.5)
    told = Told(policy=policy)
    wanted, granted = set[int](), set[int]()
    for number, (gap, fails) in enumerate(asked, 1):
        wanted.add(number)
        told.ask(number, at_ms=told.at_ms + gap, kind="again" if fails else "first")
        for ticket in told.granted():
            granted.add(ticket)
            told.leave(ticket, manner="refused" if fails else "finished")
            granted.update(told.granted())
    for _ in range(400):
        for ticket in [t for health in told.gate.models.values() for t in health.flying]:
            told.leave(ticket)
            granted.update(told.granted())
        due_ms = wake_ms(policy, told.gate, told.at_ms)
        if due_ms is not None:
            told.on(Ticked(at_ms=due_ms))
            granted.update(told.granted())
        elif granted == wanted:
            break
    assert granted == wanted
