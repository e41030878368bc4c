"""What an event teaches about a model: (health, event) -> (health, what the other processes should know). Pure."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.samples import HoldReason
from services.shared.health import breaker as breakers
from services.shared.health import budget, latency, limit
from services.shared.health.breaker import Breaker, Closed, Open
from services.shared.health.model import End, Flight, Health, News, hedge_rule, in_trouble, retry_rule
from services.shared.health.policy import Policy


def began(policy: Policy, health: Health, at_ms: int, ticket: int, flight: Flight) -> Health:
    """A call takes a place. Only where `may_begin`, or within the hedge budget."""
    counts = replace(health.counts, calls=health.counts.calls + 1)
    retries, hedges = health.retries, health.hedges
    match flight.kind:
        case "first":
            retries = budget.filled(retry_rule(policy), retries, at_ms)
            hedges = budget.filled(hedge_rule(policy), hedges, at_ms)
        case "again":
            retries = budget.taken(retry_rule(policy), retries, at_ms) or retries
            counts = replace(counts, retries=counts.retries + 1)
        case "hedge":
            counts = replace(counts, hedges=counts.hedges + 1)
    flight = replace(flight, began_ms=at_ms, probe=isinstance(health.breaker, Open))
    return replace(
        health,
        flying={**health.flying, ticket: flight},
        counts=counts,
        retries=retries,
        hedges=hedges,
        next_start_ms=at_ms + _spacing_ms(policy, health, at_ms),
    )


def spoke(policy: Policy, health: Health, at_ms: int, ticket: int, first_token_ms: int) -> tuple[Health, News | None]:
    """A call has its first token."""
    flight = health.flying.get(ticket)
    if flight is None or flight.spoke:
        return health, None
    counts = health.counts
    if flight.kind == "hedge":
        counts = replace(counts, hedges_won=counts.hedges_won + 1)
    health = replace(
        health,
        counts=counts,
        latency=latency.heard(policy, health.latency, at_ms, first_token_ms),
        # A probe that has spoken makes room for the next.
        flying={**health.flying, ticket: replace(flight, spoke=True, overdue=False, probe=False)},
        refused_in_a_row=0,
        limit=limit.accepted(policy, health.limit),
    )
    if latency.is_slow(policy, health.latency, at_ms):
        health = replace(health, limit=limit.slowed(policy, health.limit, at_ms, flight.began_ms))
    return _broken_or_not(policy, health, breakers.spoke(policy, health.breaker, probe=flight.probe))


def overdue(policy: Policy, health: Health, at_ms: int, ticket: int) -> tuple[Health, News | None]:
    """A call is silent beyond the model's p95. One means nothing, unless it is a probe; many of them are failures of the model."""
    flight = health.flying.get(ticket)
    if flight is None or flight.spoke or flight.overdue:
        return health, None
    health = replace(health, flying={**health.flying, ticket: replace(flight, overdue=True)})
    if not (flight.probe or in_trouble(policy, health)):
        return health, None
    after, flying = health.breaker, dict(health.flying)
    for other, late in health.flying.items():
        if late.overdue and not late.counted:
            after = breakers.failed(policy, after, at_ms, probe=late.probe)
            flying[other] = replace(late, counted=True)
    return _broken_or_not(policy, replace(health, flying=flying), after)


def left(policy: Policy, health: Health, at_ms: int, ticket: int, end: End) -> tuple[Health, News | None]:
    """A call is over and its place is free."""
    flight = health.flying.get(ticket)
    if flight is None:
        return health, None
    in_flight, counts = len(health.flying), health.counts
    health = replace(health, flying={other: f for other, f in health.flying.items() if other != ticket})
    match end.manner:
        case "finished":
            health = replace(
                health,
                limit=limit.grown(policy, health.limit, at_ms, in_flight),
                duration_ms=_average(health.duration_ms, at_ms - flight.began_ms),
                counts=replace(counts, finished=counts.finished + 1),
            )
            # An answer without a token is an answer: a probe that came to its end has succeeded.
            after = breakers.spoke(policy, health.breaker, probe=flight.probe)
            return _broken_or_not(policy, health, breakers.finished(policy, after, at_ms))
        case "failed":
            health = replace(health, counts=replace(counts, failed=counts.failed + 1))
            return _failed(policy, health, at_ms, flight)
        case "refused":
            counts = replace(counts, failed=counts.failed + 1, refused=counts.refused + 1)
            return _refused(policy, replace(health, counts=counts), at_ms, flight, end.retry_after_ms)
        case "overloaded":
            counts = replace(counts, failed=counts.failed + 1, refused=counts.refused + 1)
            health = replace(health, counts=counts)
            if end.retry_after_ms is not None:
                health, news = _refused(policy, health, at_ms, flight, end.retry_after_ms)
            else:
                health, news = _too_many(policy, health, at_ms, flight), None
            health, worse = _failed(policy, health, at_ms, flight)
            return health, worse or news
        case "closed":
            known = health.latency
            if not flight.spoke:
                known = latency.unheard(policy, known, at_ms, at_ms - flight.began_ms)
            return replace(health, latency=known), None
        case "unused":
            return health, None


