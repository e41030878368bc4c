"""The gatekeeper: the shell around the gate. It keeps the time, hands out places and hears what became of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from schemas.samples import ModelHeld, ModelReleased, ModelSample
from schemas.values import Lane
from services.shared.clock import now_ms
from services.shared.health import budget, latency, limit
from services.shared.health import model as models
from services.shared.health.breaker import Open, is_open
from services.shared.health.core import avoid, step, wake_ms
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
    Tell,
    Ticked,
    Waiting,
    Withdrawn,
)
from services.shared.health.model import End, Health, Manner, hedge_after_ms
from services.shared.health.policy import Policy

HELD_MS_MAX = 86_400_000
"""Longer than a day nobody is believed."""


class Asker(Protocol):
    """Whoever asked for a place. Called by the loop, never from within a call of the gatekeeper."""

    def granted(self, place: Place) -> None:
        """The call may be made."""
        ...

    def diverted(self, place: Place) -> None:
        """The model that it waits for will not be had for some time, or another is back: choose anew."""
        ...

    def given_up(self, place: Place) -> None:
        """Its call is silent, and so is the whole model: close it."""
        ...


class Place:
    """One call's place: asked for, perhaps granted, left once."""

    def __init__(self, keeper: Gatekeeper, ticket: int, model: str, asker: Asker) -> None:
        self.ticket = ticket
        self.model = model
        self.asker = asker
        self.state: Literal["waiting", "granted", "left"] = "waiting"
        self._keeper = keeper

    def spoke(self, first_token_ms: int) -> None:
        """Its call has its first token, so long after it began."""
        if self.state == "granted":
            self._keeper.feed(Spoke(at_ms=self._keeper.now(), ticket=self.ticket, first_token_ms=first_token_ms))

    def leave(self, manner: Manner, retry_after_ms: int | None = None) -> None:
        """Its call is over, or will not be made. Only the first time counts."""
        was, self.state = self.state, "left"
        if was == "granted":
            end = End(manner, retry_after_ms)
            self._keeper.left(self, Left(at_ms=self._keeper.now(), ticket=self.ticket, end=end))
        elif was == "waiting":
            self._keeper.left(self, Withdrawn(at_ms=self._keeper.now(), ticket=self.ticket))


