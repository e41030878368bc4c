"""What should happen next to a document. Pure, and level-triggered.

`decide` does not ask what just happened. It looks at the document as it is, and at the clock and the viewers as they are, and
says which facts are missing and which jobs should be on the queue. So it may be asked as often as anybody likes, by any number
of replicas, after any crash: where nothing is missing it says nothing. (The reconciler of Kubernetes' controllers.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from schemas.attempts import job_of
from schemas.cells import plan_digest
from schemas.commands import AnyCommand, DeleteDocument, ResumeDocument, StopCell, StopDocument
from schemas.document import (
    Abandoned,
    Cancelled,
    Cell,
    Completed,
    Deleted,
    Document,
    Done,
    Failed,
    Paused,
    Queued,
    Retrying,
    Running,
    Writing,
    is_missing,
    is_stopped_alone,
)
from schemas.events import (
    PLAN_CELL,
    AnyFact,
    CellFailed,
    CellQueued,
    CellsFreshened,
    CellsQueued,
    CellsStaled,
    CellStopped,
    CellWithdrawn,
    DocumentCompleted,
    DocumentDeleted,
    DocumentFailed,
    DocumentPaused,
    DocumentResumed,
    LastViewerLeft,
    StaleCells,
    ViewerReturned,
)
from schemas.jobs import AnyJob, IngestSource, PlanOutline, WriteCell
from schemas.spending import affords, committed, left
from schemas.standing import IN_FLIGHT, Standing, Why, standings
from schemas.values import Lane, Reason

READ_MS = 3_600_000
"""How long a document that does not run waits for a source to be read."""
FIRST_VIEWER_MS = 30_000
"""A new or resumed document has this long to get its first viewer."""
CELLS_IN_FLIGHT_MAX = 48
"""Cells of one document queued or being written, so that a huge one leaves room for others."""
CELLS_QUEUED_MAX = 8
"""Cells of one document that wait on the queue for a writer. The queue is first come, first served: so many jobs of each other
document stand at most before those of a new one, however large the others are."""
SETTLING_MS = 5_000
"""A call that is not settled so long after its cell was over has lost its writer, and counts at its maximum for good."""
REPUBLISH_MS_MAX = 300_000
"""Half of the queue's duplicate window: for so long a job may be published again under its id without being there twice."""
LOST_AFTER_MS = 60_000
"""From then on, whoever sees a cell in flight asks whether its job is still on the queue."""
DEADLINE_MESSAGE = "The document's deadline passed before this was written."


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What is not in the log: the time, who watches, and what the queue has lost."""

    now_ms: int
    viewers: int = 0
    """Gateways that hold a viewer lease on the document."""
    watched_at_ms: int = 0
    """When a lease was last put, renewed or given up: until then somebody watched."""
    leases_known: bool = True
    """False for a while after the bus was away: then no lease means nothing."""
    lost: frozenset[str] = frozenset()
    """Cells in flight whose job is not on the queue any more: nobody will write them."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that are missing, in order; jobs that should be on the queue; when to ask again, if nothing happens."""

    facts: tuple[AnyFact, ...] = ()
    jobs: tuple[AnyJob, ...] = ()
    wake_at_ms: int | None = None
    too_dear: bool = False
    """Something could be begun, if there were more money left."""


NOTHING = Decision()


def decide(document: Document, situation: Situation) -> Decision:
    """What is missing from a document's log, and from the queue. Facts first: jobs follow from the log that has them."""
    run, now_ms = document.run, situation.now_ms
    if not isinstance(run, Running):
        return _at_rest(document, situation)
    if document.policy.plan_first and document.outline:
        return Decision(facts=(DocumentPaused(at_ms=now_ms, reason="plan_ready", asked_at_ms=now_ms),))
    work = _work(document, run, situation)
    if any(isinstance(fact, DocumentCompleted | DocumentFailed) for fact in work.facts):
        return work  # Over is over, whoever has left, and whatever it cost.
    if now_ms >= run.deadline_ms:
        return Decision(facts=_expired(document, now_ms))
    spending = _spending(document, situation)
    if spending == "spent" or (work.too_dear and not _is_in_flight(document, situation)):
        settles_at_ms = _settles_at_ms(document)
        if now_ms < settles_at_ms:
            return Decision(wake_at_ms=min(settles_at_ms, run.deadline_ms))
        return Decision(facts=(DocumentPaused(at_ms=now_ms, reason="budget_spent", asked_at_ms=now_ms),))
    watching = _watch(document, run, situation)
    if watching.facts:
        return watching
    begins_cells = document.leaving is None and spending == "within"
    return Decision(
        facts=work.facts if begins_cells else _not_begun(document, work.facts),
        jobs=work.jobs,
        wake_at_ms=min(filter(None, (watching.wake_at_ms, run.deadline_ms))),
    )


