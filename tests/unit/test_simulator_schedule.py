"""The schedule of one call is a pure function of seed, key, dials and answer."""

from __future__ import annotations

from collections import Counter
from statistics import median

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.operations import TurnDials
from services.simulator.dials import VICES, DialBoard, Dials, DialsRefusedError, Vice, parse_header
from services.simulator.limits import Account
from services.simulator.schedule import (
    IN_STREAM,
    REJECTIONS,
    Broke,
    Call,
    Cut,
    Ended,
    Hollow,
    Opened,
    Pinged,
    Rejected,
    Said,
    pieces,
    schedule,
    vice_of,
)

TEXT = "The ink is wet while the scribes copy. " * 20
FIXED = Dials(pace="fixed", first_token_ms=100, token_interval_ms=10)


def call(
    key: str = "a/0", text: str = TEXT, tokens_max: int | None = None, turned: dict[str, float] | None = None
) -> Call:
    return Call(
        seed=1,
        key=key,
        dials=msgspec.structs.replace(FIXED, **(turned or {})),
        text=text,
        structured="malformed" in (turned or {}),
        tokens_max=tokens_max,
    )


def said(one: Call) -> str:
    return "".join(step.text for step in schedule(one) if isinstance(step, Said))


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_tokens_are_about_four_characters() -> None:
    assert 3.5 < len(TEXT) / len(pieces(TEXT)) < 5.5


@given(st.integers(), st.text(max_size=20), st.sampled_from(VICES))
def test_the_same_call_has_the_same_schedule(seed: int, key: str, vice: Vice) -> None:
    dials = msgspec.structs.replace(Dials(bursts=0.5, drips=0.5, empty_chunks=0.5), **{vice: 0.5})
    one = Call(seed=seed, key=key, dials=dials, text=TEXT, structured=True, tokens_max=300)
    assert list(schedule(one)) == list(schedule(one))


@given(st.sampled_from(VICES), st.integers(0, 50))
def test_steps_come_in_order_of_time_and_the_last_one_ends_it(vice: Vice, number: int) -> None:
    dials = msgspec.structs.replace(Dials(bursts=0.5, stall_max_ms=5_000), **{vice: 1.0})
    steps = list(schedule(Call(seed=3, key=f"k/{number}", dials=dials, text=TEXT, structured=True, tokens_max=500)))
    times = [step.at_ms for step in steps]
    assert times == sorted(times)
    assert isinstance(steps[-1], Rejected | Broke | Cut | Ended)
    assert not any(isinstance(step, Rejected | Broke | Cut | Ended) for step in steps[:-1])


def test_a_fixed_pace_is_exact() -> None:
    steps = [step for step in schedule(call()) if isinstance(step, Said)]
    assert [step.at_ms for step in steps[:3]] == [100, 110, 120]
    assert said(call()) == TEXT


def test_a_lognormal_pace_has_its_median_and_its_tail() -> None:
    dials = Dials(first_token_ms=350, first_token_p99_ms=3_500)
    firsts = [
        next(
            step.at_ms
            for step in schedule(Call(seed=1, key=str(n), dials=dials, text="word"))
            if isinstance(step, Said)
        )
        for n in range(2_000)
    ]
    assert median(firsts) == pytest.approx(350, rel=0.15)
    assert sorted(firsts)[int(0.99 * len(firsts))] == pytest.approx(3_500, rel=0.35)


def test_a_bursting_call_sends_groups_at_once() -> None:
    times = Counter(step.at_ms for step in schedule(call(turned={"bursts": 1.0})) if isinstance(step, Said))
    assert max(times.values()) >= 5
    assert said(call(turned={"bursts": 1.0})) == TEXT


def test_an_answer_over_the_limit_is_cut_and_says_length() -> None:
    *steps, end = schedule(call(tokens_max=7))
    assert sum(isinstance(step, Said) for step in steps) == 7
    assert isinstance(end, Ended)
    assert end.reason == "length"


def test_rates_are_met_and_add_up() -> None:
    struck = Counter(
        vice_of(call(f"k/{n}", turned={"error_500": 0.1, "stall": 0.1, "faults": 0.1})) for n in range(4_000)
    )
    assert struck["error_500"] / 4_000 == pytest.approx(0.1, abs=0.025)
    assert 1 - struck[None] / 4_000 == pytest.approx(0.3, abs=0.03)
    assert struck["error_401"] == struck["error_context"] == struck["malformed"] == 0


def test_a_retry_of_the_same_prompt_is_drawn_anew() -> None:
    assert len({vice_of(call(f"same/{n}", turned={"error_500": 0.5})) for n in range(20)}) == 2


@pytest.mark.parametrize("vice", sorted(filter(None, REJECTIONS)))
def test_an_error_before_the_stream_is_all_there_is(vice: Vice) -> None:
    (only,) = schedule(call(turned={vice: 1.0}))
    assert isinstance(only, Rejected)


@pytest.mark.parametrize("vice", sorted(filter(None, IN_STREAM)))
def test_a_vice_inside_the_stream_lets_a_prefix_through(vice: Vice) -> None:
    one = call(turned={vice: 1.0, "stall_max_ms": 2_000.0})
    assert TEXT.startswith(said(one))
    assert said(call(turned={vice: 1.0, "strike_at": 0.0, "stall_max_ms": 2_000.0})) == ""


