"""Which wishes of a control room are granted, and what the supervisor then does."""

from __future__ import annotations

import pytest

from schemas.operations import Action, ActOnProcess
from services.cli.control_core import Act, Refused, weigh
from services.cli.supervisor_core import (
    END_GRACE_MS,
    FREEZE_MAX_MS,
    Died,
    EndAsked,
    Ending,
    Freeze,
    FreezeAsked,
    Frozen,
    Kill,
    KillAsked,
    RestartAsked,
    Restarting,
    Resting,
    Running,
    Start,
    State,
    Terminate,
    Thaw,
    ThawAsked,
    WakeAt,
    Woke,
    decide,
)

STATES: dict[str, State] = {
    "nats-server": Running(since_ms=0),
    "gateway": Running(since_ms=0),
    "writer-1": Running(since_ms=0),
    "writer-2": Frozen(since_ms=0, deaths=0, thaws_at_ms=9),
    "planner": Resting(until_ms=5, deaths=1),
}


def _weighed(process: str, action: Action) -> Act | Refused:
    return weigh(ActOnProcess(process=process, action=action), STATES)


@pytest.mark.parametrize(
    ("process", "action", "asked"),
    [
        ("writer-1", "kill", KillAsked),
        ("writer-2", "kill", KillAsked),
        ("writer-1", "freeze", FreezeAsked),
        ("writer-2", "thaw", ThawAsked),
        ("writer-1", "restart", RestartAsked),
        ("nats-server", "restart", RestartAsked),
    ],
)
def test_a_wish_that_can_be_granted_is(process: str, action: Action, asked: type) -> None:
    act = _weighed(process, action)
    assert isinstance(act, Act)
    assert (act.process, act.asked) == (process, asked)
    assert act.cuts_the_answer == (process == "nats-server")
    assert process in act.did


@pytest.mark.parametrize(
    ("process", "action", "why"),
    [
        ("writer-3", "kill", "no process 'writer-3'"),
        ("gateway", "restart", "its answer must go back"),
        ("nats-server", "kill", "can only be restarted"),
        ("nats-server", "freeze", "can only be restarted"),
        ("writer-2", "freeze", "is frozen"),
        ("writer-1", "thaw", "is running"),
        ("planner", "kill", "is resting"),
    ],
)
def test_a_wish_that_cannot_be_granted_is_refused_with_its_reason(process: str, action: Action, why: str) -> None:
    act = _weighed(process, action)
    assert isinstance(act, Refused)
    assert why in act.reason


def test_what_is_killed_dies_and_rests_like_after_any_crash() -> None:
    state, effects = decide(Running(since_ms=0), KillAsked(at_ms=1))
    assert (state, effects) == (Running(since_ms=0), (Kill(),))
    assert isinstance(decide(state, Died(at_ms=2, code=-9))[0], Resting)


def test_what_is_frozen_is_thawed_when_asked_or_after_a_while() -> None:
    frozen, effects = decide(Running(since_ms=3, deaths=2), FreezeAsked(at_ms=10))
    until = 10 + FREEZE_MAX_MS
    assert frozen == Frozen(since_ms=3, deaths=2, thaws_at_ms=until)
    assert effects == (Freeze(), WakeAt(until))
    thawed = (Running(since_ms=3, deaths=2), (Thaw(),))
    assert decide(frozen, ThawAsked(at_ms=11)) == thawed
    assert decide(frozen, Woke(at_ms=until - 1)) == (frozen, ())
    assert decide(frozen, Woke(at_ms=until)) == thawed


def test_what_is_frozen_is_thawed_before_it_is_told_to_end() -> None:
    frozen = Frozen(since_ms=0, deaths=0, thaws_at_ms=99)
    state, effects = decide(frozen, EndAsked(at_ms=5))
    assert state == Ending(kill_at_ms=5 + END_GRACE_MS)
    assert effects[:2] == (Thaw(), Terminate())


def test_what_dies_frozen_is_started_again() -> None:
    state, _ = decide(Frozen(since_ms=0, deaths=0, thaws_at_ms=99), Died(at_ms=1, code=-9))
    assert isinstance(state, Resting)


def test_a_restart_waits_for_the_end_and_not_for_a_rest() -> None:
    restarting, effects = decide(Running(since_ms=0, deaths=1), RestartAsked(at_ms=7))
    assert restarting == Restarting(kill_at_ms=7 + END_GRACE_MS, deaths=1)
    assert effects == (Terminate(), WakeAt(7 + END_GRACE_MS))
    assert decide(restarting, Woke(at_ms=7 + END_GRACE_MS)) == (restarting, (Kill(),))
    assert decide(restarting, Died(at_ms=8, code=0)) == (Running(since_ms=8, deaths=1), (Start(),))


def test_an_end_that_is_asked_for_during_a_restart_is_one() -> None:
    restarting = Restarting(kill_at_ms=50, deaths=0)
    ending, _ = decide(restarting, EndAsked(at_ms=8))
    assert ending == Ending(kill_at_ms=50)
