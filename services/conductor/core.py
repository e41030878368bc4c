"""What should happen next to a document. Pure, and level-triggered.

`decide` does not ask what just happened. It looks at the document as it is, and at the clock and the viewers as they are, and
says which facts are missing and which jobs should be on the queue. So it may be asked as often as anybody likes, by any number
of replicas, after any crash: where nothing is missing it says nothing. (The reconciler of Kubernetes' controllers.)
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

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
    Waiting,
    Writing,
)
from schemas.events import (
    PLAN_CELL,
    AnyFact,
    CellFailed,
    CellQueued,
    DocumentCompleted,
    DocumentFailed,
    DocumentPaused,
    DocumentResumed,
    LastViewerLeft,
    ViewerReturned,
)
from schemas.jobs import AnyJob, IngestSource, PlanOutline, WriteCell
from schemas.values import Lane

FIRST_VIEWER_MS = 30_000
"""A new or resumed document has this long to get its first viewer."""
CELLS_IN_FLIGHT_MAX = 48
"""Cells of one document queued or being written, so that a huge one leaves room for others."""
DEADLINE_MESSAGE = "The document's deadline passed before this was written."

IN_FLIGHT = (Queued, Writing, Retrying)


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What is not in the log: the time, and who watches."""

    now_ms: int
    viewers: int = 0
    """Gateways that hold a viewer lease on the document."""
    leases_known: bool = True
    """False for a while after the bus was away: then no lease means nothing."""
    seen_viewer: bool = False
    """Whether a lease has been seen since the document began to run."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that are missing, in order; jobs that should be on the queue; when to ask again, if nothing happens."""

    facts: tuple[AnyFact, ...] = ()
    jobs: tuple[AnyJob, ...] = ()
    wake_at_ms: int | None = None


NOTHING = Decision()


def decide(document: Document, situation: Situation) -> Decision:
    """What is missing from a document's log, and from the queue. Facts first: jobs follow from the log that has them."""
    run = document.run
    now_ms = situation.now_ms
    match run:
        case Paused(reason="last_viewer_left") if situation.viewers:
            return Decision(facts=(DocumentResumed(at_ms=now_ms),))
        case Paused() | Done() | Abandoned():
            return NOTHING
        case Running():
            pass
    if now_ms >= run.deadline_ms:
        return Decision(facts=_expired(document, now_ms))
    if document.policy.budget is not None and document.ledger.cost >= document.policy.budget > 0:
        return Decision(facts=(DocumentPaused(at_ms=now_ms, reason="budget_spent", asked_at_ms=now_ms),))
    watching = _watch(document, run, situation)
    if watching.facts:
        return watching
    work = Decision() if document.leaving is not None else _work(document, run, situation)
    wake_at_ms = min(filter(None, (watching.wake_at_ms, run.deadline_ms)))
    return Decision(facts=work.facts, jobs=work.jobs, wake_at_ms=wake_at_ms)


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
        if not situation.seen_viewer and now_ms < first_until_ms:
            return Decision(wake_at_ms=first_until_ms)
        if policy.on_last_viewer_left == "finish_running":
            return Decision(facts=(LastViewerLeft(at_ms=now_ms, pauses_at_ms=None),))
        if policy.grace_ms == 0:
            return _left(now_ms)
        return Decision(facts=(LastViewerLeft(at_ms=now_ms, pauses_at_ms=now_ms + policy.grace_ms),))
    if leaving.pauses_at_ms is None:
        running = any(isinstance(cell.state, Writing | Retrying) for cell in document.cells.values())
        return NOTHING if running else _left(now_ms)
    if now_ms >= leaving.pauses_at_ms:
        return _left(now_ms)
    return Decision(wake_at_ms=leaving.pauses_at_ms)


def _left(now_ms: int) -> Decision:
    return Decision(facts=(DocumentPaused(at_ms=now_ms, reason="last_viewer_left", asked_at_ms=now_ms),))


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
        return _plan(document, run, lane, situation.now_ms)
    return _cells(document, run, lane, situation.now_ms)


def _plan(document: Document, run: Running, lane: Lane, now_ms: int) -> Decision:
    cell = document.cells.get(PLAN_CELL, Cell(id=PLAN_CELL))
    match cell.state:
        case Waiting():
            return Decision(facts=(_queue(cell, plan_digest(document), run, lane, now_ms),))
        case Queued(lane=queued_in):
            job = PlanOutline(
                document=document.id,
                lane=queued_in,
                deadline_ms=run.deadline_ms,
                revision=cell.revision,
                job=cell.job,
            )
            return Decision(jobs=(job,))
        case Failed(kind=kind, message=message):
            return Decision(facts=(DocumentFailed(at_ms=now_ms, kind=kind, message=message),))
        case _:
            return NOTHING


def _cells(document: Document, run: Running, lane: Lane, now_ms: int) -> Decision:
    wanted = wanted_cells(document.outline, document.sources)
    cells = {id_: document.cells.get(id_, Cell(id=id_)) for id_ in wanted}
    room = CELLS_IN_FLIGHT_MAX - sum(isinstance(cell.state, IN_FLIGHT) for cell in cells.values())
    facts: list[AnyFact] = []
    jobs: list[AnyJob] = []
    over = 0
    for id_, cell in cells.items():
        digest = input_digest(document, wanted[id_])
        if digest is None:
            continue
        if _is_over(cell, digest):
            over += 1
        elif isinstance(cell.state, IN_FLIGHT):
            if cell.input_digest != digest:  # What it was asked to write is not wanted any more.
                facts.append(_queue(cell, digest, run, lane, now_ms))
            elif isinstance(cell.state, Queued):
                jobs.append(_job(document, cell, run))
        elif room > 0:
            room -= 1
            facts.append(_queue(cell, digest, run, lane, now_ms))
    if over == len(cells):
        return Decision(facts=(_completed(cells.values(), now_ms),))
    return Decision(facts=tuple(facts), jobs=tuple(jobs))


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


def _job(document: Document, cell: Cell, run: Running) -> WriteCell:
    lane: Lane = cell.state.lane if isinstance(cell.state, Queued) else "interactive"
    return WriteCell(
        document=document.id,
        lane=lane,
        deadline_ms=run.deadline_ms,
        cell=cell.id,
        revision=cell.revision,
        job=cell.job,
    )


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
