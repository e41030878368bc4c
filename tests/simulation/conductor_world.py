"""A world of pure values: one log, one queue, conductors that crash and hear late, writers that crash, freeze and come back.

The conductor's core and the fold are the real ones. What the shells do is played step by step, so that anything may come
between any two steps. Everything is drawn from one seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator

import msgspec

from schemas.attempts import attempt_number
from schemas.cells import text_digest
from schemas.commands import AnyCommand, ResumeDocument, StopCell, StopDocument
from schemas.document import Document, Paused, Queued, Retrying, Running, Writing, is_stopped_alone
from schemas.events import (
    PLAN_CELL,
    AnyFact,
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    CellCompleted,
    CellFailed,
    CellStopped,
    DocumentCreated,
    OutlinePlanned,
    SourceFailed,
    SourceIngested,
)
from schemas.fold import created, fold
from schemas.jobs import AnyJob, IngestSource, PlanOutline, WriteCell
from schemas.values import Policy, Section, SourceGiven
from services.conductor.core import Situation, bundled, decide, obey, suspects

DOC = "d" * 32
DUPLICATE_WINDOW_MS = 600_000
ACK_WAIT_MS = 15_000
PUBLISH_PATIENCE_MS = 30_000
DELIVERIES_MAX = 5
ROUNDS_MAX = 200
IN_FLIGHT = (Queued, Writing, Retrying)
Steps = Generator[None, None, bool]


class Message:
    """A job on the queue, or in somebody's hand until `hand_until_ms`."""

    def __init__(self, job: AnyJob) -> None:
        self.job = job
        self.delivery = 0
        self.hand_until_ms = 0


