"""The life of one supervised process: `decide(state, event) -> (state, effects)`. Pure; times are monotonic milliseconds.

    Running --Died--> Resting --Woke--> Running
    Running --EndAsked--> Ending --Died--> Over
    Resting --EndAsked--> Over
    Running --FreezeAsked--> Frozen --ThawAsked, Woke--> Running
    Running --RestartAsked--> Restarting --Died--> Running
    Running, Frozen --KillAsked--> (as it was, until it died)

A process that keeps dying rests ever longer between its lives; one that lived long enough begins with a clean slate. One
that is asked to end gets a grace, then SIGKILL; asked twice, it gets none. The last three lines are for whoever shows the
system to somebody: a process may be killed, frozen, or started anew at once.
"""

from __future__ import annotations

import msgspec

REST_FIRST_MS = 200
REST_MAX_MS = 5_000
HEALTHY_AFTER_MS = 20_000
"""Having run this long, a process has recovered from whatever killed it before."""
FREEZE_MAX_MS = 20_000
"""Nobody stays frozen for longer: whoever froze it may have gone."""
END_GRACE_MS = 3_000
"""A writer closes its calls at once, and takes up to 2 s for the receipts."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """It runs since `since_ms`, having died `deaths` times in a row soon after its start."""

    since_ms: float
    deaths: int = 0


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """It died and is started again at `until_ms`."""

    until_ms: float
    deaths: int


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """It runs, but is stopped in its tracks until `thaws_at_ms`."""

    since_ms: float
    deaths: int
    thaws_at_ms: float


class Restarting(msgspec.Struct, frozen=True, kw_only=True):
    """It was told to end, is killed at `kill_at_ms`, and is started again as soon as it is gone."""

    kill_at_ms: float
    deaths: int


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """It was told to end, and is killed at `kill_at_ms`."""

    kill_at_ms: float


class Over(msgspec.Struct, frozen=True):
    """It runs no more and never will."""


State = Running | Resting | Frozen | Restarting | Ending | Over


class Died(msgspec.Struct, frozen=True, kw_only=True):
    """The process is gone; `code` is negative for a signal."""

    at_ms: float
    code: int


class Woke(msgspec.Struct, frozen=True, kw_only=True):
    """The time of a `WakeAt` has come."""

    at_ms: float


class EndAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Ctrl-C, SIGTERM, or the end of what it was needed for."""

    at_ms: float


class KillAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants to see what happens when it crashes."""

    at_ms: float


class FreezeAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants to see what happens when it hangs."""

    at_ms: float


class ThawAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Enough of that."""

    at_ms: float


class RestartAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants to see it go and come back."""

    at_ms: float


Event = Died | Woke | EndAsked | KillAsked | FreezeAsked | ThawAsked | RestartAsked


class Start(msgspec.Struct, frozen=True):
    """Start the process."""


class Terminate(msgspec.Struct, frozen=True):
    """Ask the process to end: SIGTERM."""


class Kill(msgspec.Struct, frozen=True):
    """End the process and all that it started: SIGKILL."""


class Freeze(msgspec.Struct, frozen=True):
    """Stop the process in its tracks: SIGSTOP."""


class Thaw(msgspec.Struct, frozen=True):
    """Let it go on: SIGCONT."""


class WakeAt(msgspec.Struct, frozen=True):
    """Say `Woke` at this time; replaces an earlier wish."""

    at_ms: float


class Tell(msgspec.Struct, frozen=True):
    """A line for people."""

    text: str


Effect = Start | Terminate | Kill | Freeze | Thaw | WakeAt | Tell


def begun(at_ms: float) -> tuple[State, tuple[Effect, ...]]:
    """How every life begins."""
    return Running(since_ms=at_ms), (Start(),)


def decide(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """What becomes of the process, and what is to be done about it."""
    match state, event:
        case ((Running() | Frozen()), Died(at_ms=at_ms, code=code)):
            deaths = 1 if at_ms - state.since_ms >= HEALTHY_AFTER_MS else state.deaths + 1
            rest_ms = min(REST_FIRST_MS * 2 ** min(deaths - 1, 10), REST_MAX_MS)
            tell = Tell(f"died ({_how(code)}); starting it again in {rest_ms / 1_000:g} s")
            return Resting(until_ms=at_ms + rest_ms, deaths=deaths), (tell, WakeAt(at_ms + rest_ms))
        case Running(), EndAsked(at_ms=at_ms):
            kill_at_ms = at_ms + END_GRACE_MS
            return Ending(kill_at_ms=kill_at_ms), (Terminate(), WakeAt(kill_at_ms))
        case Resting(), Woke(at_ms=at_ms) if at_ms >= state.until_ms:
            return Running(since_ms=at_ms, deaths=state.deaths), (Start(),)
        case Resting(), EndAsked():
            return Over(), ()
        case Ending(), Died():
            return Over(), ()
        case Ending(), Woke(at_ms=at_ms) if at_ms >= state.kill_at_ms:
            return state, (Kill(),)
        case Ending(), EndAsked():
            return state, (Kill(),)
        case _:
            return _shown_off(state, event)


def _shown_off(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """The part that is there for whoever shows the system to somebody."""
    match state, event:
        case ((Running() | Frozen()), KillAsked()):
            return state, (Kill(),)
        case Running(), FreezeAsked(at_ms=at_ms):
            thaws_at_ms = at_ms + FREEZE_MAX_MS
            frozen = Frozen(since_ms=state.since_ms, deaths=state.deaths, thaws_at_ms=thaws_at_ms)
            return frozen, (Freeze(), WakeAt(thaws_at_ms))
        case Frozen(), ThawAsked():
            return Running(since_ms=state.since_ms, deaths=state.deaths), (Thaw(),)
        case Frozen(), Woke(at_ms=at_ms) if at_ms >= state.thaws_at_ms:
            return Running(since_ms=state.since_ms, deaths=state.deaths), (Thaw(),)
        case Running(), RestartAsked(at_ms=at_ms):
            kill_at_ms = at_ms + END_GRACE_MS
            return Restarting(kill_at_ms=kill_at_ms, deaths=state.deaths), (Terminate(), WakeAt(kill_at_ms))
        case Restarting(), Died(at_ms=at_ms):
            return Running(since_ms=at_ms, deaths=state.deaths), (Start(),)
        case Restarting(), Woke(at_ms=at_ms) if at_ms >= state.kill_at_ms:
            return state, (Kill(),)
        case Restarting(), EndAsked():
            return Ending(kill_at_ms=state.kill_at_ms), ()
        case Frozen(), EndAsked(at_ms=at_ms):
            # Thawed first: a process that stands still cannot end.
            kill_at_ms = at_ms + END_GRACE_MS
            return Ending(kill_at_ms=kill_at_ms), (Thaw(), Terminate(), WakeAt(kill_at_ms))
        case _:
            # A wake-up that came too early or too late, a death that was told twice.
            return state, ()


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