class Gatekeeper:
    """All places of one process."""

    def __init__(self, policy: Policy, providers: Mapping[str, int]) -> None:
        """`providers`: calls at a time, where that is configured."""
        self.policy = policy
        self.gate = Gate(providers=providers)
        self.tell: Callable[[Tell], None] = lambda _told: None
        """Who tells the other processes."""
        self._tickets = itertools.count(1)
        self._places: dict[int, Place] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last_ms = 0
        self._stepped_ms = 0
        """The moment of the last step: what was due by then has been seen to."""

    def ask(self, asker: Asker, model: str, *, lane: Lane, document: str, again: bool) -> Place:
        """A place for a call of `model`, as soon as there is one. `again`: it repeats one of that model that failed."""
        place = Place(self, next(self._tickets), model, asker)
        self._places[place.ticket] = place
        waiting = Waiting(
            ticket=place.ticket, model=model, lane=lane, document=document, kind="again" if again else "first"
        )
        self.feed(Asked(at_ms=self.now(), waiting=waiting))
        return place

    def hedge(self, of: Place, chain: Sequence[str]) -> Place | None:
        """`of` is silent for longer than its model's p95: a place for a second call, at once; None: it would not pay."""
        if of.state != "granted":
            return None
        place = Place(self, next(self._tickets), of.model, of.asker)
        event = HedgeAsked(at_ms=self.now(), of=of.ticket, ticket=place.ticket, chain=tuple(chain))
        for decision in self._stepped(event):
            if isinstance(decision, Granted) and decision.ticket == place.ticket:
                place.state, place.model = "granted", decision.model
                self._places[place.ticket] = place
            else:
                self._do(decision)
        self._arm()
        return place if place.state == "granted" else None

    def avoid(self, chain: Sequence[str], failed: str | None = None) -> frozenset[str]:
        """Models of `chain` not to be chosen just now where there is another."""
        return avoid(self.policy, self.gate, self.now(), chain, failed)

    def hedge_after_ms(self, model: str) -> int | None:
        """When a call of `model` that is silent is overdue; None: nobody can say yet."""
        health = self.gate.models.get(model)
        return None if health is None else hedge_after_ms(self.policy, health, self.now())

    def left(self, place: Place, event: Left | Withdrawn) -> None:
        """By `Place` alone."""
        del self._places[place.ticket]
        self.feed(event)

    # -- What others say, and what is said to them ---------------------------------------------------------------------

    def hear(self, held: ModelHeld | ModelReleased) -> None:
        """Another process has learned something."""
        at_ms = self.now()
        match held:
            case ModelHeld(model=model, reason=reason):
                until_ms = min(held.until_ms, at_ms + HELD_MS_MAX)
                if until_ms > at_ms:
                    self.feed(Held(at_ms=at_ms, model=model, reason=reason, until_ms=until_ms))
            case ModelReleased(model=model):
                self.feed(Released(at_ms=at_ms, model=model))

    def holds(self, by: str) -> list[ModelHeld]:
        """What is held now, for whoever begins."""
        at_ms, held = self.now(), list[ModelHeld]()
        for name, health in self.gate.models.items():
            if isinstance(health.breaker, Open) and is_open(health.breaker, at_ms):
                until_ms = health.breaker.until_ms
                held.append(ModelHeld(at_ms=at_ms, by=by, model=name, until_ms=until_ms, reason="breaker_open"))
            if health.held_until_ms > at_ms:
                until_ms = health.held_until_ms
                held.append(ModelHeld(at_ms=at_ms, by=by, model=name, until_ms=until_ms, reason="retry_after"))
        return held

    def sample(self) -> tuple[ModelSample, ...]:
        """Every model that was asked so far, as it is now."""
        at_ms = self.now()
        return tuple(
            _sampled(self.policy, name, health, sum(one.model == name for one in self.gate.waiting), at_ms)
            for name, health in sorted(self.gate.models.items())
        )

    def close(self) -> None:
        """Wake no more."""
        if self._timer is not None:
            self._timer.cancel()

    # -- The core --------------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """Wall clock, since processes tell each other times; never back."""
        self._last_ms = max(self._last_ms, now_ms())
        return self._last_ms

    def feed(self, event: Event) -> None:
        """Tell the core, and do what it decides."""
        for decision in self._stepped(event):
            self._do(decision)
        self._arm()

    def _stepped(self, event: Event) -> tuple[Decision, ...]:
        self.gate, decisions = step(self.policy, self.gate, event)
        self._stepped_ms = event.at_ms
        return decisions

    def _do(self, decision: Decision) -> None:
        # By the loop: whoever is told may ask, leave and withdraw, and the gate is not to be changed under its own feet.
        soon = asyncio.get_running_loop().call_soon
        match decision:
            case Granted(ticket=ticket):
                place = self._places[ticket]
                place.state = "granted"
                soon(self._say_granted, place)
            case Diverted(ticket=ticket):
                soon(self._say_diverted, self._places[ticket])
            case GiveUp(ticket=ticket):
                soon(self._say_given_up, self._places[ticket])
            case Tell():
                self.tell(decision)

    def _say_granted(self, place: Place) -> None:
        if place.state == "granted":
            place.asker.granted(place)

    def _say_diverted(self, place: Place) -> None:
        if place.state == "waiting":
            place.asker.diverted(place)

    def _say_given_up(self, place: Place) -> None:
        if place.state == "granted":
            place.asker.given_up(place)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # As of the step: a moment that has come since then is due at once, and would otherwise never be.
        due_ms = wake_ms(self.policy, self.gate, self._stepped_ms)
        if due_ms is not None:
            delay_s = max(due_ms - self.now(), 0) / 1_000
            self._timer = asyncio.get_running_loop().call_later(delay_s, lambda: self.feed(Ticked(at_ms=self.now())))


def _sampled(policy: Policy, name: str, health: Health, waiting: int, at_ms: int) -> ModelSample:
    held_until_ms = health.held_until_ms
    breaker: Literal["closed", "open", "half_open"] = "closed"
    if isinstance(health.breaker, Open):
        breaker = "open" if is_open(health.breaker, at_ms) else "half_open"
        held_until_ms = max(held_until_ms, health.breaker.until_ms)
    return ModelSample(
        model=name,
        in_flight=len(health.flying),
        waiting=waiting,
        limit=limit.places(health.limit),
        breaker=breaker,
        held_until_ms=held_until_ms if held_until_ms > at_ms else None,
        first_token_p50_ms=latency.quantile(policy, health.latency, at_ms, 0.5),
        first_token_p95_ms=latency.quantile(policy, health.latency, at_ms, 0.95),
        calls=health.counts.calls,
        finished=health.counts.finished,
        failed=health.counts.failed,
        refused=health.counts.refused,
        retries=health.counts.retries,
        retries_left=round(budget.tokens(models.retry_rule(policy), health.retries, at_ms), 2),
        hedges=health.counts.hedges,
        hedges_won=health.counts.hedges_won,
        hedges_left=round(budget.tokens(models.hedge_rule(policy), health.hedges, at_ms), 2),
    )