def _at_rest(document: Document, situation: Situation) -> Decision:
    """Nothing is written; who comes back or edits may begin it again."""
    now_ms = situation.now_ms
    match document.run:
        case Paused(reason="last_viewer_left", at_ms=at_ms) if situation.viewers and situation.watched_at_ms > at_ms:
            # A lease from before the pause is one that this replica has not heard the end of.
            return Decision(facts=(DocumentResumed(at_ms=now_ms, because="viewer_returned"),))
        case Done() | Abandoned() if _is_reopened(document):
            return Decision(facts=(DocumentResumed(at_ms=now_ms, because="edited"),))
        case Deleted(sequence=sequence):
            # A fact that came too late goes with a further purge.
            return Decision(facts=(DocumentDeleted(at_ms=now_ms),)) if document.sequence > sequence else NOTHING
        case _:
            # What costs no call goes on: sources are read, and what is not up to date is marked.
            found = standings(document)
            right = [_withdraw(one.cell, now_ms) for one in found.values() if _is_right_again(one)]
            return Decision(
                facts=(*right, *_staleness(document, found, now_ms)),
                jobs=_reading(document, "interactive", now_ms + READ_MS),
            )


def obey(document: Document, command: AnyCommand, now_ms: int) -> tuple[AnyFact, ...]:
    """What a wish comes to; nothing where it is already so."""
    match command, document.run:
        case DeleteDocument(), Running() | Paused() | Done() | Abandoned():
            return (DocumentDeleted(at_ms=now_ms),)
        case StopDocument(asked_at_ms=asked_at_ms), Running():
            return (DocumentPaused(at_ms=now_ms, reason="stop_asked", asked_at_ms=min(asked_at_ms, now_ms)),)
        case StopCell(cell=id_, asked_at_ms=asked_at_ms), Running() if id_ != PLAN_CELL:
            cell = document.cells.get(id_)
            if cell is None or not isinstance(cell.state, IN_FLIGHT):
                return ()
            return (CellStopped(at_ms=now_ms, cell=id_, job=cell.job, asked_at_ms=min(asked_at_ms, now_ms)),)
        case ResumeDocument(), Paused() | Abandoned():
            return (DocumentResumed(at_ms=now_ms),)
        case ResumeDocument(), Done() if any(is_missing(cell) for cell in document.cells.values()):
            return (DocumentResumed(at_ms=now_ms),)
        case _:
            return ()


def bundled(facts: tuple[AnyFact, ...]) -> Iterator[AnyFact]:
    """A decision's facts as they are appended, each where the log is expected to end: what is queued together is one fact.

    One synced write instead of dozens, and nothing in between: two replicas cannot queue half of a document each.
    """
    queued = [fact for fact in facts if isinstance(fact, CellQueued)]
    if len(queued) > 1:
        yield CellsQueued(at_ms=queued[0].at_ms, cells=tuple(queued))
    for fact in facts:
        if len(queued) <= 1 or not isinstance(fact, CellQueued):
            yield fact


# -- Viewers --------------------------------------------------------------------------------------------------------------


def _watch(document: Document, run: Running, situation: Situation) -> Decision:
    """Losing the last viewer, and getting one back."""
    policy, leaving, now_ms = document.policy, document.leaving, situation.now_ms
    if situation.viewers:
        return NOTHING if leaving is None else Decision(facts=(ViewerReturned(at_ms=now_ms),))
    if policy.on_last_viewer_left == "continue" or policy.grace_ms == "never" or not situation.leases_known:
        return NOTHING
    if leaving is None:
        first_until_ms = run.since_ms + FIRST_VIEWER_MS
        if situation.watched_at_ms < run.since_ms and now_ms < first_until_ms:
            return Decision(wake_at_ms=first_until_ms)
        if policy.on_last_viewer_left == "finish_running":
            return Decision(facts=(LastViewerLeft(at_ms=now_ms, pauses_at_ms=None),))
        if policy.grace_ms == 0:
            return _left(now_ms)
        return Decision(facts=(LastViewerLeft(at_ms=now_ms, pauses_at_ms=now_ms + policy.grace_ms),))
    if leaving.pauses_at_ms is None:
        return NOTHING if _is_writing(document, situation) else _left(now_ms)
    if now_ms >= leaving.pauses_at_ms:
        return _left(now_ms)
    return Decision(wake_at_ms=leaving.pauses_at_ms)


