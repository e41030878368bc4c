"""The folded document: what a log of facts, and the ink not yet dry, come to.

Everything anybody sees is a view of this value: the page, an export, the conductor's decisions. `schemas.fold` makes it and
nothing else does. All of it is frozen; mappings are never changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from schemas.values import (
    CancelReason,
    Citation,
    ErrorKind,
    Estimate,
    Lane,
    PauseReason,
    Policy,
    Reason,
    Section,
    SourceGiven,
)

# -- Cells: what state each is in ---------------------------------------------------------------------------------------


class State(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """What a cell is doing, as the facts tell it."""


class Waiting(State, frozen=True, kw_only=True, tag=True):
    """Nobody has asked for it yet, or it waits for the cells it depends on."""


class Queued(State, frozen=True, kw_only=True, tag=True):
    """Its job is on the queue."""

    since_ms: int
    lane: Lane = "interactive"


class Writing(State, frozen=True, kw_only=True, tag=True):
    """An attempt runs. Without text in its ink, the model is thinking."""

    attempt: int
    since_ms: int
    model: str
    writer: str = ""
    fell_back_from: str = ""
    """The model that would be asked, were it well; empty: `model` itself."""
    tries_max: int = 0
    """This is try `attempt % 1_000` of so many; 0: nobody said."""


class Retrying(State, frozen=True, kw_only=True, tag=True):
    """An attempt failed and the next is due at `retry_at_ms`."""

    attempt: int
    since_ms: int
    kind: ErrorKind
    message: str
    retry_at_ms: int
    model: str = ""
    next_model: str = ""
    tries_max: int = 0


class Completed(State, frozen=True, kw_only=True, tag=True):
    """Its newest revision is written; the text is in `Cell.completed`."""

    at_ms: int


class Failed(State, frozen=True, kw_only=True, tag=True):
    """Given up for good; what had been written is kept in its ink."""

    at_ms: int
    kind: ErrorKind
    message: str


class Cancelled(State, frozen=True, kw_only=True, tag=True):
    """Cut off by a stop. `closed_at_ms` is None until the writer's receipt is in."""

    attempt: int
    at_ms: int
    reason: CancelReason
    closed_at_ms: int | None = None
    asked_at_ms: int | None = None
    """When this cell alone was to be stopped: then it stays so until somebody asks for it, or its inputs change. None: it was stopped
    with its document, and goes on with it."""


CellState = Waiting | Queued | Writing | Retrying | Completed | Failed | Cancelled


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Ink that came before the text it follows on: `[offset, text]`."""

    offset: int
    text: str


class Ink(msgspec.Struct, frozen=True, kw_only=True):
    """The text of one attempt so far, and the pieces of it that came too early."""

    attempt: int
    text: str = ""
    ahead: tuple[Piece, ...] = ()


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """A finished revision. Never changed, only followed by a later one."""

    revision: int
    attempt: int
    """0: no attempt wrote it; it is by hand, or came back from before."""
    at_ms: int
    text: str
    input_digest: str
    output_digest: str
    model: str = ""
    fell_back_from: str = ""
    citations: tuple[Citation, ...] = ()
    cut: ErrorKind | None = None
    cached: bool = False
    """Then tokens and cost are what it has saved."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    first_token_ms: int | None = None
    duration_ms: int = 0
    by_hand: bool = False
    asked_at: int = 0
    """The sequence of the fact that asked for it: what was edited later is not in it."""
    sequence: int = 0
    """Of the fact that it stands in."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One unit of model work. The revision wanted is `revision`, named by `input_digest`."""

    id: str
    state: CellState = Waiting()
    revision: int = 0
    input_digest: str = ""
    job: int = 0
    """How often it was queued; the first part of every attempt's number."""
    attempt: int = 0
    """The highest attempt that a fact has named."""
    attempts: int = 0
    """Attempts begun for the current revision."""
    cost: float = 0.0
    """What the settled calls for the current revision came to."""
    cost_needed: float = 0.0
    """The most its next call may cost, known since the budget did not leave it."""
    ink: Ink | None = None
    ink_dry: int = 0
    """Jobs up to this one are over as far as ink is concerned: theirs is ignored."""
    completed: Completion | None = None
    asked_at: int = 0
    """The sequence of the fact that queued it last."""
    locked: bool = False
    """Its text stays, whatever happens to its inputs: it is by hand, or somebody wants it so."""
    offer: Completion | None = None
    """A rewrite of a locked cell, beside its text."""
    salt: str = ""
    """Drawn for each rewrite that was asked for without a change; part of what names the revision."""
    model: str | None = None
    """Chosen for this cell alone."""
    asked: bool = False
    """Somebody asked for this cell to be brought up to date, whatever the document's policy, or its lock, says."""
    stale: tuple[Reason, ...] = ()
    """Why its text is not what its inputs ask for, where it is not, and nobody is writing it."""