class World:
    """What the bus is: a log, a queue, leases, wishes; and a clock."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 -- a schedule, not a secret
        self.now_ms = 1_000_000
        self.log: list[tuple[int, AnyFact]] = []
        self.documents: list[Document] = []
        """As it was before each fact but the first."""
        self.queue: list[Message] = []
        self.ids: dict[str, int] = {}
        self.wishes: list[AnyCommand] = []
        self.viewers = 0
        self.history: list[str] = []
        self.document = self._created()
        self.replicas = [Replica(self), Replica(self)]
        self.writers = [Writer(self, n) for n in range(3)]

    def _created(self) -> Document:
        rng = self.rng
        names = [f"c{n}" for n in range(rng.randint(1, 6))]
        sections = tuple(
            Section(id=name, heading=name, depends_on=tuple(parent for parent in names[:n] if rng.random() < 0.4))
            for n, name in enumerate(names)
        )
        self.sections = sections
        sources = tuple(
            SourceGiven(id=f"s{n}", name="n", media_type="text/plain", size_bytes=1, digest=f"x{n}")
            for n in range(rng.randint(0, 2))
        )
        policy = Policy(
            on_last_viewer_left=rng.choice(["pause", "finish_running", "continue"]),
            grace_ms=rng.choice([0, 0, 3_000, 10_000, "never"]),
            deadline_s=rng.choice([60, 1_800, 1_800]),
            budget=rng.choice([None, None, 0.05]),
        )
        fact = DocumentCreated(
            at_ms=self.now_ms,
            title="T",
            brief="B",
            policy=policy,
            sources=sources,
            outline=sections if rng.random() < 0.5 else (),
        )
        self.log.append((1, fact))
        return created(DOC, fact, 1)

    def append(self, fact: AnyFact, expected: int | None = None) -> int | None:
        """Its sequence; None where the log did not end where it was expected to."""
        last = self.log[-1][0]
        if expected is not None and expected != last:
            return None
        sequence = last + self.rng.randint(1, 2)  # Other documents write to the same stream.
        self.log.append((sequence, fact))
        before = self.document
        self.documents.append(before)
        self.document = fold(before, fact, sequence)
        self.history.append(f"{self.now_ms} {fact}")
        self.check()
        if isinstance(fact, CellStopped):
            self.check_stopped(before, fact)
        return sequence

    def publish(self, name: str, job: AnyJob) -> None:
        """Dropped where the queue has seen its id not long ago."""
        if self.now_ms - self.ids.get(name, -DUPLICATE_WINDOW_MS) < DUPLICATE_WINDOW_MS:
            return
        self.ids[name] = self.now_ms
        self.queue.append(Message(job))
        self.history.append(f"{self.now_ms} published {name}")
        writes = [message.job for message in self.queue if not isinstance(message.job, IngestSource)]
        assert len(writes) == len({_name(each) for each in writes}), "a job is on the queue twice"

    def check(self) -> None:
        """What must be so at every moment."""
        if isinstance(self.document.run, Paused):
            busy = [cell.id for cell in self.document.cells.values() if isinstance(cell.state, IN_FLIGHT)]
            assert not busy, f"{busy} are wanted by a paused document"

    def check_stopped(self, before: Document, fact: CellStopped) -> None:
        """A stop of one cell ends that one, and touches no other."""
        assert is_stopped_alone(self.document.cells[fact.cell]), f"{fact} stopped nothing"
        others = {id_: cell for id_, cell in before.cells.items() if id_ != fact.cell}
        assert others == {id_: cell for id_, cell in self.document.cells.items() if id_ != fact.cell}
        assert self.document.run == before.run

    def on_queue(self) -> frozenset[str]:
        """Cells that have a job there, waiting or in somebody's hand."""
        return frozenset(
            job.cell if isinstance(job, WriteCell) else PLAN_CELL
            for message in self.queue
            if not isinstance(job := message.job, IngestSource)
        )

    # -- What may happen --------------------------------------------------------------------------------------------------

    def chaos(self) -> None:
        """One thing, anything."""
        rng = self.rng
        replica, writer = rng.choice(self.replicas), rng.choice(self.writers)
        doings: list[tuple[int, Callable[[], None]]] = [
            (30, replica.step),
            (12, replica.begin),
            (2, replica.go_round),
            (2, replica.crash),
            (8, replica.hear),
            (30, writer.step),
            (2, writer.crash),
            (2, writer.freeze),
            (3, lambda: self.come_or_go(1)),
            (4, lambda: self.come_or_go(-1)),
            (1, lambda: self.wish(StopDocument(document=DOC, asked_at_ms=self.now_ms))),
            (3, lambda: self.wish(StopCell(document=DOC, cell=self.any_cell(), asked_at_ms=self.now_ms))),
            (2, lambda: self.wish(ResumeDocument(document=DOC, asked_at_ms=self.now_ms))),
            (2, self.lose),
            (20, lambda: self.pass_time(rng.choice([1, 1, 5, 50, 500]))),
            (1, lambda: self.pass_time(rng.choice([5_000, 20_000, 70_000, 700_000]))),
        ]
        weights = [weight for weight, _ in doings]
        rng.choices(doings, weights)[0][1]()

    def come_or_go(self, change: int) -> None:
        self.viewers = min(max(self.viewers + change, 0), 2)
        self.history.append(f"{self.now_ms} viewers {self.viewers}")
        for replica in self.replicas:
            replica.unheard.append((self.viewers, self.now_ms))

    def any_cell(self) -> str:
        """Also the planner's, which nobody may stop."""
        return self.rng.choice([PLAN_CELL, *(section.id for section in self.sections)])

    def wish(self, command: AnyCommand) -> None:
        self.wishes.append(command)

    def lose(self) -> None:
        """A worker says that it has done what it has not."""
        waiting = [m for m in self.queue if m.hand_until_ms <= self.now_ms and not isinstance(m.job, IngestSource)]
        if waiting and self.rng.random() < 0.2:
            self.queue.remove(self.rng.choice(waiting))

    def pass_time(self, by_ms: int) -> None:
        self.now_ms += by_ms

    def calm_down(self) -> None:
        """From now on nothing fails; whoever watches goes on watching. Ends when nothing happens any more."""
        for writer in self.writers:
            writer.calm = True
        still = 0
        for _ in range(600):
            self.pass_time(100)
            if self.viewers:
                self.come_or_go(0)  # Renewed.
            before = len(self.log), len(self.queue), len(self.wishes)
            for replica in self.replicas:
                while replica.unheard:
                    replica.hear()
                replica.begin()
                replica.finish()
                replica.go_round()
                replica.finish()
            for writer in self.writers:
                writer.step()
            if before == (len(self.log), len(self.queue), len(self.wishes)):
                still += 1
                if still > 1 and not isinstance(self.document.run, Running) and not self.wishes:
                    return
                self.pass_time(1_000)
            else:
                still = 0
        raise AssertionError("it never ends:\n" + "\n".join(self.history[-60:]))


