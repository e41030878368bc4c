"""Who may ask which model, and when: `step(policy, gate, event) -> (gate, decisions)`. Pure.

A call asks for a place and gets a ticket. Places go to interactive calls before batch ones, and among those to the document that
has the fewest, so that a huge one does not stand before a small one; else first come, first served. What holds, whatever happens:
- a model never has more calls than its limit, a provider never more than it was configured for;
- while a breaker is open nothing is asked but one probe at a time;
- repeated and second calls stay within their budgets;
- a ticket is granted at most once, and one that was withdrawn never.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from services.shared.health import budget
from services.shared.health import learning as learn
from services.shared.health import model as models
from services.shared.health.breaker import Open
from services.shared.health.gate import (
    Asked,
    Decision,
    Diverted,
    Event,
    Gate,
    GiveUp,
    Granted,
    HedgeAsked,
    Held,
    Left,
    Released,
    Spoke,
    Step,
    Tell,
    Ticked,
    Waiting,
    Withdrawn,
)
from services.shared.health.model import Flight, Health, Kind, News
from services.shared.health.policy import Policy


def step(policy: Policy, gate: Gate, event: Event) -> Step:
    """The gate after an event, and what follows from it."""
    gate, decisions = _happened(policy, gate, event)
    gate, granted = _served(policy, gate, event.at_ms)
    gate, diverted = _diverted(policy, gate, event.at_ms)
    return gate, (*decisions, *granted, *diverted)


def wake_ms(policy: Policy, gate: Gate, at_ms: int) -> int | None:
    """When it has to be looked at again though nothing happens; None: not before something does."""
    dues = [
        due
        for one in gate.waiting
        if (due := models.due_ms(policy, _model(policy, gate, one.model, at_ms), one.kind)) is not None
    ]
    if any(one.model in gate.blocked for one in gate.waiting):
        dues += [models.unblocks_ms(policy, gate.models[name]) for name in gate.blocked]
    # A place that somebody leaves is seen when they do.
    return min((due for due in dues if due > at_ms), default=None)


def avoid(policy: Policy, gate: Gate, at_ms: int, chain: Sequence[str], failed: str | None = None) -> frozenset[str]:
    """Models of a chain that should not be chosen where there is another.

    `failed` should not be asked again without a budget for it. One that answers poorly is passed over for one that answers well, and
    is better than one that is not to be had.
    """
    known = {name: gate.models[name] for name in chain if name in gate.models}
    blocked = {name for name, health in known.items() if models.is_blocked(policy, health, at_ms)}
    if failed is not None and failed in known:
        rule = models.retry_rule(policy)
        if budget.taken(rule, known[failed].retries, at_ms) is None:
            blocked.add(failed)
    poor = blocked | {name for name, health in known.items() if models.is_poor(policy, health, at_ms)}
    return frozenset(blocked if poor.issuperset(chain) else poor)


# -- Events -------------------------------------------------------------------------------------------------------------


def _happened(policy: Policy, gate: Gate, event: Event) -> Step:  # noqa: C901 -- one arm an event
    match event:
        case Asked(waiting=waiting):
            health = _model(policy, gate, waiting.model, event.at_ms)
            return replace(_with(gate, waiting.model, health), waiting=(*gate.waiting, waiting)), ()
        case HedgeAsked():
            return _hedge(policy, gate, event)
        case Withdrawn(ticket=ticket):
            return replace(gate, waiting=tuple(one for one in gate.waiting if one.ticket != ticket)), ()
        case Spoke(ticket=ticket):
            name = _model_of(gate, ticket)
            if name is None:
                return gate, ()
            health, news = learn.spoke(policy, gate.models[name], event.at_ms, ticket, event.first_token_ms)
            return _with(gate, name, health), _told(name, news)
        case Left(ticket=ticket):
            name = _model_of(gate, ticket)
            if name is None:
                return gate, ()
            before = gate.models[name]
            health, news = learn.left(policy, before, event.at_ms, ticket, event.end)
            return _with(gate, name, health), (*_told(name, news), *_given_up(policy, before, health, event.at_ms))
        case Held(model=name):
            before = _model(policy, gate, name, event.at_ms)
            health = learn.held_elsewhere(before, event.at_ms, event.reason, event.until_ms)
            return _with(gate, name, health), _given_up(policy, before, health, event.at_ms)
        case Released(model=name):
            health = _model(policy, gate, name, event.at_ms)
            return _with(gate, name, learn.released_elsewhere(policy, health)), ()
        case Ticked():
            return gate, ()


def _hedge(policy: Policy, gate: Gate, event: HedgeAsked) -> Step:
    """The same model as long as it is well, since lateness is a call's own and not the model's; else the next that is.

    ("The Tail at Scale", Dean and Barroso, 2013.) The first model's budget pays, whoever is asked.
    """
    name = _model_of(gate, event.of)
    if name is None:
        return gate, ()
    before = gate.models[name]
    first, news = learn.overdue(policy, before, event.at_ms, event.of)
    gate = _with(gate, name, first)
    told = (*_told(name, news), *_given_up(policy, before, first, event.at_ms))
    paid = budget.taken(models.hedge_rule(policy), first.hedges, event.at_ms)
    flight = first.flying[event.of]
    # While others wait for a place, a second call for one of them would be unfair.
    if flight.spoke or any(isinstance(one, GiveUp) for one in told):
        return gate, told
    # Silent since before its model went out of order: without a second call, nothing else would end it soon.
    alone = (*told, GiveUp(event.of)) if isinstance(first.breaker, Open) else told
    if paid is None or gate.waiting:
        return gate, alone
    order = event.chain if models.in_trouble(policy, first) else (name, *event.chain)
    for other in order:
        health = _model(policy, gate, other, event.at_ms)
        is_ill = (
            models.in_trouble(policy, health)
            or models.is_blocked(policy, health, event.at_ms)
            or models.is_poor(policy, health, event.at_ms)
        )
        if not is_ill and models.may_begin(policy, health, event.at_ms, "hedge") and _has_room(gate, other):
            gate = _with(gate, name, replace(first, hedges=paid))
            health = gate.models.get(other, health)
            second = Flight(document=flight.document, lane=flight.lane, kind="hedge", began_ms=event.at_ms)
            gate = _with(gate, other, learn.began(policy, health, event.at_ms, event.ticket, second))
            return gate, (*told, Granted(event.ticket, other))
    return gate, alone


def _given_up(policy: Policy, before: Health, after: Health, at_ms: int) -> tuple[GiveUp, ...]:
    """The model has gone out of order, or still is: its calls that are late already are waited for no longer.

    A second call, beside which there is no third, is late when it has been silent for as long as the first had been.
    """
    if not isinstance(after.breaker, Open) or after.breaker == before.breaker:
        return ()
    late_ms = models.hedge_after_ms(policy, after, at_ms) or policy.probe_ms
    silent = ((ticket, flight) for ticket, flight in after.flying.items() if not flight.spoke)
    return tuple(
        GiveUp(ticket)
        for ticket, flight in silent
        if flight.overdue or (flight.kind == "hedge" and at_ms - flight.began_ms >= late_ms)
    )


def _told(name: str, news: News | None) -> tuple[Tell, ...]:
    return () if news is None else (Tell(name, news),)


# -- Who is next --------------------------------------------------------------------------------------------------------


def _served(policy: Policy, gate: Gate, at_ms: int) -> Step:
    """Give away every place that there is."""
    granted: list[Decision] = []
    while (one := _next(policy, gate, at_ms)) is not None:
        health = gate.models[one.model]
        flight = Flight(document=one.document, lane=one.lane, kind=one.kind, began_ms=at_ms)
        gate = _with(gate, one.model, learn.began(policy, health, at_ms, one.ticket, flight))
        gate = replace(gate, waiting=tuple(other for other in gate.waiting if other.ticket != one.ticket))
        granted.append(Granted(one.ticket, one.model))
    return gate, tuple(granted)


def _next(policy: Policy, gate: Gate, at_ms: int) -> Waiting | None:
    wanted: set[tuple[str, Kind]] = {(one.model, one.kind) for one in gate.waiting}
    free = {
        (name, kind)
        for name, kind in wanted
        if _has_room(gate, name) and models.may_begin(policy, gate.models[name], at_ms, kind)
    }
    able = [one for one in gate.waiting if (one.model, one.kind) in free]
    if not able:
        return None
    has: dict[str, int] = {}
    for flight in _flights(gate):
        has[flight.document] = has.get(flight.document, 0) + 1
    # `min` takes the first of equals, and they stand in the order in which they came.
    return min(able, key=lambda one: (one.lane != "interactive", has.get(one.document, 0)))


def _diverted(policy: Policy, gate: Gate, at_ms: int) -> Step:
    """Whoever waits for a model that has just gone out of order chooses anew, and so do they when another comes back."""
    blocked = frozenset(name for name, health in gate.models.items() if models.is_blocked(policy, health, at_ms))
    if blocked == gate.blocked:
        return gate, ()
    fallen = blocked if gate.blocked - blocked else blocked - gate.blocked
    diverted = tuple(Diverted(one.ticket) for one in gate.waiting if one.model in fallen)
    return replace(gate, blocked=blocked), diverted


def _has_room(gate: Gate, name: str) -> bool:
    provider = name.partition("/")[0]
    most = gate.providers.get(provider)
    if most is None:
        return True
    there = (len(health.flying) for other, health in gate.models.items() if other.partition("/")[0] == provider)
    return sum(there) < most


def _flights(gate: Gate) -> Iterable[Flight]:
    return (flight for health in gate.models.values() for flight in health.flying.values())


def _model(policy: Policy, gate: Gate, name: str, at_ms: int) -> Health:
    found = gate.models.get(name)
    return models.new(policy, at_ms) if found is None else found


def _model_of(gate: Gate, ticket: int) -> str | None:
    return next((name for name, health in gate.models.items() if ticket in health.flying), None)


def _with(gate: Gate, name: str, health: Health) -> Gate:
    return replace(gate, models={**gate.models, name: health})