def _left(now_ms: int) -> Decision:
    return Decision(facts=(DocumentPaused(at_ms=now_ms, reason="last_viewer_left", asked_at_ms=now_ms),))


# -- Money ----------------------------------------------------------------------------------------------------------------


def _spending(document: Document, situation: Situation) -> Literal["within", "reserved", "spent"]:
    """Calls in flight count at their maximum. They may still end, but what they reserve is not spent twice."""
    budget = document.policy.budget
    if budget is None:
        return "within"
    cost = document.ledger.cost
    if not _reaches(committed(document), budget):
        return "within"
    return "reserved" if _is_writing(document, situation) and not _reaches(cost, budget) else "spent"


def _is_writing(document: Document, situation: Situation) -> bool:
    """Whether something runs that may be waited for."""
    return any(
        isinstance(cell.state, Writing | Retrying) and id_ not in situation.lost for id_, cell in document.cells.items()
    )


def _settles_at_ms(document: Document) -> int:
    """Until when calls may still be settled whose cells are over: the text comes first, and the bill right behind it."""
    open_cells = {key.partition("/")[0] for key in document.open_calls}
    states = [document.cells[id_].state for id_ in open_cells if id_ in document.cells]
    over = [state.at_ms for state in states if isinstance(state, Completed | Failed | Cancelled)]
    return max((at_ms + SETTLING_MS for at_ms in over), default=0)


def _is_in_flight(document: Document, situation: Situation) -> bool:
    """Whether something is queued or runs: what it leaves of its reservation may be enough for others."""
    return any(isinstance(cell.state, IN_FLIGHT) and id_ not in situation.lost for id_, cell in document.cells.items())


def _reaches(cost: float, budget: float) -> bool:
    """A budget of nothing allows what costs nothing."""
    return cost >= budget if budget > 0 else cost > 0


# -- Work -----------------------------------------------------------------------------------------------------------------


def _work(document: Document, run: Running, situation: Situation) -> Decision:
    lane: Lane = "interactive" if situation.viewers or document.policy.on_last_viewer_left != "continue" else "batch"
    reading = _reading(document, lane, run.deadline_ms)
    if document.outline:
        return _cells(document, run, lane, situation, reading)
    return Decision(jobs=reading) if reading else _plan(document, run, lane, situation)


def _reading(document: Document, lane: Lane, deadline_ms: int) -> tuple[AnyJob, ...]:
    """Sources that nobody has read yet."""
    return tuple(
        IngestSource(document=document.id, lane=lane, deadline_ms=deadline_ms, source=id_, given_at=source.given_at)
        for id_, source in document.sources.items()
        if source.digest is None and source.failure is None
    )


def _plan(document: Document, run: Running, lane: Lane, situation: Situation) -> Decision:
    cell, now_ms = document.cells.get(PLAN_CELL, Cell(id=PLAN_CELL)), situation.now_ms
    digest = plan_digest(document)
    match cell.state:
        case Failed(kind=kind, message=message) if cell.input_digest == digest:
            return Decision(facts=(DocumentFailed(at_ms=now_ms, kind=kind, message=message),))
        case Queued() | Writing() | Retrying() if cell.input_digest == digest and PLAN_CELL not in situation.lost:
            return Decision(jobs=(_job(document, cell, run),)) if _to_publish(cell, now_ms) else NOTHING
        case _ if not affords(document, cell.cost_needed):
            return Decision(too_dear=True)
        case _:
            return Decision(facts=(_queue(cell, digest, run, lane, now_ms),))


