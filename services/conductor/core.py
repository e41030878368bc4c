"""What should happen next to a document. Pure, and level-triggered.

`decide` does not ask what just happened. It looks at the document as it is, and at the clock and the viewers as they are, and
says which facts are missing and which jobs should be on the queue. So it may be asked as often as anybody likes, by any number
of replicas, after any crash: where nothing is missing it says nothing. (The reconciler of Kubernetes' controllers.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from schemas.attempts import job_of
from schemas.cells import Wanted, input_digest, plan_digest, wanted_cells
from schemas.commands import AnyCommand, ResumeDocument, StopDocument
from schemas.document import (
    Abandoned,
    Cell,
    Completed,
    Document,
    Done,
    Failed,
    Paused,
    Queued,
    Retrying,
    Running,
    Writing,
)
from schemas.events import (
    PLAN_CELL,
    AnyFact,
    CellFailed,
    CellQueued,
    CellsQueued,
    DocumentCompleted,
    DocumentFailed,
    DocumentPaused,
    DocumentResumed,
    LastViewerLeft,
    ViewerReturned,
)
from schemas.jobs import AnyJob, IngestSource, PlanOutline, WriteCell
from schemas.spending import affords, committed, left
from schemas.values import Lane

FIRST_VIEWER_MS = 30_000
"""A new or resumed document has this long to get its first viewer."""
CELLS_IN_FLIGHT_MAX = 48
"""Cells of one document queued or being written, so that a huge one leaves room for others."""
CELLS_QUEUED_MAX = 8
"""Cells of one document that wait on the queue for a writer. The queue is first come, first served: so many jobs of each other
document stand at most before those of a new one, however large the others are."""
REPUBLISH_MS_MAX = 300_000
"""Half of the queue's duplicate window: for so long a job may be published again under its id without being there twice."""
LOST_AFTER_MS = 60_000
"""From then on, whoever sees a cell in flight asks whether its job is still on the queue."""
DEADLINE_MESSAGE = "The document's deadline passed before this was written."

IN_FLIGHT = (Queued, Writing, Retrying)


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
    match run:
        case Paused(reason="last_viewer_left", at_ms=at_ms) if situation.viewers and situation.watched_at_ms > at_ms:
            # A lease from before the pause is one that this replica has not heard the end of.
            return Decision(facts=(DocumentResumed(at_ms=now_ms),))
        case Paused() | Done() | Abandoned():
            return NOTHING
        case Running():
            pass
    work = _work(document, run, situation)
    if any(isinstance(fact, DocumentCompleted | DocumentFailed) for fact in work.facts):
        return work  # Over is over, whoever has left, and whatever it cost.
    if now_ms >= run.deadline_ms:
        return Decision(facts=_expired(document, now_ms))
    spending = _spending(document, situation)
    if spending == "spent" or (work.too_dear and not _is_in_flight(document, situation)):
        return Decision(facts=(DocumentPaused(at_ms=now_ms, reason="budget_spent", asked_at_ms=now_ms),))
    watching = _watch(document, run, situation)
    if watching.facts:
        return watching
    begins_cells = document.leaving is None and spending == "within"
    return Decision(
        facts=work.facts if begins_cells else (),
        jobs=work.jobs,
        wake_at_ms=min(filter(None, (watching.wake_at_ms, run.deadline_ms))),
    )


def obey(document: Document, command: AnyCommand, now_ms: int) -> tuple[AnyFact, ...]:
    """What a wish comes to; nothing where it is already so."""
    match command, document.run:
        case StopDocument(asked_at_ms=asked_at_ms), Running():
            return (DocumentPaused(at_ms=now_ms, reason="stop_asked", asked_at_ms=min(asked_at_ms, now_ms)),)
        case ResumeDocument(), Paused() | Abandoned():
            return (DocumentResumed(at_ms=now_ms),)
        case ResumeDocument(), Done() if any(isinstance(cell.state, Failed) for cell in document.cells.values()):
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


def _is_in_flight(document: Document, situation: Situation) -> bool:
    """Whether something is queued or runs: what it leaves of its reservation may be enough for others."""
    return any(isinstance(cell.state, IN_FLIGHT) and id_ not in situation.lost for id_, cell in document.cells.items())


def _reaches(cost: float, budget: float) -> bool:
    """A budget of nothing allows what costs nothing."""
    return cost >= budget if budget > 0 else cost > 0


# -- Work -----------------------------------------------------------------------------------------------------------------


