"""When a model speaks: the first tokens of its last calls, and what is normal. Pure.

Exact quantiles of at most a few hundred calls; a sketch would save nothing at that size. A call that was closed before it spoke (the
loser of a race, a stop) has no first token, and leaving out the slow ones would make a model look ever faster, until everything is
hedged. So it counts as late where it was silent beyond the p95, which is all that a p95 has to know of it, and else not at all.
"""

from __future__ import annotations

from math import ceil

import msgspec

from services.shared.health.policy import Policy

RECENT = 8
"""The last few, to be compared with what is normal."""


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One call: when it spoke, and after how long."""

    at_ms: int
    first_token_ms: int


class Latency(msgspec.Struct, frozen=True):
    """The last calls, oldest first."""

    samples: tuple[Sample, ...] = ()


def heard(policy: Policy, latency: Latency, at_ms: int, first_token_ms: int) -> Latency:
    """A call spoke."""
    young = [sample for sample in latency.samples if sample.at_ms > at_ms - policy.samples_age_ms]
    return Latency((*young, Sample(at_ms, first_token_ms))[-policy.samples_max :])


def unheard(policy: Policy, latency: Latency, at_ms: int, silent_ms: int) -> Latency:
    """A call was closed that had not spoken."""
    late_ms = quantile(policy, latency, at_ms, 0.95)
    return latency if late_ms is None or silent_ms < late_ms else heard(policy, latency, at_ms, silent_ms)


def quantile(policy: Policy, latency: Latency, at_ms: int, share: float) -> int | None:
    """The first token that `share` of the calls were not later than; None: too few calls to say."""
    young = [s.first_token_ms for s in latency.samples if s.at_ms > at_ms - policy.samples_age_ms]
    if len(young) < policy.samples_min:
        return None
    return sorted(young)[ceil(share * len(young)) - 1]


def is_slow(policy: Policy, latency: Latency, at_ms: int) -> bool:
    """Whether the last few were much later than is normal. By medians: one call in the tail says nothing."""
    normal_ms = quantile(policy, latency, at_ms, 0.5)
    if normal_ms is None:
        return False
    recent = sorted(sample.first_token_ms for sample in latency.samples[-RECENT:])
    return recent[(len(recent) - 1) // 2] > policy.slow_factor * normal_ms