def _cells(document: Document, run: Running, lane: Lane, situation: Situation, reading: tuple[AnyJob, ...]) -> Decision:
    found, now_ms = standings(document), situation.now_ms
    # Of thousands of cells these are few, and all that is looked at more than once.
    in_flight = [one.cell for one in found.values() if one.in_flight]
    room = _room(in_flight)
    # What is known to be needed by cells that have nothing reserved yet is as good as spent.
    money = left(document) - sum(cell.cost_needed for cell in in_flight if isinstance(cell.state, Queued | Retrying))
    facts: list[AnyFact] = [_withdraw(cell, now_ms) for cell in _gone(document, found)]
    jobs: list[AnyJob] = [*reading]
    at_rest = 0
    too_dear = False
    for id_, one in found.items():
        match _next(one, lost=id_ in situation.lost):
            case "rest":
                at_rest += 1
            case "withdraw":
                facts.append(_withdraw(one.cell, now_ms))
            case "again" if one.digest is not None:
                facts.append(_queue(one.cell, one.digest, run, lane, now_ms))  # Outranks what was asked before.
            case "begin" if one.cell.cost_needed > 0 and one.cell.cost_needed > money:
                too_dear = True
            case "begin" if one.digest is not None and room > 0:
                room -= 1
                money -= one.cell.cost_needed
                facts.append(_queue(one.cell, one.digest, run, lane, now_ms))
            case "go on" if _to_publish(one.cell, now_ms):
                jobs.append(_job(document, one.cell, run))
            case _:
                pass
    if at_rest == len(found) and not facts and not reading:
        return Decision(facts=(_completed((one.cell for one in found.values()), now_ms),))
    staleness = _staleness(document, found, now_ms, facts)
    return Decision(facts=(*facts, *staleness), jobs=tuple(jobs), too_dear=too_dear and not facts)


def _room(in_flight: Collection[Cell]) -> int:
    """How many more may be queued."""
    queued = sum(isinstance(cell.state, Queued) for cell in in_flight)
    return min(CELLS_IN_FLIGHT_MAX - len(in_flight), CELLS_QUEUED_MAX - queued)


def _next(one: Standing, *, lost: bool) -> Literal["rest", "wait", "begin", "go on", "again", "withdraw"]:
    """What is to become of a wanted cell."""
    in_flight = one.in_flight
    if one.is_over and in_flight:
        # Of a text that was locked meanwhile, a rewrite is offered; of one that is right as it is, none is needed.
        return "go on" if one.cell.locked else "withdraw"
    if _is_right_again(one):
        return "withdraw"
    if one.is_over or not one.may_write:
        return "rest"
    if one.digest is None:
        return "withdraw" if in_flight else "wait"
    if not in_flight:
        return "begin"
    return "again" if lost or one.cell.input_digest != one.digest else "go on"


def _is_right_again(one: Standing) -> bool:
    """Stopped by itself, and what it has is what is wanted: nothing is missing."""
    return one.is_over and is_stopped_alone(one.cell) and not one.cell.locked and one.cell.input_digest != one.digest


def _gone(document: Document, found: Mapping[str, Standing]) -> Iterator[Cell]:
    """Cells in flight that no outline has any more."""
    for id_, cell in document.cells.items():
        if id_ not in found and isinstance(cell.state, IN_FLIGHT):
            yield cell


def _not_begun(document: Document, facts: Iterable[AnyFact]) -> tuple[AnyFact, ...]:
    """What is left of facts where no cell may be begun: of one whose inputs changed while it was written, the end."""
    left: list[AnyFact] = []
    for fact in facts:
        if not isinstance(fact, CellQueued):
            left.append(fact)
            continue
        cell = document.cells.get(fact.cell)
        if cell is not None and isinstance(cell.state, IN_FLIGHT) and cell.input_digest != fact.input_digest:
            left.append(_withdraw(cell, fact.at_ms))
    return tuple(left)