def test_only_the_stall_with_pings_pings() -> None:
    assert any(
        isinstance(step, Pinged) for step in schedule(call(turned={"stall_pings": 1.0, "stall_max_ms": 3_000.0}))
    )
    assert not any(isinstance(step, Pinged) for step in schedule(call(turned={"stall": 1.0, "stall_max_ms": 3_000.0})))


def test_an_endless_answer_goes_on_until_the_limit() -> None:
    *steps, end = schedule(call(turned={"endless": 1.0, "strike_at": 0.1}, tokens_max=5_000))
    assert sum(isinstance(step, Said) for step in steps) == 5_000
    assert isinstance(end, Ended)
    assert end.reason == "length"


def test_an_endless_answer_without_a_limit_ends_by_time() -> None:
    *_, end = schedule(call(turned={"endless": 1.0, "stall_max_ms": 60_000.0}))
    assert isinstance(end, Cut)
    assert end.at_ms <= 61_000


def test_duplicates_and_hollow_chunks_leave_the_text_as_it_is() -> None:
    one = call(turned={"duplicate_chunks": 1.0, "empty_chunks": 1.0})
    steps = list(schedule(one))
    assert said(one) == TEXT
    assert sum(isinstance(step, Opened) for step in steps) == 2
    assert any(isinstance(step, Hollow) for step in steps)
    assert isinstance(steps[-1], Ended)
    assert steps[-1].doubled


def test_doubled_text_says_one_piece_twice() -> None:
    assert len(pieces(TEXT)) + 1 == sum(isinstance(step, Said) for step in schedule(call(turned={"doubled_text": 1.0})))


def test_malformed_answers_are_not_what_was_asked_for() -> None:
    text = '{"title":"A","sections":[{"id":"a"}]}'
    answers = {said(call(f"m/{n}", text=text, turned={"malformed": 1.0})) for n in range(30)}
    assert text not in answers
    assert len(answers) >= 4


def test_a_header_names_dials_and_values() -> None:
    assert parse_header(" error_429=1, first_token_ms=50 ,seed=7,") == {
        "error_429": "1",
        "first_token_ms": "50",
        "seed": "7",
    }


@pytest.mark.parametrize("header", ["error_429", "=1", "error_429=", "nope=1", "error_429=2", "pace=brisk", "stall=x"])
def test_a_dial_that_does_not_exist_or_fit_is_refused_by_name(header: str) -> None:
    with pytest.raises(DialsRefusedError, match=header.split("=", maxsplit=1)[0] or "="):
        DialBoard(1, {}).dials("scribe", header)


def test_later_layers_win() -> None:
    board = DialBoard(5, {"default": {"stall": 0.1}, "mine": {"stall": 0.2, "first_token_ms": 9}})
    assert board.dials("other").stall == 0.1
    assert board.dials("mine").stall == 0.2
    board.turn(TurnDials(dials={"stall": 0.3}))
    board.turn(TurnDials(model="mine", dials={"stall": 0.4, "concurrent_max": 3}))
    assert board.dials("other").stall == 0.3
    assert (board.dials("mine").stall, board.dials("mine").concurrent_max) == (0.4, 3)
    assert board.dials("mine", "stall=0.5").stall == 0.5
    board.turn(TurnDials(model="mine", dials={"stall": None}))
    assert (board.dials("mine").stall, board.dials("mine").concurrent_max) == (0.3, 3)
    board.turn(TurnDials(model="mine", reset=True))
    board.turn(TurnDials(reset=True))
    assert (board.dials("mine").stall, board.dials("mine").seed) == (0.2, 5)


def test_a_refused_turn_changes_nothing() -> None:
    board = DialBoard(1, {})
    with pytest.raises(DialsRefusedError):
        board.turn(TurnDials(dials={"stall": 0.3, "nope": 1}))
    assert board.live == {}


def test_an_account_lets_through_its_rate_and_no_more() -> None:
    account, dials = Account(), Dials(requests_per_minute=60, limit_window_s=2)
    admitted = [at_ms for at_ms in range(0, 10_000, 100) if account.wait_ms(dials, 10, at_ms) is None]
    assert len(admitted) in {11, 12}


def test_whoever_waits_as_told_is_let_in() -> None:
    account, dials = Account(), Dials(tokens_per_minute=6_000, limit_window_s=10)
    assert account.wait_ms(dials, 1_000, 0) is None
    wait_ms = account.wait_ms(dials, 500, 0)
    assert wait_ms is not None
    assert account.wait_ms(dials, 500, wait_ms) is None


def test_a_call_larger_than_the_bucket_waits_for_a_full_one() -> None:
    account, dials = Account(), Dials(tokens_per_minute=600, limit_window_s=1)
    assert account.wait_ms(dials, 5_000, 0) is None
    assert account.wait_ms(dials, 5_000, 1_000) is not None


def test_calls_at_a_time_are_counted() -> None:
    account, dials = Account(), Dials(concurrent_max=2)
    account.running = 2
    assert account.wait_ms(dials, 1, 0) is not None
    account.running = 1
    assert account.wait_ms(dials, 1, 0) is None