def is_stopped_alone(cell: Cell | None) -> bool:
    """Whether a cell was stopped by itself, not with its document."""
    return cell is not None and isinstance(cell.state, Cancelled) and cell.state.asked_at_ms is not None


def is_missing(cell: Cell) -> bool:
    """Whether a document that is complete lacks this cell's newest revision: going on with it tries again."""
    return isinstance(cell.state, Failed | Cancelled)


# -- Sources ------------------------------------------------------------------------------------------------------------


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A source as far as it was read: `digest` is that of its extracted text, None while it is being read."""

    given: SourceGiven
    digest: str | None = None
    passages: int = 0
    characters: int = 0
    pages: int = 0
    failure: str | None = None
    given_at: int = 0
    """The sequence of the fact that gave these bytes."""


# -- The whole ------------------------------------------------------------------------------------------------------------


class Run(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Whether a document is running, resting, or over."""


class Running(Run, frozen=True, kw_only=True, tag=True):
    """Being read, planned and written. The deadline counts running time only."""

    since_ms: int
    deadline_ms: int


class Paused(Run, frozen=True, kw_only=True, tag=True):
    """Stopped; `ran_ms` of its deadline is used up."""

    reason: PauseReason
    asked_at_ms: int
    at_ms: int
    ran_ms: int


class Done(Run, frozen=True, kw_only=True, tag=True):
    """Every cell is completed, has failed for good, or was stopped by itself."""

    at_ms: int


class Abandoned(Run, frozen=True, kw_only=True, tag=True):
    """There is nothing to write: `DocumentFailed`."""

    at_ms: int
    kind: ErrorKind
    message: str


class Deleted(Run, frozen=True, kw_only=True, tag=True):
    """It is gone; what is said of it after `sequence` has to go, too."""

    at_ms: int
    sequence: int


RunState = Running | Paused | Done | Abandoned | Deleted


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody watches since `at_ms`."""

    at_ms: int
    pauses_at_ms: int | None = None


class StopReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the last stop came to, added up from the writers' receipts."""

    asked_at_ms: int
    closed_at_ms: int = 0
    calls_closed: int = 0
    attempts: int = 0
    tokens_saved: int = 0
    cost_saved: float = 0.0


class OpenCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call reserved and not settled: counts at its maximum."""

    model: str
    tokens_in_max: int = 0
    tokens_out_max: int = 0
    cost_max: float = 0.0


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent and on what, what was lost, and what was saved. Tokens and US dollars.

    `tokens_in`, `tokens_out` and `cost` are all that was spent. The others are parts of it, or were never spent.
    """

    calls: int = 0
    calls_failed: int = 0
    calls_cancelled: int = 0
    calls_lost_race: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    tokens_estimated: int = 0
    """The part of the tokens, in and out, that no provider confirmed."""
    cost_estimated: float = 0.0
    """The part of `cost` that no provider confirmed."""
    tokens_lost: int = 0
    """The part of the tokens, in and out, that bought nothing: failed attempts and lost races."""
    cost_lost: float = 0.0
    """The part of `cost` that bought nothing."""
    cells_cached: int = 0
    """Revisions that were not written, because they had been written before."""
    tokens_cached: int = 0
    """In and out, not spent on them."""
    cost_cached: float = 0.0
    """Not spent on them."""
    tokens_saved: int = 0
    """By stops; estimated."""
    cost_saved: float = 0.0
    """By stops; estimated."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What the work since the document last rested is expected to come to, and the ledger when it began."""

    estimate: Estimate
    since_ms: int
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0


class Reckoning(msgspec.Struct, frozen=True, kw_only=True):
    """What was expected, and what it came to when the document rested again."""

    at_ms: int
    estimate: Estimate
    actual: Estimate


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The fold of one document's log up to `sequence`, and of its ink."""

    id: str
    title: str
    brief: str
    policy: Policy
    created_at_ms: int
    run: RunState
    outline: tuple[Section, ...] = ()
    sources: Mapping[str, Source] = {}
    cells: Mapping[str, Cell] = {}
    ran_ms: int = 0
    """Running time used up before the current run began."""
    leaving: Leaving | None = None
    stop: StopReceipt | None = None
    ledger: Ledger = Ledger()
    open_calls: Mapping[str, OpenCall] = {}
    """By `cell/attempt/call`."""
    version: int = 0
    """The sequence of the last edit: an edit that was made knowing it overwrites nobody's."""
    rested: int = 0
    """The sequence of the fact by which the document was over last: an edit after it begins work anew."""
    drafting: bool = True
    """It has never been complete: what has no text yet is written, whatever the policy says of updates."""
    edited: Mapping[str, int] = {}
    """The sequence of the last edit of each thing that cells are written from, by `kind:what` as in `Reason`."""
    forecast: Forecast | None = None
    reckoning: Reckoning | None = None
    """The last forecast that was put to the test."""
    sequence: int = 0
    """The last fact's sequence in the stream FACTS."""


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Document).decode