def _staleness(
    document: Document, found: Mapping[str, Standing], now_ms: int, facts: Iterable[AnyFact] = ()
) -> tuple[AnyFact, ...]:
    """Cells that are stale, or not any more, and do not say so; but for those that these facts queue."""
    queued = {fact.cell for fact in facts if isinstance(fact, CellQueued)}
    why = Why(document)
    groups: dict[tuple[Reason, ...], list[str]] = {}
    fresh: list[str] = []
    for id_, one in found.items():
        if one.is_stale and id_ not in queued:
            because = why.stale(one)
            if one.cell.stale != because:
                groups.setdefault(because, []).append(id_)
        elif one.cell.stale and one.digest is not None and id_ not in queued:
            fresh.append(id_)
    staled = tuple(StaleCells(reasons=because, cells=tuple(cells)) for because, cells in groups.items())
    return (
        *((CellsStaled(at_ms=now_ms, groups=staled),) if staled else ()),
        *((CellsFreshened(at_ms=now_ms, cells=tuple(fresh)),) if fresh else ()),
    )


def _is_reopened(document: Document) -> bool:
    """Whether somebody edited a document that was over, so that there is work again."""
    if document.version <= document.rested:
        return False
    if not document.outline:
        plan = document.cells.get(PLAN_CELL)
        return plan is None or plan.input_digest != plan_digest(document)
    return any(_next(one, lost=False) == "begin" for one in standings(document).values())


def _withdraw(cell: Cell, now_ms: int) -> CellWithdrawn:
    return CellWithdrawn(at_ms=now_ms, cell=cell.id, job=cell.job)


def _to_publish(cell: Cell, now_ms: int) -> bool:
    """Whether its job may be missing on the queue: its conductor may have died before it published it."""
    taken = cell.attempt > 0 and job_of(cell.attempt) == cell.job
    return isinstance(cell.state, Queued) and not taken and now_ms < cell.state.since_ms + REPUBLISH_MS_MAX


def suspects(document: Document, now_ms: int) -> tuple[str, ...]:
    """Cells in flight for so long that their jobs may have been lost: the queue knows."""
    if not isinstance(document.run, Running):
        return ()
    return tuple(
        id_
        for id_, cell in document.cells.items()
        if isinstance(cell.state, Queued | Writing | Retrying) and now_ms >= cell.state.since_ms + LOST_AFTER_MS
    )


def _queue(cell: Cell, digest: str, run: Running, lane: Lane, now_ms: int) -> CellQueued:
    written = cell.completed.revision if cell.completed is not None else 0
    again = cell.input_digest == digest and cell.revision > written
    return CellQueued(
        at_ms=now_ms,
        cell=cell.id,
        revision=cell.revision if again else cell.revision + 1,
        job=cell.job + 1,
        input_digest=digest,
        lane=lane,
        deadline_ms=run.deadline_ms,
    )


def _job(document: Document, cell: Cell, run: Running) -> PlanOutline | WriteCell:
    lane: Lane = cell.state.lane if isinstance(cell.state, Queued) else "interactive"
    deadline_ms, revision, job = run.deadline_ms, cell.revision, cell.job
    if cell.id == PLAN_CELL:
        return PlanOutline(document=document.id, lane=lane, deadline_ms=deadline_ms, revision=revision, job=job)
    return WriteCell(document=document.id, lane=lane, deadline_ms=deadline_ms, cell=cell.id, revision=revision, job=job)


# -- Ends -----------------------------------------------------------------------------------------------------------------


def _completed(cells: Iterable[Cell], now_ms: int) -> DocumentCompleted:
    states = [cell.state for cell in cells]
    return DocumentCompleted(
        at_ms=now_ms,
        cells_completed=sum(isinstance(state, Completed) for state in states),
        cells_failed=sum(isinstance(state, Failed) for state in states),
        cells_stopped=sum(isinstance(state, Cancelled) for state in states),
    )


def _expired(document: Document, now_ms: int) -> tuple[AnyFact, ...]:
    """Nothing waits for ever: what is not written at the deadline is given up, and says so."""
    if not document.outline:
        return (
            DocumentFailed(at_ms=now_ms, kind="deadline", message="The deadline passed before there was an outline."),
        )
    found = standings(document).values()
    cells = [one.cell for one in found]
    late = [
        one.cell for one in found if one.may_write and not isinstance(one.cell.state, Completed | Failed | Cancelled)
    ]
    given_up = [
        CellFailed(
            at_ms=now_ms,
            cell=cell.id,
            revision=cell.revision,
            job=cell.job,
            kind="deadline",
            message=DEADLINE_MESSAGE,
        )
        for cell in late
    ]
    over = _completed(cells, now_ms)
    return (*given_up, replace(over, cells_failed=over.cells_failed + len(late)))
