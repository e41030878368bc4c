"""How many calls a model takes at a time, found by asking. Pure.

Additive increase, multiplicative decrease (Chiu and Jain, 1989; TCP), as Netflix's concurrency-limits has it for services: one more
for each round of calls that went well while the limit was in use; for a refusal, less by the share of the last calls that were refused
(DCTCP, RFC 8257); a tenth less when first tokens come much later than this model's own normal (the gradient of Vegas and of Gradient2).
Two things are as in CUBIC (RFC 9438): far below the last refusal it grows fast, and about it it stays for a while, since each look
beyond costs a refused call.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from services.shared.health.policy import Policy


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """The limit now, and where it last was too much."""

    now: float
    ceiling: float | None = None
    """Where it was refused last; None: never."""
    refused_share: float = 0.0
    """Of the last calls, the newest ones counting most: an exponentially weighted average."""
    decreased_at_ms: int = 0
    """Calls begun before this tell nothing new."""


def first(policy: Policy) -> Limit:
    """Before anything is known. Its first refusal says most, as if all before had been refused (RFC 8257 begins with 1, too)."""
    return Limit(now=float(min(max(policy.limit_first, 1), policy.limit_max)), refused_share=1.0)


def places(limit: Limit) -> int:
    """Calls at a time."""
    return max(int(limit.now + 1e-9), 1)


def grown(policy: Policy, limit: Limit, at_ms: int, in_flight: int) -> Limit:
    """A call went well, while `in_flight` calls were open, itself included."""
    if in_flight * 2 < places(limit):
        return limit  # It was not the limit that kept us from asking more: nothing is learned about it.
    # One more a round; below three at a time that would be a leap.
    more = min(1.0 / limit.now, limit.now * policy.increase_max)
    if limit.ceiling is not None:
        near = limit.now + more > limit.ceiling * policy.plateau_share
        if near and at_ms - limit.decreased_at_ms < policy.plateau_ms:
            more = min(more, limit.now * policy.creep * min(limit.refused_share, policy.creep_share_max))
        elif limit.now < limit.ceiling / 2:
            more = min(1.0, limit.now)
    return replace(limit, now=min(limit.now + more, float(policy.limit_max)))


def accepted(policy: Policy, limit: Limit) -> Limit:
    """A call was not refused: it speaks."""
    return replace(limit, refused_share=limit.refused_share * (1 - policy.refused_weight))


def refused(policy: Policy, limit: Limit, at_ms: int, began_ms: int) -> Limit:
    """A call was refused for want of room. Those of one round count once, and take away the share of calls that were refused.

    (The share of marked packets in DCTCP, RFC 8257.) Where only a few are, however many are asked, it is not for want of room, and
    what is taken away is made up for by what is accepted.
    """
    share = limit.refused_share + (1 - limit.refused_share) * policy.refused_weight
    limit = replace(limit, refused_share=share)
    if began_ms < limit.decreased_at_ms:
        return limit
    now = max(limit.now * max(1 - share, policy.decrease_max), policy.limit_min)
    return replace(limit, now=now, ceiling=limit.now, decreased_at_ms=at_ms)


def slowed(policy: Policy, limit: Limit, at_ms: int, began_ms: int) -> Limit:
    """First tokens come much later than is normal for this model."""
    if began_ms < limit.decreased_at_ms or limit.now <= policy.slow_limit_min:
        return limit
    now = max(limit.now * policy.decrease, float(policy.slow_limit_min))
    return replace(limit, now=min(now, limit.now), ceiling=limit.now, decreased_at_ms=at_ms)


def restarted(policy: Policy, limit: Limit) -> Limit:
    """The model was out of order and is back: from low, and fast up to where it was."""
    low = min(limit.now, float(policy.limit_after_open))
    return replace(limit, now=low, ceiling=max(limit.now, limit.ceiling or 0.0))