def _work(document: Document, run: Running, situation: Situation) -> Decision:
    lane: Lane = "interactive" if situation.viewers or document.policy.on_last_viewer_left != "continue" else "batch"
    unread = [id_ for id_, source in document.sources.items() if source.digest is None and source.failure is None]
    if unread:
        return Decision(
            jobs=tuple(
                IngestSource(document=document.id, lane=lane, deadline_ms=run.deadline_ms, source=id_) for id_ in unread
            )
        )
    if not document.outline:
        return _plan(document, run, lane, situation)
    return _cells(document, run, lane, situation)


def _plan(document: Document, run: Running, lane: Lane, situation: Situation) -> Decision:
    cell, now_ms = document.cells.get(PLAN_CELL, Cell(id=PLAN_CELL)), situation.now_ms
    match cell.state:
        case Failed(kind=kind, message=message):
            return Decision(facts=(DocumentFailed(at_ms=now_ms, kind=kind, message=message),))
        case Queued() | Writing() | Retrying() if PLAN_CELL not in situation.lost:
            return Decision(jobs=(_job(document, cell, run),)) if _to_publish(cell, now_ms) else NOTHING
        case _ if not affords(document, cell.cost_needed):
            return Decision(too_dear=True)
        case _:
            return Decision(facts=(_queue(cell, plan_digest(document), run, lane, now_ms),))


def _cells(document: Document, run: Running, lane: Lane, situation: Situation) -> Decision:
    wanted, now_ms = wanted_cells(document.outline, document.sources), situation.now_ms
    cells = {id_: document.cells.get(id_, Cell(id=id_)) for id_ in wanted}
    room = _room(cells.values())
    # What is known to be needed by cells that have nothing reserved yet is as good as spent.
    money = left(document) - sum(
        cell.cost_needed for cell in cells.values() if isinstance(cell.state, Queued | Retrying)
    )
    facts: list[AnyFact] = []
    jobs: list[AnyJob] = []
    over = 0
    too_dear = False
    for id_, cell in cells.items():
        digest = input_digest(document, wanted[id_])
        if digest is None:
            continue
        if _is_over(cell, digest):
            over += 1
        elif isinstance(cell.state, IN_FLIGHT):
            if cell.input_digest != digest or id_ in situation.lost:
                facts.append(_queue(cell, digest, run, lane, now_ms))  # Outranks what was asked before.
            elif _to_publish(cell, now_ms):
                jobs.append(_job(document, cell, run))
        elif cell.cost_needed > 0 and cell.cost_needed > money:
            too_dear = True
        elif room > 0:
            room -= 1
            money -= cell.cost_needed
            facts.append(_queue(cell, digest, run, lane, now_ms))
    if over == len(cells):
        return Decision(facts=(_completed(cells.values(), now_ms),))
    return Decision(facts=tuple(facts), jobs=tuple(jobs), too_dear=too_dear and not facts)


def _room(cells: Iterable[Cell]) -> int:
    """How many more may be queued."""
    states = [cell.state for cell in cells if isinstance(cell.state, IN_FLIGHT)]
    return min(CELLS_IN_FLIGHT_MAX - len(states), CELLS_QUEUED_MAX - sum(isinstance(state, Queued) for state in states))


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


def _is_over(cell: Cell, digest: str) -> bool:
    """Whether this revision is written, or given up."""
    match cell.state:
        case Completed():
            return cell.completed is not None and cell.completed.input_digest == digest
        case Failed():
            return cell.input_digest == digest
        case _:
            return False


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
    failed = sum(isinstance(state, Failed) for state in states)
    return DocumentCompleted(at_ms=now_ms, cells_completed=len(states) - failed, cells_failed=failed)


def _expired(document: Document, now_ms: int) -> tuple[AnyFact, ...]:
    """Nothing waits for ever: what is not written at the deadline is given up, and says so."""
    if not document.outline:
        return (
            DocumentFailed(at_ms=now_ms, kind="deadline", message="The deadline passed before there was an outline."),
        )
    wanted: dict[str, Wanted] = wanted_cells(document.outline, document.sources)
    cells = [document.cells.get(id_, Cell(id=id_)) for id_ in wanted]
    late = [cell for cell in cells if not isinstance(cell.state, Completed | Failed)]
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
    failed = len(late) + sum(isinstance(cell.state, Failed) for cell in cells)
    return (
        *given_up,
        DocumentCompleted(at_ms=now_ms, cells_completed=len(cells) - failed, cells_failed=failed),
    )
