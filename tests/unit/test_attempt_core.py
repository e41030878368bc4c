"""Given a delivery that stands somewhere, when something happens, then this is done; and what holds whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.events import (
    AnyFact,
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    CallReserved,
    CallSettled,
    CellDeferred,
    CellFailed,
)
from schemas.values import ErrorKind
from services.shared.attempt.core import step
from services.shared.attempt.effects import (
    Admit,
    Append,
    Claim,
    CloseCall,
    Conclude,
    Effect,
    Ink,
    LetGo,
    StartCall,
    WaitUntil,
    Withdraw,
)
from services.shared.attempt.errors import ERRORS
from services.shared.attempt.events import (
    Admitted,
    AttemptEvent,
    Begin,
    CallClosed,
    Claimed,
    Counted,
    DeadlinePassed,
    Diverted,
    Ended,
    HedgeDue,
    Refused,
    RetryDue,
    StopAsked,
    TextArrived,
    TooDear,
    Troubled,
)
from services.shared.attempt.plan import Plan, Usage
from services.shared.attempt.repetition import repeats
from services.shared.attempt.states import AttemptState, Calling, Fresh, Over
from services.shared.models.registry import Price

DEADLINE_MS = 100_000
PLAN = Plan(
    cell="a",
    revision=1,
    job=3,
    delivery=2,
    writer="w",
    chain=("p/one", "p/two"),
    deadline_ms=DEADLINE_MS,
    tokens_in_max=200,
    tokens_out_max=1_000,
    tries_max=4,
    prices={"p/one": Price(1.0, 2.0)},
)
FORMED = replace(PLAN, structured="bad_answer")


class Told:
    """A delivery, fed by hand."""

    def __init__(self, plan: Plan = PLAN) -> None:
        self.plan = plan
        self.state: AttemptState = Fresh()
        self.effects: tuple[Effect, ...] = ()
        self.all: list[Effect] = []

    def on(self, *events: AttemptEvent) -> Told:
        for event in events:
            self.state, self.effects = step(self.plan, self.state, event)
            self.all += self.effects
        return self

    def facts(self) -> list[AnyFact]:
        return [effect.fact for effect in self.effects if isinstance(effect, Append)]

    def kinds(self) -> list[str]:
        return [type(e.fact).__name__ if isinstance(e, Append) else type(e).__name__ for e in self.effects]


def calling(plan: Plan = PLAN) -> Told:
    return Told(plan).on(Begin(at_ms=0), Admitted(at_ms=1), Claimed(at_ms=2))


def stop(reason: str = "stopped", *, outranked: bool = False) -> StopAsked:
    return StopAsked(at_ms=50, reason=reason, asked_at_ms=40, outranked=outranked)  # pyright: ignore[reportArgumentType]


def trouble(kind: ErrorKind, *, after_ms: int | None = None, at_ms: int = 10, call: int = 1) -> Troubled:
    return Troubled(at_ms=at_ms, call=call, kind=kind, message="", retry_after_ms=after_ms, jitter=0.5)


def text(words: str, at_ms: int = 10, call: int = 1) -> TextArrived:
    return TextArrived(at_ms=at_ms, call=call, text=words)


# -- The plain way ------------------------------------------------------------------------------------------------------


def test_a_call_is_written_down_before_it_is_made() -> None:
    told = Told().on(Begin(at_ms=0))
    assert told.effects == (Admit("p/one"),)
    told.on(Admitted(at_ms=1))
    (claim,) = told.effects
    assert isinstance(claim, Claim)
    assert isinstance(claim.fact, AttemptStarted)
    assert claim.fact.attempt == 3_002_001
    assert claim.fact.cost_max == pytest.approx((200 * 1.0 + 1_000 * 2.0) / 1_000_000)
    told.on(Claimed(at_ms=2))
    assert told.effects == (StartCall(attempt=3_002_001, call=1, model="p/one"),)


def test_text_becomes_ink_at_its_offset_and_the_end_concludes() -> None:
    told = calling().on(text("Grüß "))
    (ink,) = told.effects
    assert isinstance(ink, Ink)
    assert (ink.ink.offset, ink.ink.text) == (0, "Grüß ")
    told.on(text("Gott"))
    (ink,) = told.effects
    assert isinstance(ink, Ink)
    assert ink.ink.offset == 5
    told.on(Counted(call=1, usage=Usage(90, 7)), Ended(at_ms=30, call=1, reason="stop"))
    assert told.kinds() == ["Conclude", "CallSettled", "LetGo"]
    done = told.effects[0]
    assert isinstance(done, Conclude)
    assert (done.text, done.cut, done.tokens_out, done.first_token_ms) == ("Grüß Gott", None, 7, 8)
    (bill,) = told.facts()
    assert isinstance(bill, CallSettled)
    assert (bill.tokens_in, bill.tokens_out, bill.exact, bill.outcome) == (90, 7, True, "finished")


def test_a_count_of_nothing_is_not_believed() -> None:
    told = calling().on(text("four"), Counted(call=1, usage=Usage(0, 0)), Ended(at_ms=30, call=1, reason="stop"))
    (bill,) = told.facts()
    assert isinstance(bill, CallSettled)
    assert (bill.tokens_in, bill.tokens_out, bill.exact) == (100, 1, False)


def test_a_claim_that_is_refused_makes_no_call() -> None:
    told = Told().on(Begin(at_ms=0), Admitted(at_ms=1), Refused(at_ms=2, release="leave"))
    assert told.effects == (LetGo("leave"),)
    assert told.state == Over()


def test_a_call_that_the_document_s_budget_does_not_leave_gives_the_job_back_and_says_what_it_needs() -> None:
    told = Told().on(Begin(at_ms=0), Admitted(at_ms=1), TooDear(at_ms=2, whose="document", cost_max=0.5))
    deferred = CellDeferred(at_ms=2, cell="a", attempt=3_002_001, cost_needed=0.5)
    assert told.effects == (Append(deferred), LetGo("ack"))


def test_a_retry_that_the_cell_s_budget_does_not_leave_fails_the_cell() -> None:
    told = calling().on(trouble("cut"), RetryDue(at_ms=600), Admitted(at_ms=601))
    told.on(TooDear(at_ms=602, whose="cell", cost_max=0.5))
    assert told.kinds() == ["CellFailed", "LetGo"]
    (failed,) = told.facts()
    assert isinstance(failed, CellFailed)
    assert failed.kind == "budget"


def test_a_hedge_that_is_too_dear_is_not_made_and_the_call_goes_on() -> None:
    told = calling().on(HedgeDue(at_ms=500, model="p/two"), TooDear(at_ms=501, whose="document", cost_max=0.5))
    assert told.effects == ()
    told.on(text("slow but sure", at_ms=900), Ended(at_ms=950, call=1, reason="stop"))
    assert told.kinds() == ["Conclude", "CallSettled", "LetGo"]


def test_a_repair_reserves_the_answer_that_it_sends_back() -> None:
    answer = "{" * 1_000
    told = calling(FORMED).on(
        text(answer), Ended(at_ms=20, call=1, reason="stop", problem="no JSON"), Admitted(at_ms=21)
    )
    (claim,) = told.effects
    assert isinstance(claim, Claim)
    assert claim.fact.tokens_in_max >= 200 + 500
    assert claim.fact.cost_max == pytest.approx((claim.fact.tokens_in_max + 2_000) / 1_000_000)


def test_a_count_of_ten_times_too_much_is_not_believed() -> None:
    told = calling().on(text("four"), Counted(call=1, usage=Usage(1_000, 10)), Ended(at_ms=30, call=1, reason="stop"))
    (bill,) = told.facts()
    assert isinstance(bill, CallSettled)
    assert (bill.tokens_in, bill.tokens_out, bill.exact) == (100, 1, False)


# -- Errors -------------------------------------------------------------------------------------------------------------


def test_every_kind_of_error_has_its_row() -> None:
    assert set(ERRORS) == set(ErrorKind.__args__)


def test_the_same_model_is_asked_once_more_after_a_drawn_wait() -> None:
    told = calling().on(trouble("overloaded"))
    assert told.kinds() == ["CallSettled", "AttemptFailed", "WaitUntil"]
    failed = told.facts()[1]
    assert isinstance(failed, AttemptFailed)
    assert failed.next_model == "p/one"
    assert failed.retry_at_ms == 10 + 500
    assert failed.message == ERRORS["overloaded"].reads
    told.on(RetryDue(at_ms=510))
    assert told.effects == (Admit("p/one", again=True),)
    told.on(Admitted(at_ms=511))
    (claim,) = told.effects
    assert isinstance(claim, Claim)
    assert claim.fact.attempt == 3_002_002


def test_then_the_next_model_is_asked_at_once() -> None:
    told = calling().on(trouble("cut"), RetryDue(at_ms=600), Admitted(at_ms=601), Claimed(at_ms=602))
    told.on(trouble("cut", at_ms=700))
    assert told.kinds() == ["CallSettled", "AttemptFailed", "Admit"]
    assert told.effects[-1] == Admit("p/two")


def test_what_a_failed_try_had_written_is_told_but_for_an_answer_that_nobody_was_shown() -> None:
    for plan, left in ((PLAN, "Half a"), (replace(PLAN, structured="bad_answer"), "")):
        failed = calling(plan).on(text("Half a"), trouble("cut")).facts()[1]
        assert isinstance(failed, AttemptFailed)
        assert failed.text == left


def test_a_short_retry_after_is_obeyed_and_a_long_one_sends_to_the_next_model() -> None:
    assert calling().on(trouble("rate_limited", after_ms=2_000)).effects[-1] == WaitUntil(2_010)
    assert calling().on(trouble("rate_limited", after_ms=60_000)).effects[-1] == Admit("p/two")


def test_with_one_model_even_a_long_retry_after_is_obeyed() -> None:
    alone = replace(PLAN, chain=("p/one",))
    assert calling(alone).on(trouble("rate_limited", after_ms=60_000)).effects[-1] == WaitUntil(60_010)


@pytest.mark.parametrize("kind", ["unauthorized", "model_unknown", "context_length", "refused", "no_model"])
def test_a_model_that_cannot_help_is_left_at_once_and_for_good(kind: ErrorKind) -> None:
    told = calling().on(trouble(kind))
    assert told.effects[-1] == Admit("p/two")
    told.on(Admitted(at_ms=11), Claimed(at_ms=12), trouble(kind, at_ms=13))
    assert told.kinds() == ["CallSettled", "AttemptFailed", "CellFailed", "LetGo"]
    failed = told.facts()[2]
    assert isinstance(failed, CellFailed)
    assert failed.kind == kind


def test_after_tries_max_the_cell_fails_with_the_last_reason() -> None:
    told = calling()
    for number in range(1, 5):
        told.on(trouble("server_error", at_ms=number * 5_000))
        if number < 4:
            told.on(RetryDue(at_ms=number * 5_000 + 4_000))
            told.on(Admitted(at_ms=number * 5_000 + 4_001), Claimed(at_ms=number * 5_000 + 4_002))
    assert told.kinds() == ["CallSettled", "AttemptFailed", "CellFailed", "LetGo"]
    assert [s.model for s in told.all if isinstance(s, StartCall)] == ["p/one", "p/one", "p/two", "p/two"]


def test_a_retry_that_would_come_after_the_deadline_is_not_waited_for() -> None:
    assert calling().on(trouble("overloaded", at_ms=DEADLINE_MS - 100)).kinds()[-2:] == ["CellFailed", "LetGo"]


def test_a_model_known_to_be_out_of_order_is_passed_over() -> None:
    assert Told().on(Begin(at_ms=0, avoid=frozenset({"p/one"}))).effects == (Admit("p/two"),)
    assert Told().on(Begin(at_ms=0, avoid=frozenset({"p/one", "p/two"}))).effects == (Admit("p/one"),)


def test_who_waits_for_a_model_that_goes_out_of_order_waits_for_the_next_one() -> None:
    told = Told().on(Begin(at_ms=0), Diverted(at_ms=1, avoid=frozenset({"p/one"})))
    assert told.effects == (Withdraw(), Admit("p/two"))
    told.on(Admitted(at_ms=2))
    (claim,) = told.effects
    assert isinstance(claim, Claim)
    assert isinstance(claim.fact, AttemptStarted)
    assert (claim.fact.attempt, claim.fact.model, claim.fact.fell_back_from) == (3_002_001, "p/two", "p/one")


@pytest.mark.parametrize("avoid", [frozenset[str](), frozenset({"p/two"}), frozenset({"p/one", "p/two"})])
def test_who_has_nothing_better_stays_where_it_is(avoid: frozenset[str]) -> None:
    told = Told().on(Begin(at_ms=0), Diverted(at_ms=1, avoid=avoid))
    assert told.effects == ()
    assert told.on(Admitted(at_ms=2)).kinds() == ["Claim"]


def test_a_model_that_cannot_help_is_not_waited_for_again() -> None:
    told = calling().on(trouble("refused"), Diverted(at_ms=11, avoid=frozenset({"p/two"})))
    assert told.effects == ()


def test_a_repair_is_no_repeated_call() -> None:
    told = calling(FORMED).on(text("{"), Ended(at_ms=20, call=1, reason="stop", problem="it is not JSON"))
    assert told.effects[-1] == Admit("p/one", again=False)


def test_a_retry_starts_the_text_anew() -> None:
    told = calling().on(text("half an ans"), trouble("cut"), RetryDue(at_ms=600), Admitted(at_ms=601))
    told.on(Claimed(at_ms=602), text("whole", at_ms=700))
    (ink,) = told.effects
    assert isinstance(ink, Ink)
    assert (ink.ink.attempt, ink.ink.offset) == (3_002_002, 0)
    told.on(Ended(at_ms=800, call=1, reason="stop"))
    assert [done.text for done in told.effects if isinstance(done, Conclude)] == ["whole"]


def test_refused_calls_cost_nothing_and_broken_ones_what_they_said() -> None:
    (bill, _) = calling().on(trouble("rate_limited")).facts()
    assert isinstance(bill, CallSettled)
    assert (bill.tokens_in, bill.tokens_out, bill.cost) == (0, 0, 0.0)
    (bill, _) = calling().on(text("x" * 40), trouble("cut")).facts()
    assert isinstance(bill, CallSettled)
    assert (bill.tokens_in, bill.tokens_out, bill.exact, bill.outcome) == (100, 10, False, "failed")


def test_a_call_that_closes_without_a_word_counts_as_cut() -> None:
    told = calling().on(text("half"), CallClosed(at_ms=20, call=1))
    assert told.kinds() == ["CallSettled", "AttemptFailed", "WaitUntil"]
    failed = told.facts()[1]
    assert isinstance(failed, AttemptFailed)
    assert failed.kind == "cut"


# -- Answers that will not do -------------------------------------------------------------------------------------------


def test_a_bad_answer_goes_back_once_with_what_is_wrong() -> None:
    told = calling(FORMED).on(text("{"), Ended(at_ms=20, call=1, reason="stop", problem="it is not JSON"))
    assert told.kinds() == ["CallSettled", "AttemptFailed", "Admit"]
    told.on(Admitted(at_ms=21), Claimed(at_ms=22))
    (start,) = told.effects
    assert isinstance(start, StartCall)
    assert start.repair is not None
    assert (start.model, start.repair.answer, start.repair.problem) == ("p/one", "{", "it is not JSON")
    told.on(text("[", at_ms=30), Ended(at_ms=40, call=1, reason="stop", problem="still not"))
    assert told.kinds() == ["CallSettled", "AttemptFailed", "CellFailed", "LetGo"]


def test_a_structured_answer_is_shown_to_nobody_before_it_is_whole() -> None:
    assert calling(FORMED).on(text("{")).effects == ()


def test_an_empty_answer_is_none() -> None:
    assert calling().on(Ended(at_ms=20, call=1, reason="stop")).kinds()[-1] == "Admit"


def test_the_length_limit_cuts_a_text_and_keeps_it() -> None:
    told = calling().on(text("as far as it went"), Ended(at_ms=20, call=1, reason="length"))
    done = told.effects[0]
    assert isinstance(done, Conclude)
    assert (done.text, done.cut) == ("as far as it went", "too_long")


def test_a_text_that_goes_round_in_a_circle_is_cut_kept_and_closed() -> None:
    told = calling().on(text("An opening sentence. "))
    for _ in range(100):
        told.on(text("and so on and on and "))
        if any(isinstance(effect, CloseCall) for effect in told.effects):
            break
    assert told.effects[-1] == CloseCall(1)
    told.on(CallClosed(at_ms=99, call=1))
    assert told.kinds() == ["CallSettled", "Conclude", "LetGo"]
    done = told.effects[1]
    assert isinstance(done, Conclude)
    assert done.cut == "repetition"
    assert done.text.startswith("An opening sentence. and so on")


def test_a_model_that_ignores_its_limit_is_cut() -> None:
    words = " ".join(str(number * 7919) for number in range(20_000))
    told = calling().on(text(words[: PLAN.tokens_out_max * 12 + 1]))
    assert told.effects[-1] == CloseCall(1)
    told.on(CallClosed(at_ms=99, call=1))
    assert [done.cut for done in told.effects if isinstance(done, Conclude)] == ["too_long"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("lorem ipsum dolor " * 60, True),
        ("a", False),
        ("no" * 400, True),
        ("-" * 3_000, False),
        ("| a | b |\n" + "| --- | --- |\n", False),
        ("Some opening words. " + "Ink dries slowly in the cold and damp scriptorium. " * 20, True),
        (" ".join(f"item {n} is {n * n}" for n in range(300)), False),
        ("x" * 10 + "".join(chr(97 + n % 26) * (n % 7 + 1) for n in range(60)) * 2, False),
    ],
)
def test_repetition_is_told_from_text(words: str, expected: bool) -> None:
    assert repeats(words) is expected


# -- Stops --------------------------------------------------------------------------------------------------------------


def test_a_stop_before_the_beginning_leaves_no_trace() -> None:
    assert Told().on(stop()).effects == (LetGo("ack"),)
    assert Told().on(Begin(at_ms=0), stop()).effects == (Withdraw(), LetGo("ack"))


def test_a_stop_while_the_claim_is_on_its_way_makes_no_call_and_signs_for_it() -> None:
    told = Told().on(Begin(at_ms=0), Admitted(at_ms=1), stop())
    assert told.effects == ()
    told.on(Claimed(at_ms=60))
    assert told.kinds() == ["CallSettled", "AttemptCancelled", "LetGo"]
    bill = told.facts()[0]
    assert isinstance(bill, CallSettled)
    assert (bill.outcome, bill.tokens_in, bill.cost) == ("cancelled", 0, 0.0)


def test_a_stop_while_streaming_closes_first_and_then_signs() -> None:
    told = calling().on(text("x" * 400), stop())
    assert told.effects == (CloseCall(1),)
    told.on(text("late"), CallClosed(at_ms=53, call=1))
    assert told.kinds() == ["CallSettled", "AttemptCancelled", "LetGo"]
    receipt = told.facts()[1]
    assert isinstance(receipt, AttemptCancelled)
    assert (receipt.asked_at_ms, receipt.closed_at_ms, receipt.calls_closed) == (40, 53, 1)
    assert (receipt.characters, receipt.tokens_saved) == (400, 900)
    assert receipt.text == "x" * 400, "who comes back reads what there was"


def test_a_stop_between_two_tries_begins_nothing() -> None:
    told = calling().on(trouble("overloaded"), stop())
    assert told.kinds() == ["AttemptCancelled", "LetGo"]
    assert told.on(RetryDue(at_ms=510)).effects == ()


@pytest.mark.parametrize(("reason", "how"), [("writer_stopping", "nak"), ("bus_lost", "leave"), ("superseded", "ack")])
def test_who_gets_the_job_depends_on_why_it_ends(reason: str, how: str) -> None:
    told = calling().on(stop(reason), CallClosed(at_ms=53, call=1))
    assert told.effects[-1] == LetGo(how)  # pyright: ignore[reportArgumentType]


def test_a_job_in_other_hands_is_left_to_them() -> None:
    told = calling().on(stop("superseded", outranked=True), CallClosed(at_ms=53, call=1))
    assert told.effects[-1] == LetGo("leave")


def test_the_deadline_closes_the_call_and_fails_the_cell() -> None:
    told = calling().on(text("some"), DeadlinePassed(at_ms=DEADLINE_MS))
    assert told.effects == (CloseCall(1),)
    told.on(CallClosed(at_ms=DEADLINE_MS + 1, call=1))
    assert told.kinds() == ["CallSettled", "AttemptFailed", "CellFailed", "LetGo"]


# -- Hedges -------------------------------------------------------------------------------------------------------------


def racing() -> Told:
    told = calling().on(HedgeDue(at_ms=500, model="p/two"))
    (claim,) = told.effects
    assert isinstance(claim, Claim)
    assert isinstance(claim.fact, CallReserved)
    told.on(Claimed(at_ms=501))
    assert told.effects == (StartCall(attempt=3_002_001, call=2, model="p/two"),)
    return told


def test_the_first_to_speak_wins_and_the_other_is_closed() -> None:
    told = racing().on(text("quick", at_ms=600, call=2))
    assert told.effects[0] == CloseCall(1)
    told.on(text("slow", at_ms=601, call=1))
    assert told.effects == ()
    told.on(CallClosed(at_ms=602, call=1))
    (bill,) = told.facts()
    assert isinstance(bill, CallSettled)
    assert (bill.call, bill.outcome) == (1, "lost_race")
    told.on(Ended(at_ms=700, call=2, reason="stop"))
    done = told.effects[0]
    assert isinstance(done, Conclude)
    assert (done.text, done.model, done.first_token_ms) == ("quick", "p/two", 99)


def test_one_of_two_may_fail() -> None:
    told = racing().on(trouble("overloaded", call=1, at_ms=600))
    assert told.kinds() == ["CallSettled"]
    told.on(trouble("overloaded", call=2, at_ms=700))
    assert told.kinds() == ["CallSettled", "AttemptFailed", "WaitUntil"]


def test_a_hedge_that_comes_too_late_is_reserved_and_not_made() -> None:
    told = calling().on(HedgeDue(at_ms=500, model="p/two"), text("spoke"), Claimed(at_ms=502))
    (bill,) = told.facts()
    assert isinstance(bill, CallSettled)
    assert (bill.call, bill.outcome, bill.cost) == (2, "lost_race", 0.0)
    assert told.on(HedgeDue(at_ms=900, model="p/two")).effects == ()


def test_a_stop_closes_both() -> None:
    told = racing().on(stop())
    assert told.effects == (CloseCall(1), CloseCall(2))
    told.on(CallClosed(at_ms=51, call=1), CallClosed(at_ms=52, call=2))
    receipt = next(fact for fact in told.facts() if isinstance(fact, AttemptCancelled))
    assert receipt.calls_closed == 2


# -- Whatever happens ---------------------------------------------------------------------------------------------------

times = st.integers(0, DEADLINE_MS)
numbers = st.integers(1, 2)
events: st.SearchStrategy[AttemptEvent] = st.one_of(
    st.builds(Begin, at_ms=times, avoid=st.frozensets(st.sampled_from(PLAN.chain))),
    st.builds(Admitted, at_ms=times),
    st.builds(Diverted, at_ms=times, avoid=st.frozensets(st.sampled_from(PLAN.chain))),
    st.builds(Claimed, at_ms=times),
    st.builds(Refused, at_ms=times, release=st.sampled_from(["ack", "leave"])),
    st.builds(TooDear, at_ms=times, whose=st.sampled_from(["document", "cell"]), cost_max=st.floats(0.01, 1.0)),
    st.builds(TextArrived, at_ms=times, call=numbers, text=st.text("ab ", max_size=5)),
    st.builds(Counted, call=numbers, usage=st.builds(Usage, st.integers(0, 9), st.integers(0, 9))),
    st.builds(
        Ended,
        at_ms=times,
        call=numbers,
        reason=st.sampled_from(["stop", "length", "refusal"]),
        problem=st.none() | st.just("bad"),
    ),
    st.builds(
        Troubled,
        at_ms=times,
        call=numbers,
        kind=st.sampled_from(sorted(ERRORS)),
        message=st.just("m"),
        retry_after_ms=st.none() | st.integers(0, 9_000),
        jitter=st.floats(0, 1),
    ),
    st.builds(CallClosed, at_ms=times, call=numbers),
    st.builds(RetryDue, at_ms=times),
    st.builds(HedgeDue, at_ms=times, model=st.sampled_from(PLAN.chain)),
    st.builds(
        StopAsked,
        at_ms=times,
        reason=st.sampled_from(["stopped", "superseded", "writer_stopping", "bus_lost"]),
        asked_at_ms=times,
    ),
    st.builds(DeadlinePassed, at_ms=times),
)


class World:
    """Answers what the core asks for, and drops events that could not have happened."""

    def __init__(self, plan: Plan) -> None:
        self.told = Told(plan)
        self.open: set[int] = set()
        self.closing: set[int] = set()
        self.claims: list[Claim] = []
        self.claimed: list[AttemptStarted | CallReserved] = []
        self.admitting = False
        self.stopped = False
        self.started_after_stop = 0

    def possible(self, event: AttemptEvent) -> bool:
        match event:
            case Begin():
                return isinstance(self.told.state, Fresh)
            case Admitted():
                return self.admitting
            case Claimed() | Refused() | TooDear():
                return bool(self.claims)
            case TextArrived() | Counted() | Ended() | Troubled():
                return event.call in self.open
            case CallClosed():
                return event.call in self.closing
            case _:
                return True

    def on(self, event: AttemptEvent) -> None:  # noqa: C901, PLR0912 -- one arm an event, one an effect
        if not self.possible(event):
            return
        match event:
            case Admitted():
                self.admitting = False
            case Claimed():
                self.claimed.append(self.claims.pop(0).fact)
            case Refused() | TooDear():
                self.claims.pop(0)
            case Ended() | Troubled():
                self.open.discard(event.call)
                self.closing.discard(event.call)
            case CallClosed():
                self.open.discard(event.call)
                self.closing.discard(event.call)
            case StopAsked() | DeadlinePassed():
                self.stopped = True
            case _:
                pass
        for effect in self.told.on(event).effects:
            match effect:
                case Admit():
                    assert not self.admitting, "waits for two places"
                    self.admitting = True
                case Withdraw():
                    self.admitting = False
                case Claim():
                    self.claims.append(effect)
                case StartCall(attempt=attempt, call=call):
                    assert any(f.attempt == attempt for f in self.claimed), "a call that the log does not have"
                    self.open.add(call)
                    self.started_after_stop += self.stopped
                case CloseCall(call=call):
                    assert call in self.open
                    self.closing.add(call)
                case _:
                    pass
        assert len(self.open) <= 2

    def drain(self) -> None:
        """Nobody is left hanging: what was asked for is answered, then a stop, then what that asked for."""
        self.on(StopAsked(at_ms=DEADLINE_MS, reason="stopped", asked_at_ms=DEADLINE_MS))
        for _ in range(10):
            if self.claims:
                self.on(Claimed(at_ms=DEADLINE_MS))
            for call in sorted(self.closing):
                self.on(CallClosed(at_ms=DEADLINE_MS, call=call))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([PLAN, FORMED]), st.lists(events, max_size=60))
def test_every_delivery_ends_once_with_every_call_closed_and_settled(plan: Plan, happened: list[AttemptEvent]) -> None:
    world = World(plan)
    for event in [Begin(at_ms=0), Admitted(at_ms=1), Claimed(at_ms=2), *happened]:
        world.on(event)
    world.drain()
    assert world.told.state == Over()
    assert world.open == set()
    assert world.started_after_stop == 0
    released = [effect for effect in world.told.all if isinstance(effect, LetGo)]
    assert len(released) == 1
    assert world.told.all[-1] == released[0]
    facts = [effect.fact for effect in world.told.all if isinstance(effect, Append)]
    settled = sorted((fact.attempt, fact.call) for fact in facts if isinstance(fact, CallSettled))
    reserved = sorted((fact.attempt, fact.call if isinstance(fact, CallReserved) else 1) for fact in world.claimed)
    assert settled == reserved
    endings = [e for e in world.told.all if isinstance(e, Conclude)] + [f for f in facts if isinstance(f, CellFailed)]
    assert len(endings) <= 1


@given(st.lists(st.tuples(st.sampled_from(sorted(ERRORS)), st.floats(0, 1)), max_size=10))
def test_there_are_never_more_tries_than_allowed(failures: list[tuple[ErrorKind, float]]) -> None:
    told = Told().on(Begin(at_ms=0))
    for number, (kind, jitter) in enumerate(failures):
        told.on(Admitted(at_ms=number), Claimed(at_ms=number))
        told.on(Troubled(at_ms=number, call=1, kind=kind, message="", jitter=jitter), RetryDue(at_ms=number))
    assert sum(isinstance(effect, StartCall) for effect in told.all) <= PLAN.tries_max


def test_the_text_is_the_speaker_s_alone() -> None:
    told = racing().on(text("one", call=1, at_ms=600), text("two", call=2, at_ms=601))
    assert isinstance(told.state, Calling)
    assert told.state.text == "one"