def held_elsewhere(health: Health, at_ms: int, reason: HoldReason, until_ms: int) -> Health:
    """Another process was told to wait, or has found out that the model is out of order."""
    if reason == "retry_after":
        return replace(health, held_until_ms=max(health.held_until_ms, until_ms), refused_at_ms=at_ms)
    return replace(health, breaker=breakers.opened_elsewhere(health.breaker, at_ms, until_ms))


def released_elsewhere(policy: Policy, health: Health) -> Health:
    """Another process has found that the model answers again."""
    if isinstance(health.breaker, Closed):
        return health
    return replace(health, breaker=Closed(), limit=limit.restarted(policy, health.limit))


# -- Parts --------------------------------------------------------------------------------------------------------------


def _failed(policy: Policy, health: Health, at_ms: int, flight: Flight) -> tuple[Health, News | None]:
    if flight.counted:
        return health, None
    return _broken_or_not(policy, health, breakers.failed(policy, health.breaker, at_ms, probe=flight.probe))


def _broken_or_not(policy: Policy, health: Health, after: Breaker) -> tuple[Health, News | None]:
    """The breaker may have moved: what follows, and who should know."""
    before = health.breaker
    health = replace(health, breaker=after)
    match before, after:
        case Open(), Closed():
            return replace(health, limit=limit.restarted(policy, health.limit)), News("released")
        case _, Open(until_ms=until_ms) if not (isinstance(before, Open) and before.until_ms == until_ms):
            return health, News("breaker_open", until_ms)
        case _:
            return health, None


def _refused(
    policy: Policy, health: Health, at_ms: int, flight: Flight, retry_after_ms: int | None
) -> tuple[Health, News | None]:
    """No room: fewer at a time, and none at all for as long as was asked for."""
    # Those of one round count once.
    fresh = health.refused_at_ms is None or flight.began_ms >= health.refused_at_ms
    in_a_row = health.refused_in_a_row + fresh
    # The exponent is bounded, or the power would be a long number.
    own_ms = min(policy.refused_hold_ms * 2 ** min(max(in_a_row - 1, 0), 30), policy.refused_hold_ms_max)
    until_ms = at_ms + (own_ms if retry_after_ms is None else retry_after_ms)
    known = until_ms <= health.held_until_ms
    health = replace(
        _too_many(policy, health, at_ms, flight),
        held_until_ms=max(health.held_until_ms, until_ms),
        refused_in_a_row=in_a_row,
        refused_at_ms=at_ms,
    )
    return health, None if known else News("retry_after", until_ms)


def _too_many(policy: Policy, health: Health, at_ms: int, flight: Flight) -> Health:
    if flight.probe:
        return health  # It says that the model is out of order still, and nothing of how many it takes when it is well.
    return replace(health, limit=limit.refused(policy, health.limit, at_ms, flight.began_ms))


def _spacing_ms(policy: Policy, health: Health, at_ms: int) -> int:
    pressed = health.refused_at_ms is not None and at_ms - health.refused_at_ms < policy.pressed_ms
    duration_ms = health.duration_ms or policy.duration_ms
    return int(duration_ms / (health.limit.now * policy.pace_gain)) if pressed else 0


def _average(before_ms: float, now_ms: int) -> float:
    return float(now_ms) if before_ms <= 0 else 0.9 * before_ms + 0.1 * now_ms
