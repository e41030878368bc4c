"""Whether the log still wants what a job asks for. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.attempts import job_of
from schemas.document import Cancelled, Cell, Document, Paused, Queued, Retrying, Running, Writing
from schemas.events import PLAN_CELL, AttemptStarted, CallReserved
from schemas.jobs import PlanOutline, WriteCell
from schemas.spending import affords, cell_affords
from schemas.standing import outdated
from schemas.values import Lane
from services.shared.attempt.events import StopAsked
from services.shared.attempt.plan import Release

Verdict = Literal["go", "behind"] | Release
"""`behind`: the fold has not come to this job yet. A Release: not wanted, and what becomes of the job."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a job wants written."""

    document: str
    cell: str
    revision: int
    job: int
    deadline_ms: int
    lane: Lane = "interactive"

    @classmethod
    def of(cls, job: WriteCell | PlanOutline) -> Ask:
        """The same, whoever does it."""
        return cls(
            document=job.document,
            cell=job.cell if isinstance(job, WriteCell) else PLAN_CELL,
            revision=job.revision,
            job=job.job,
            deadline_ms=job.deadline_ms,
            lane=job.lane,
        )


def look(document: Document | None, ask: Ask, attempt: int) -> Verdict:
    """May `attempt` be begun?"""
    if document is None:
        return "ack"  # Deleted.
    cell = document.cells.get(ask.cell, Cell(id=ask.cell))
    if cell.job < ask.job:
        return "behind"
    if cell.job > ask.job or not isinstance(document.run, Running):
        return "ack"
    if not isinstance(cell.state, Queued | Writing | Retrying):
        return "ack"
    if attempt <= cell.attempt:
        return "leave"  # In other hands.
    if outdated(document, cell):
        return "ack"  # Edited since it was queued: the conductor asks for what is wanted now.
    if document.leaving is not None and job_of(cell.attempt) != ask.job:
        return "ack"  # Nobody watches, so nothing new is begun; the conductor asks again when somebody does.
    return "go"


def is_mine(document: Document | None, fact: AttemptStarted) -> bool:
    """Whether the log has this very claim: an acknowledgement may have been lost, and others may have written since."""
    cell = None if document is None else document.cells.get(fact.cell)
    return (
        cell is not None
        and isinstance(cell.state, Writing)
        and (cell.state.attempt, cell.state.writer) == (fact.attempt, fact.writer)
    )


def may_hedge(document: Document | None, ask: Ask, attempt: int) -> bool:
    """May a further call be made for an attempt that runs?"""
    cell = None if document is None else document.cells.get(ask.cell)
    return (
        document is not None
        and cell is not None
        and isinstance(document.run, Running)
        and isinstance(cell.state, Writing)
        and cell.attempt == attempt
    )


def has_budget(document: Document) -> bool:
    """Whether there is a limit to what its calls may cost."""
    return document.policy.budget is not None or document.policy.cell_budget is not None


def short_of(document: Document, fact: AttemptStarted | CallReserved) -> Literal["document", "cell"] | None:
    """Whose budget does not leave what a call may cost. The cell's is looked at first: waiting would not help it."""
    if not cell_affords(document, fact.cell, fact.cost_max):
        return "cell"
    return None if affords(document, fact.cost_max) else "document"


def unwanted(document: Document, ask: Ask, delivery: int, at_ms: int) -> StopAsked | None:
    """Why a running delivery has to end, as the log stands now; None: it has not."""
    cell = document.cells.get(ask.cell)
    if cell is not None and cell.job == ask.job and isinstance(cell.state, Cancelled) and cell.state.asked_at_ms:
        # First: it may have been the last one that its document waited for.
        return StopAsked(at_ms=at_ms, reason="stopped", asked_at_ms=cell.state.asked_at_ms)
    if isinstance(document.run, Paused):
        return StopAsked(at_ms=at_ms, reason="stopped", asked_at_ms=document.run.asked_at_ms)
    superseded = StopAsked(at_ms=at_ms, reason="superseded", asked_at_ms=at_ms)
    if not isinstance(document.run, Running) or cell is None or cell.job > ask.job:
        return superseded
    if cell.job < ask.job:
        return None
    if not isinstance(cell.state, Queued | Writing | Retrying):
        return superseded
    if cell.attempt // 1_000 > ask.job * 1_000 + delivery:
        return StopAsked(at_ms=at_ms, reason="superseded", asked_at_ms=at_ms, outranked=True)
    return None
