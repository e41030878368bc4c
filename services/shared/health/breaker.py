"""The circuit breaker of one model. Pure.

Closed, it counts, and tells a model that is gone from one that often fails: the second still answers. Open, nobody asks. When its
time is over it is half open: one probe at a time, which is an ordinary call, and after enough of them have spoken it is closed again;
one that fails opens it for twice as long, as long as none has spoken (Nygard, "Release It!", 2007).
"""

from __future__ import annotations

from math import log

import msgspec
from msgspec.structs import replace

from services.shared.health.policy import Policy


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """One call that is over: when, and whether it failed."""

    at_ms: int
    failed: bool


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """All is well, as far as one can tell from the last calls."""

    outcomes: tuple[Outcome, ...] = ()
    in_a_row: int = 0
    """Failures since the last success."""


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody asks before `until_ms`; from then on it is half open."""

    since_ms: int
    until_ms: int
    times: int = 1
    """How often in a row it was opened."""
    spoken: int = 0
    """Probes that have spoken."""
    before: tuple[Outcome, ...] = ()
    """How calls ended before the run of failures that opened it: what is normal for this model."""


Breaker = Closed | Open


def is_open(breaker: Breaker, at_ms: int) -> bool:
    """Whether nobody may ask."""
    return isinstance(breaker, Open) and at_ms < breaker.until_ms


def is_half_open(breaker: Breaker, at_ms: int) -> bool:
    """Whether one at a time may ask."""
    return isinstance(breaker, Open) and at_ms >= breaker.until_ms


def failed_share(policy: Policy, breaker: Closed, at_ms: int) -> float:
    """Of the calls that are over since not long ago; 0 where they are too few to say."""
    return _share(_kept(policy, breaker.outcomes, at_ms), policy.poor_min)


def failed(policy: Policy, breaker: Breaker, at_ms: int, *, probe: bool) -> Breaker:
    """A call failed, and it counts against the model."""
    match breaker:
        case Closed():
            outcomes = _kept(policy, (*breaker.outcomes, Outcome(at_ms, failed=True)), at_ms)
            in_a_row = breaker.in_a_row + 1
            before = outcomes[:-in_a_row]
            if in_a_row >= _telling(policy, before):
                return Open(since_ms=at_ms, until_ms=at_ms + policy.open_ms, before=before)
            if _share(outcomes, policy.failed_min) >= policy.failed_share:
                return Open(since_ms=at_ms, until_ms=at_ms + policy.open_ms)
            return Closed(outcomes=outcomes, in_a_row=in_a_row)
        case Open() if probe:
            # One has spoken: it is not gone, and is soon asked again.
            times = 1 if breaker.spoken else breaker.times + 1
            # The exponent is bounded, or the power would be a long number.
            open_ms = min(policy.open_ms * 2 ** min(times - 1, 30), policy.open_ms_max)
            return replace(breaker, since_ms=at_ms, until_ms=at_ms + open_ms, times=times)
        case Open():
            return breaker  # Begun before it was opened: known already.


def spoke(policy: Policy, breaker: Breaker, *, probe: bool) -> Breaker:
    """A call has its first token: a probe needs no more to succeed."""
    if not isinstance(breaker, Open) or not probe:
        return breaker
    if breaker.spoken + 1 >= policy.probes_to_close:
        return Closed(outcomes=breaker.before)
    return replace(breaker, spoken=breaker.spoken + 1)


def finished(policy: Policy, breaker: Breaker, at_ms: int) -> Breaker:
    """A call came to its end."""
    if not isinstance(breaker, Closed):
        return breaker
    return Closed(outcomes=_kept(policy, (*breaker.outcomes, Outcome(at_ms, failed=False)), at_ms))


def opened_elsewhere(breaker: Breaker, at_ms: int, until_ms: int) -> Breaker:
    """Another process has found out."""
    match breaker:
        case Closed():
            return Open(since_ms=at_ms, until_ms=until_ms)
        case Open():
            return replace(breaker, until_ms=max(breaker.until_ms, until_ms))


def _telling(policy: Policy, before: tuple[Outcome, ...]) -> int:
    """How many failures in a row are no chance, after these."""
    # Two more that went well, or a few would say too much.
    share = sum(outcome.failed for outcome in before) / (len(before) + 2)
    return max(policy.failures_in_a_row, round(log(policy.by_chance) / log(share)) if share > 0 else 0)


def _share(outcomes: tuple[Outcome, ...], least: int) -> float:
    """Of failures; of fewer than `least` nothing is known."""
    return 0.0 if len(outcomes) < least else sum(outcome.failed for outcome in outcomes) / len(outcomes)


def _kept(policy: Policy, outcomes: tuple[Outcome, ...], at_ms: int) -> tuple[Outcome, ...]:
    young = tuple(outcome for outcome in outcomes if outcome.at_ms > at_ms - policy.window_ms)
    return young[-policy.outcomes_max :] or outcomes[-1:]
