"""Writers and a provider in virtual time: the real gate, the simulator's own account, and chance from one seed."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Literal

from services.shared.health.core import avoid, step, wake_ms
from services.shared.health.gate import (
    Asked,
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
from services.shared.health.model import End, Kind, hedge_after_ms
from services.shared.health.policy import Policy
from services.simulator.dials import Dials
from services.simulator.limits import Account

Z_99 = 2.326
BUS_MS = 2
BACKOFF_MS = 500
BACKOFF_MS_MAX = 20_000
Fault = Literal["none", "dead", "hangs"]


class Clock:
    """Virtual time: what is due, in order."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, at_ms: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._due, (max(math.ceil(at_ms), self.now_ms), next(self._numbers), do))

    def run(self, until_ms: int) -> None:
        while self._due and self._due[0][0] <= until_ms:
            self.now_ms, _, do = heapq.heappop(self._due)
            do()
        self.now_ms = until_ms


class Model:
    """A provider's model: an account's limits, a pace, and whether it lives. Keeps a record of every call."""

    def __init__(
        self, seed: int, dials: Dials | None = None, first_ms: float = 350, p99: float = 4, talk_ms: float = 2_500
    ) -> None:
        self.dials = dials or Dials()
        self.fault: Fault = "none"
        self.account = Account()
        self.accepted: list[int] = []
        self.refused: list[int] = []
        self.called: list[int] = []
        self.lags = 0.0
        """Share of calls whose first token comes twelve times later."""
        self.refuses = 0.0
        """Share of calls that are refused for a second, however few there are."""
        self.fails = 0.0
        """Share of calls that fail, however many there are, a moment after they were made."""
        self._random = Random(f"{seed}/model")  # noqa: S311 -- to be repeated
        self._first_ms = first_ms
        self._talk_ms = talk_ms
        self._sigma = math.log(p99) / Z_99 if p99 > 1 else 0.0

    def call(self, at_ms: int) -> tuple[End, float, float]:
        """How it ends, when it speaks and when it is over, both from now; `inf`: never."""
        self.called.append(at_ms)
        if self.fault == "dead":
            return End("overloaded"), math.inf, 30.0
        if self.fault == "hangs":
            return End("failed"), math.inf, 60_000.0
        wait_ms = self.account.wait_ms(self.dials, 1_000, at_ms)
        if wait_ms is not None:
            self.refused.append(at_ms)
            return End("refused", -(-round(wait_ms) // 1_000) * 1_000), math.inf, 30.0
        if self._random.random() < self.fails:
            return End("failed"), math.inf, 30.0
        if self._random.random() < self.refuses:
            self.refused.append(at_ms)
            return End("refused", 1_000), math.inf, 30.0
        self.accepted.append(at_ms)
        first_ms = self._random.lognormvariate(math.log(self._first_ms), self._sigma)
        if self._random.random() < self.lags:
            first_ms *= 12
        return End("finished"), first_ms, first_ms + self._random.lognormvariate(math.log(self._talk_ms), 0.3)


class Job:
    """One cell: asks until it is written."""

    def __init__(self, writer: Writer, number: int) -> None:
        self.writer = writer
        self.number = number
        self.began_ms = writer.world.clock.now_ms
        self.spoke_ms: int | None = None
        self.tries = 0
        self.tried: set[str] = set()
        self.model = ""
        self.calls: dict[int, bool] = {}
        """Open calls, by ticket, and whether they were closed from here."""
        self.waiting: int | None = None
        self.over = False

    def ask(self, model: str) -> None:
        kind: Kind = "again" if model in self.tried else "first"
        self.model = model
        self.waiting = self.writer.ticket(self)
        document = f"d{self.number % 5}"
        self.writer.feed(
            Asked(
                at_ms=self.writer.now,
                waiting=Waiting(ticket=self.waiting, model=model, document=document, kind=kind),
            )
        )

    def choose(self, failed: str | None = None) -> str:
        chain = self.writer.world.chain
        out = avoid(self.writer.policy, self.writer.gate, self.writer.now, chain, failed)
        start = 0 if failed is None or self.tries % 2 else chain.index(failed) + 1
        ordered = [*chain[start:], *chain[:start]]
        return next((name for name in ordered if name not in out), ordered[0])

    def granted(self, ticket: int, name: str) -> None:
        self.waiting = None
        world, clock = self.writer.world, self.writer.world.clock
        model = world.models[name]
        self.tried.add(name)
        self.calls[ticket] = False
        end, first_ms, over_ms = model.call(clock.now_ms)
        if end.manner == "finished":
            model.account.running += 1
        if first_ms < math.inf:
            clock.at(clock.now_ms + first_ms, lambda: self.spoke(ticket, round(first_ms)))
        clock.at(clock.now_ms + over_ms, lambda: self.ended(ticket, name, end))
        late_ms = hedge_after_ms(self.writer.policy, self.writer.gate.models[name], clock.now_ms)
        if late_ms is not None and len(self.calls) == 1:
            clock.at(clock.now_ms + late_ms, lambda: self.late(ticket))

    def late(self, ticket: int) -> None:
        if self.calls.get(ticket) is False and self.spoke_ms is None and not self.over:
            second = self.writer.ticket(self)
            self.writer.feed(HedgeAsked(at_ms=self.writer.now, of=ticket, ticket=second, chain=self.writer.world.chain))

    def spoke(self, ticket: int, first_token_ms: int) -> None:
        if self.calls.get(ticket) is not False or self.over:
            return
        if self.spoke_ms is None:
            self.spoke_ms = self.writer.now
            self.writer.world.first_tokens.append((self.began_ms, self.spoke_ms - self.began_ms))
        self.writer.feed(Spoke(at_ms=self.writer.now, ticket=ticket, first_token_ms=first_token_ms))
        for other in tuple(self.calls):
            if other != ticket:
                self.close(other)

    def close(self, ticket: int) -> None:
        if self.calls.get(ticket) is False:
            self.calls[ticket] = True
            self.writer.feed(Left(at_ms=self.writer.now, ticket=ticket, end=End("closed")))

    def ended(self, ticket: int, name: str, end: End) -> None:
        world = self.writer.world
        if end.manner == "finished":
            world.models[name].account.running -= 1
        if self.calls.get(ticket) is not False:
            return
        del self.calls[ticket]
        self.writer.feed(Left(at_ms=self.writer.now, ticket=ticket, end=end))
        if end.manner == "finished":
            self.over = True
            world.finished.append(self.writer.now)
            self.writer.next_job()
        elif not any(closed is False for closed in self.calls.values()):
            self.again(name, end)

    def given_up(self, ticket: int) -> None:
        if self.calls.get(ticket) is False:
            del self.calls[ticket]
            self.writer.feed(Left(at_ms=self.writer.now, ticket=ticket, end=End("failed")))
            if not any(closed is False for closed in self.calls.values()):
                self.again(self.model, End("failed"))

    def again(self, name: str, end: End) -> None:
        self.tries += 1
        following = self.choose(name)
        wait_ms = 0.0
        if following in self.tried:
            wait_ms = self.writer.world.random.random() * min(BACKOFF_MS * 2**self.tries, BACKOFF_MS_MAX)
            wait_ms = max(wait_ms, end.retry_after_ms or 0)
        self.writer.world.clock.at(self.writer.now + wait_ms, lambda: self.ask(following))

    def diverted(self, ticket: int) -> None:
        if self.waiting != ticket:
            return
        better = self.choose()
        chain = self.writer.world.chain
        if better != self.model and better not in avoid(self.writer.policy, self.writer.gate, self.writer.now, chain):
            self.writer.feed(Withdrawn(at_ms=self.writer.now, ticket=ticket))
            self.ask(better)


class Writer:
    """One process: a gate and so many slots, always busy."""

    def __init__(self, world: World, policy: Policy, slots: int) -> None:
        self.world = world
        self.policy = policy
        self.gate = Gate()
        self.jobs: dict[int, Job] = {}
        self._slots = slots
        self._made = 0
        self._decided: deque[object] = deque()
        self._deciding = False

    @property
    def now(self) -> int:
        return self.world.clock.now_ms

    def start(self) -> None:
        for _ in range(self._slots):
            self.next_job()

    def next_job(self) -> None:
        if self.world.jobs_left == 0:
            return
        self.world.jobs_left -= 1
        self._made += 1
        job = Job(self, self._made)
        job.ask(job.choose())

    def ticket(self, job: Job) -> int:
        number = next(self.world.tickets)
        self.jobs[number] = job
        return number

    def feed(self, event: Event) -> None:
        self.gate, decisions = step(self.policy, self.gate, event)
        self.world.check(self)
        for decision in decisions:
            self._do(decision)
        due_ms = wake_ms(self.policy, self.gate, self.now)
        if due_ms is not None:
            self.world.clock.at(due_ms, lambda: self._wake(due_ms))

    def _wake(self, due_ms: int) -> None:
        if wake_ms(self.policy, self.gate, due_ms - 1) == due_ms:
            self.feed(Ticked(at_ms=self.now))

    def _do(self, decision: Granted | Diverted | GiveUp | Tell) -> None:
        clock = self.world.clock
        match decision:
            case Granted(ticket=ticket, model=model):
                clock.at(clock.now_ms, lambda: self.jobs[ticket].granted(ticket, model))
            case Diverted(ticket=ticket):
                clock.at(clock.now_ms, lambda: self.jobs[ticket].diverted(ticket))
            case GiveUp(ticket=ticket):
                clock.at(clock.now_ms, lambda: self.jobs[ticket].given_up(ticket))
            case Tell(model=model, news=news):
                self.world.told.append((clock.now_ms, model, news.reason))
                for other in self.world.writers:
                    if other is not self:
                        clock.at(
                            clock.now_ms + BUS_MS, lambda other=other: other.hear(model, news.reason, news.until_ms)
                        )

    def hear(self, model: str, reason: str, until_ms: int) -> None:
        match reason:
            case "released":
                self.feed(Released(at_ms=self.now, model=model))
            case "breaker_open":
                self.feed(Held(at_ms=self.now, model=model, reason="breaker_open", until_ms=until_ms))
            case _:
                self.feed(Held(at_ms=self.now, model=model, reason="retry_after", until_ms=until_ms))


class World:
    """All of it."""

    def __init__(
        self, seed: int, models: dict[str, Model], *, writers: int = 4, slots: int = 16, policy: Policy | None = None
    ) -> None:
        self.clock = Clock()
        self.random = Random(f"{seed}/world")  # noqa: S311 -- likewise
        self.models = models
        self.chain = tuple(models)
        self.tickets = itertools.count(1)
        self.jobs_left = 10**9
        self.finished: list[int] = []
        self.first_tokens: list[tuple[int, int]] = []
        """(when its job was taken, how long until it spoke)"""
        self.told: list[tuple[int, str, str]] = []
        self.writers = [Writer(self, policy or Policy(), slots) for _ in range(writers)]

    def start(self) -> World:
        for writer in self.writers:
            writer.start()
        return self

    def check(self, writer: Writer) -> None:
        """What holds at every moment."""
        for health in writer.gate.models.values():
            assert sum(flight.probe for flight in health.flying.values()) <= 1
            assert writer.policy.limit_min <= health.limit.now <= writer.policy.limit_max