class Replica:
    """One conductor's shell."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.document: Document | None = None
        self.published: set[str] = set()
        self.viewers = 0
        self.watched_at_ms = 0
        self.unheard: list[tuple[int, int]] = []
        self.doing: Steps | None = None

    def begin(self) -> None:
        """Attend to the document, because of a fact, a timer or a wish: the core does not care."""
        if self.doing is None:
            wish = self.world.wishes.pop(0) if self.world.wishes else None
            self.doing = self._attend(wish, None)

    def go_round(self) -> None:
        """Attend to it, with a look at the queue."""
        if self.doing is None:
            world = self.world
            look = self.document is not None and suspects(self.document, world.now_ms)
            self.doing = self._attend(None, world.on_queue() if look else None)

    def hear(self) -> None:
        if self.unheard:
            self.viewers, self.watched_at_ms = self.unheard.pop(0)
            self.begin()

    def step(self) -> None:
        if self.doing is not None:
            try:
                next(self.doing)
            except StopIteration:
                self.doing = None

    def finish(self) -> None:
        while self.doing is not None:
            self.step()

    def crash(self) -> None:
        """And start again, knowing nothing but what is on the bus."""
        self.__init__(self.world)  # type: ignore[misc]
        self.viewers, self.watched_at_ms = self.world.viewers, self.world.now_ms if self.world.viewers else 0

    def _attend(self, wish: AnyCommand | None, on_queue: frozenset[str] | None) -> Steps:
        world = self.world
        yield
        self._catch_up()
        while wish is not None and self.document is not None:
            yield
            if (yield from self._append(obey(self.document, wish, world.now_ms))):
                break
        for _ in range(ROUNDS_MAX):
            assert self.document is not None
            lost = frozenset[str]()
            if on_queue is not None:
                lost = frozenset(suspects(self.document, world.now_ms)) - on_queue
            decided_at_ms = world.now_ms
            decision = decide(
                self.document,
                Situation(now_ms=world.now_ms, viewers=self.viewers, watched_at_ms=self.watched_at_ms, lost=lost),
            )
            for job in decision.jobs:
                if _name(job) not in self.published:
                    yield
                    if world.now_ms - decided_at_ms > PUBLISH_PATIENCE_MS:
                        return False
                    world.publish(_name(job), job)
                    self.published.add(_name(job))
            if not decision.facts:
                return True
            yield from self._append(decision.facts)
            on_queue = None
        raise AssertionError("it does not settle:\n" + "\n".join(world.history[-30:]))

    def _catch_up(self) -> None:
        for sequence, fact in self.world.log:
            self.document = (
                created(DOC, fact, sequence) if self.document is None else fold(self.document, fact, sequence)
            )

    def _append(self, facts: tuple[AnyFact, ...]) -> Steps:
        for fact in bundled(facts):
            yield
            assert self.document is not None
            appended = self.world.append(fact, self.document.sequence)
            self._catch_up()
            if appended is None:
                return False
        return True


class Writer:
    """Planner, ingester and writer in one: takes a job, says so in the log, and ends it one way or another."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.calm = False
        self.message: Message | None = None
        self.delivery = 0
        self.try_ = 0
        self.frozen = 0

    def crash(self) -> None:
        self.message = None

    def freeze(self) -> None:
        """For so many steps, while its job runs out of its hand."""
        self.frozen = 40

    def step(self) -> None:
        world = self.world
        if self.frozen and not self.calm:
            self.frozen -= 1
        elif self.message is None:
            self._take()
        elif isinstance(self.message.job, IngestSource):
            self._ingest(self.message.job)
        else:
            if self.message.delivery == self.delivery:
                self.message.hand_until_ms = world.now_ms + ACK_WAIT_MS
            self._go_on(self.message.job)

    def _take(self) -> None:
        world = self.world
        free = [message for message in world.queue if message.hand_until_ms <= world.now_ms]
        if not free:
            return
        message = free[0]
        message.delivery += 1
        message.hand_until_ms = world.now_ms + ACK_WAIT_MS
        self.message, self.delivery, self.try_ = message, message.delivery, 1
        job = message.job
        if isinstance(job, IngestSource):
            return
        if message.delivery > DELIVERIES_MAX:
            world.append(
                CellFailed(
                    at_ms=world.now_ms,
                    cell=_cell(job),
                    revision=job.revision,
                    job=job.job,
                    kind="poison",
                    message="It killed whoever took it.",
                )
            )
            self._acknowledge()
        elif not self._is_wanted(job):
            self._acknowledge()
        else:
            self._start(job)

    def _ingest(self, job: IngestSource) -> None:
        world = self.world
        if self.calm or world.rng.random() < 0.8:
            world.append(SourceIngested(at_ms=world.now_ms, source=job.source, digest="t", passages=1, characters=1))
        else:
            world.append(SourceFailed(at_ms=world.now_ms, source=job.source, message="It is damaged."))
        self._acknowledge()

    def _start(self, job: PlanOutline | WriteCell) -> None:
        self.world.append(
            AttemptStarted(
                at_ms=self.world.now_ms,
                cell=_cell(job),
                attempt=self._attempt(job),
                writer=f"w{self.number}",
                model="m",
                cost_max=0.01,
            )
        )

    def _go_on(self, job: PlanOutline | WriteCell) -> None:
        world, cell = self.world, _cell(job)
        if not self._is_wanted(job):
            self._cancelled(job, "stopped")
            self._acknowledge()
            return
        match "complete" if self.calm else world.rng.choice(["wait", "wait", "complete", "retry", "fail", "leave"]):
            case "complete":
                self._complete(job)
            case "retry":
                world.append(
                    AttemptFailed(
                        at_ms=world.now_ms,
                        cell=cell,
                        attempt=self._attempt(job),
                        kind="cut",
                        message="cut",
                        retry_at_ms=world.now_ms,
                    )
                )
                self.try_ += 1
                self._start(job)
            case "fail":
                world.append(
                    CellFailed(
                        at_ms=world.now_ms,
                        cell=cell,
                        revision=job.revision,
                        job=job.job,
                        kind="server_error",
                        message="no",
                    )
                )
                self._acknowledge()
            case "leave":
                self._cancelled(job, "writer_stopping")
                if self.message is not None and self.message.delivery == self.delivery:
                    self.message.hand_until_ms = 0
                self.message = None
            case _:
                pass

    def _complete(self, job: PlanOutline | WriteCell) -> None:
        world, attempt = self.world, self._attempt(job)
        if isinstance(job, PlanOutline):
            world.append(OutlinePlanned(at_ms=world.now_ms, attempt=attempt, sections=world.sections))
        else:
            text = f"{job.cell} {attempt}"
            world.append(
                CellCompleted(
                    at_ms=world.now_ms,
                    cell=job.cell,
                    revision=job.revision,
                    attempt=attempt,
                    text=text,
                    output_digest=text_digest(text),
                )
            )
        self._acknowledge()

    def _cancelled(self, job: PlanOutline | WriteCell, reason: str) -> None:
        now_ms = self.world.now_ms
        receipt = {
            "at_ms": now_ms,
            "cell": _cell(job),
            "attempt": self._attempt(job),
            "reason": reason,
            "asked_at_ms": now_ms,
            "closed_at_ms": now_ms,
        }
        self.world.append(msgspec.convert(receipt, AttemptCancelled))

    def _is_wanted(self, job: PlanOutline | WriteCell) -> bool:
        document = self.world.document
        cell = document.cells.get(_cell(job))
        wanted = cell is not None and cell.job == job.job and isinstance(cell.state, IN_FLIGHT)
        return wanted and isinstance(document.run, Running) and cell is not None and self._attempt(job) >= cell.attempt

    def _attempt(self, job: PlanOutline | WriteCell) -> int:
        return attempt_number(job.job, self.delivery, self.try_)

    def _acknowledge(self) -> None:
        if self.message in self.world.queue:
            self.world.queue.remove(self.message)
        self.message = None


def _cell(job: PlanOutline | WriteCell) -> str:
    return job.cell if isinstance(job, WriteCell) else PLAN_CELL


def _name(job: AnyJob) -> str:
    if isinstance(job, IngestSource):
        return f"ingest.{job.source}"
    return f"{_cell(job)}.{job.job}"
