"""Given a state, when an event, then a state and effects."""

from __future__ import annotations

from services.cli.supervisor_core import (
    END_GRACE_MS,
    HEALTHY_AFTER_MS,
    REST_FIRST_MS,
    REST_MAX_MS,
    Died,
    EndAsked,
    Ending,
    Kill,
    Over,
    Resting,
    Running,
    Start,
    State,
    Tell,
    Terminate,
    WakeAt,
    Woke,
    begun,
    decide,
)


def test_a_life_begins_with_a_start() -> None:
    assert begun(5) == (Running(since_ms=5), (Start(),))


def test_what_dies_rests_and_says_so() -> None:
    state, effects = decide(Running(since_ms=0), Died(at_ms=100, code=-9))
    assert state == Resting(until_ms=100 + REST_FIRST_MS, deaths=1)
    assert effects == (Tell("died (signal 9); starting it again in 0.2 s"), WakeAt(100 + REST_FIRST_MS))


def test_what_rested_is_started_again() -> None:
    state, effects = decide(Resting(until_ms=300, deaths=2), Woke(at_ms=300))
    assert state == Running(since_ms=300, deaths=2)
    assert effects == (Start(),)


def test_a_wake_up_that_comes_too_early_starts_nothing() -> None:
    resting = Resting(until_ms=300, deaths=1)
    assert decide(resting, Woke(at_ms=299)) == (resting, ())


def _rests(deaths: int) -> list[float]:
    state: State = Running(since_ms=0)
    rests: list[float] = []
    for _ in range(deaths):
        state, _effects = decide(state, Died(at_ms=1, code=1))
        assert isinstance(state, Resting)
        rests.append(state.until_ms - 1)
        state = Running(since_ms=0, deaths=state.deaths)
    return rests


def test_what_keeps_dying_rests_twice_as_long_each_time_up_to_a_limit() -> None:
    rests = _rests(100)
    assert rests[:4] == [REST_FIRST_MS, 2 * REST_FIRST_MS, 4 * REST_FIRST_MS, 8 * REST_FIRST_MS]
    assert rests[-1] == REST_MAX_MS


def test_what_lived_long_enough_begins_with_a_clean_slate() -> None:
    state, _ = decide(Running(since_ms=0, deaths=7), Died(at_ms=HEALTHY_AFTER_MS, code=0))
    assert state == Resting(until_ms=HEALTHY_AFTER_MS + REST_FIRST_MS, deaths=1)


def test_what_is_asked_to_end_gets_a_grace() -> None:
    state, effects = decide(Running(since_ms=0), EndAsked(at_ms=10))
    assert state == Ending(kill_at_ms=10 + END_GRACE_MS)
    assert effects == (Terminate(), WakeAt(10 + END_GRACE_MS))


def test_what_outlives_its_grace_is_killed() -> None:
    ending = Ending(kill_at_ms=100)
    assert decide(ending, Woke(at_ms=99)) == (ending, ())
    assert decide(ending, Woke(at_ms=100)) == (ending, (Kill(),))


def test_what_is_asked_twice_is_killed_at_once() -> None:
    ending = Ending(kill_at_ms=100)
    assert decide(ending, EndAsked(at_ms=11)) == (ending, (Kill(),))


def test_what_dies_while_ending_is_not_started_again() -> None:
    assert decide(Ending(kill_at_ms=100), Died(at_ms=20, code=0)) == (Over(), ())


def test_what_rests_when_asked_to_end_is_over() -> None:
    assert decide(Resting(until_ms=300, deaths=1), EndAsked(at_ms=10)) == (Over(), ())


def test_nothing_wakes_the_dead() -> None:
    for event in (Died(at_ms=1, code=0), Woke(at_ms=10_000), EndAsked(at_ms=2)):
        assert decide(Over(), event) == (Over(), ())
