"""All that is known of one model, and what an event teaches about it: `Health`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from schemas.samples import HoldReason
from schemas.values import Lane
from services.shared.health import breaker as breakers
from services.shared.health import budget, latency, limit
from services.shared.health.breaker import Breaker, Closed, Open
from services.shared.health.budget import Bucket, Rule
from services.shared.health.latency import Latency
from services.shared.health.limit import Limit
from services.shared.health.policy import Policy

Kind = Literal["first", "again", "hedge"]
"""An ordinary call; one that repeats a failed one of the same model; a second one beside one that is silent."""
Manner = Literal["finished", "failed", "refused", "overloaded", "closed", "unused"]
"""How a call leaves: it came to its end (also where its answer was no use: the model did answer); it failed, and that counts
against the model; we ask too much (429); the model has too much to do (503, 529), which may as well be its end; we closed it; it
was never made."""


class End(msgspec.Struct, frozen=True):
    """The end of a call."""

    manner: Manner
    retry_after_ms: int | None = None


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """A call that has a place."""

    document: str
    lane: Lane
    kind: Kind
    began_ms: int
    probe: bool = False
    spoke: bool = False
    overdue: bool = False
    """It is silent beyond the model's p95."""
    counted: bool = False
    """And that was counted as a failure of the model."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Since the process began."""

    calls: int = 0
    finished: int = 0
    failed: int = 0
    refused: int = 0
    retries: int = 0
    hedges: int = 0
    hedges_won: int = 0


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One model, as this process sees it."""

    breaker: Breaker = Closed()
    limit: Limit
    latency: Latency = Latency()
    retries: Bucket
    hedges: Bucket
    held_until_ms: int = 0
    """By a refusal, its Retry-After or our own."""
    refused_in_a_row: int = 0
    refused_at_ms: int | None = None
    next_start_ms: int = 0
    """Under pressure calls are spaced: the next one not before this."""
    duration_ms: float = 0.0
    """Of a call, on average; 0: not known."""
    flying: Mapping[int, Flight] = {}
    """Calls that have a place, by ticket."""
    counts: Counts = Counts()


class News(msgspec.Struct, frozen=True):
    """What the other processes should know."""

    reason: HoldReason | Literal["released"]
    until_ms: int = 0


def new(policy: Policy, at_ms: int) -> Health:
    """Nothing is known yet."""
    return Health(
        limit=limit.first(policy),
        retries=Bucket(tokens=policy.retry_burst, at_ms=at_ms),
        hedges=Bucket(tokens=0.0, at_ms=at_ms),
    )


def retry_rule(policy: Policy) -> Rule:
    """For repeated calls."""
    return Rule(share=policy.retry_share, burst=policy.retry_burst, per_s=policy.retries_per_s)


def hedge_rule(policy: Policy) -> Rule:
    """For second calls beside silent ones."""
    return Rule(share=policy.hedge_share, burst=policy.hedge_burst)


# -- What may be done ---------------------------------------------------------------------------------------------------


def is_probed(health: Health) -> bool:
    """Whether a probe is on its way."""
    return any(flight.probe for flight in health.flying.values())


def is_blocked(policy: Policy, health: Health, at_ms: int) -> bool:
    """Whether whoever has another model should ask that one."""
    if isinstance(health.breaker, Open):
        return breakers.is_open(health.breaker, at_ms) or is_probed(health)
    return health.held_until_ms - at_ms > policy.patience_ms


def is_poor(policy: Policy, health: Health, at_ms: int) -> bool:
    """Whether whoever has a model that answers well should ask that one: of the last calls here most have failed."""
    return (
        isinstance(health.breaker, Closed) and breakers.failed_share(policy, health.breaker, at_ms) >= policy.poor_share
    )


def may_begin(policy: Policy, health: Health, at_ms: int, kind: Kind) -> bool:
    """Whether a call may be made now."""
    if at_ms < health.held_until_ms or at_ms < health.next_start_ms:
        return False
    if isinstance(health.breaker, Open):
        return kind != "hedge" and not breakers.is_open(health.breaker, at_ms) and not is_probed(health)
    if len(health.flying) >= limit.places(health.limit):
        return False
    return kind != "again" or budget.taken(retry_rule(policy), health.retries, at_ms) is not None


def due_ms(policy: Policy, health: Health, kind: Kind) -> int | None:
    """When time alone will let a call begin; None: something has to happen first, or has let it already."""
    dues = [health.held_until_ms, health.next_start_ms]
    if isinstance(health.breaker, Open):
        if is_probed(health):
            return None
        dues.append(health.breaker.until_ms)
    elif len(health.flying) >= limit.places(health.limit):
        return None
    elif kind == "again":
        due = budget.due_ms(retry_rule(policy), health.retries)
        if due is None:
            return None
        dues.append(due)
    return max(dues)


def unblocks_ms(policy: Policy, health: Health) -> int:
    """When a model that is blocked now is so no longer, by time alone."""
    if isinstance(health.breaker, Open):
        return health.breaker.until_ms
    return health.held_until_ms - policy.patience_ms


def hedge_after_ms(policy: Policy, health: Health, at_ms: int) -> int | None:
    """How long a call may be silent before it is overdue; None: nobody can say, or it would not pay."""
    late_ms = latency.quantile(policy, health.latency, at_ms, 0.95)
    if late_ms is None:
        return policy.probe_ms if isinstance(health.breaker, Open) else None
    return max(late_ms, policy.hedge_ms_min)


def in_trouble(policy: Policy, health: Health) -> bool:
    """Whether it is the model that is slow, and not just one call."""
    # A second call has its turn yet, and says nothing of the model until its first token.
    silent = [flight for flight in health.flying.values() if not flight.spoke and flight.kind != "hedge"]
    overdue = sum(flight.overdue for flight in silent)
    return overdue >= policy.overdue_min and overdue >= policy.overdue_share * len(silent)
