"""Facts and ink: everything that ever happens to a document, in the past tense.

Facts are kept on disk, one ordered log a document, and are never changed. Ink is text on its way, kept in memory. Both are
JSON with their class name in `type`; the SSE event of the same name carries the same bytes. New fields come with defaults; a
changed meaning is a new class. Times are milliseconds since the Unix epoch, lengths and offsets of text are Unicode code
points, money is US dollars.
"""

from __future__ import annotations

import msgspec

from schemas.values import (
    CallOutcome,
    CancelReason,
    Cause,
    Citation,
    ErrorKind,
    Estimate,
    Lane,
    PauseReason,
    Policy,
    Reason,
    ResumeReason,
    Section,
    SourceGiven,
)

PLAN_CELL = "outline"
"""The cell whose text is the outline itself: planned by a call like any other, shown nowhere."""


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Something that happened to a document at `at_ms`."""

    at_ms: int


# -- The document -----------------------------------------------------------------------------------------------------


class DocumentCreated(Fact, frozen=True, kw_only=True, tag=True):
    """The first fact of every log."""

    title: str
    brief: str
    policy: Policy
    sources: tuple[SourceGiven, ...] = ()
    outline: tuple[Section, ...] = ()
    """Given by the reader; empty: the planner makes one."""
    estimate: Estimate | None = None


class SourceIngested(Fact, frozen=True, kw_only=True, tag=True):
    """A source was read and cut into passages; `digest` is the SHA-256 of the text that was extracted."""

    source: str
    digest: str
    passages: int
    characters: int
    pages: int = 0


class SourceFailed(Fact, frozen=True, kw_only=True, tag=True):
    """A source cannot be read; the document goes on without it and says so."""

    source: str
    message: str
    kind: ErrorKind = "bad_source"


class OutlinePlanned(Fact, frozen=True, kw_only=True, tag=True):
    """The planner's outline. `attempt` says which try of the cell `outline` it came from."""

    attempt: int
    sections: tuple[Section, ...]
    title: str = ""


class LastViewerLeft(Fact, frozen=True, kw_only=True, tag=True):
    """Nobody watches: no new cell is begun, and at `pauses_at_ms` the document pauses (None: when the running ones end)."""

    pauses_at_ms: int | None


class ViewerReturned(Fact, frozen=True, kw_only=True, tag=True):
    """Somebody watches again, before the grace was over."""


class DocumentPaused(Fact, frozen=True, kw_only=True, tag=True):
    """Stop: every writer closes its model connections of this document. Spends nothing, loses nothing that was finished."""

    reason: PauseReason
    asked_at_ms: int


class DocumentResumed(Fact, frozen=True, kw_only=True, tag=True):
    """Go on: what is finished stays, what was cut off is written anew. Running time counts on from here.

    A cell that was stopped by itself stays so, unless what it is written from has changed, or what is asked to go on was over. After an
    edit of what was over, so does a cell that had failed for good.
    """

    because: ResumeReason = "asked"


class DocumentCompleted(Fact, frozen=True, kw_only=True, tag=True):
    """Every cell is completed, has failed for good, or was stopped by itself."""

    cells_completed: int
    cells_failed: int
    cells_stopped: int = 0


class DocumentFailed(Fact, frozen=True, kw_only=True, tag=True):
    """There is no document to write: no outline could be planned, or the deadline passed before there was one."""

    kind: ErrorKind
    message: str


class DocumentDeleted(Fact, frozen=True, kw_only=True, tag=True):
    """Nothing is left but this: that there was a document, and when it went. All before it is purged, and whatever comes after it."""


# -- Cells ------------------------------------------------------------------------------------------------------------


class CellQueued(Fact, frozen=True, kw_only=True, tag=True):
    """The conductor wants this revision written and has made it job number `job` of its cell."""

    cell: str
    revision: int
    job: int
    input_digest: str
    lane: Lane
    deadline_ms: int


class CellsQueued(Fact, frozen=True, kw_only=True, tag=True):
    """Several cells at once, in one write: all of them are wanted, or, where somebody was first, none."""

    cells: tuple[CellQueued, ...]


class CellWithdrawn(Fact, frozen=True, kw_only=True, tag=True):
    """Job number `job` is not wanted any more: what the cell is to be written from is changing, or the cell is gone.

    Of a cell that was stopped by itself: its text is right again as it is.
    """

    cell: str
    job: int


class CellStopped(Fact, frozen=True, kw_only=True, tag=True):
    """Somebody stopped this one cell: whoever writes job number `job` closes its model connections. The document goes on without it."""

    cell: str
    job: int
    asked_at_ms: int


class StaleCells(msgspec.Struct, frozen=True, kw_only=True):
    """Cells that are stale for the same reasons."""

    reasons: tuple[Reason, ...]
    cells: tuple[str, ...]


class CellsStaled(Fact, frozen=True, kw_only=True, tag=True):
    """These cells' texts stay readable, but are not what their inputs ask for any more. Told of those that are not queued at once."""

    groups: tuple[StaleCells, ...]


class CellsFreshened(Fact, frozen=True, kw_only=True, tag=True):
    """These were stale and are not: their inputs are what they were."""

    cells: tuple[str, ...]


class AttemptStarted(Fact, frozen=True, kw_only=True, tag=True):
    """A writer begins, and reserves the attempt's first call. Appended before the call is made."""

    cell: str
    attempt: int
    writer: str
    model: str
    tokens_in_max: int = 0
    tokens_out_max: int = 0
    cost_max: float = 0.0
    fell_back_from: str = ""
    """The model that would be asked, were it well; empty: this one."""
    tries_max: int = 0
    """This is try `attempt % 1_000` of so many; 0: nobody said."""


class CallReserved(Fact, frozen=True, kw_only=True, tag=True):
    """A further call within a running attempt: a hedge. The first call is number 1 and reserved by `AttemptStarted`."""

    cell: str
    attempt: int
    call: int
    model: str
    tokens_in_max: int = 0
    tokens_out_max: int = 0
    cost_max: float = 0.0


class CallSettled(Fact, frozen=True, kw_only=True, tag=True):
    """A call is over and this is what it came to. `exact` is the provider's own usage; else it is estimated."""

    cell: str
    attempt: int
    call: int
    model: str
    outcome: CallOutcome
    tokens_in: int
    tokens_out: int
    cost: float
    exact: bool
    duration_ms: int
    first_token_ms: int | None = None


class AttemptFailed(Fact, frozen=True, kw_only=True, tag=True):
    """One try failed. With `retry_at_ms` another one follows, by `next_model`."""

    cell: str
    attempt: int
    kind: ErrorKind
    message: str
    model: str = ""
    retry_at_ms: int | None = None
    next_model: str = ""
    text: str = ""
    """What it had written: kept until the next try begins, and for good where none does."""


class AttemptCancelled(Fact, frozen=True, kw_only=True, tag=True):
    """The receipt of a stop: the model's connections of this attempt are closed."""

    cell: str
    attempt: int
    reason: CancelReason
    asked_at_ms: int
    closed_at_ms: int
    calls_closed: int = 0
    characters: int = 0
    tokens_saved: int = 0
    """Estimated: the most it might still have written, less what it had."""
    cost_saved: float = 0.0
    """What those would have cost."""
    text: str = ""
    """What it had written when it was stopped. The ink of a document that rests is not kept."""


class CellDeferred(Fact, frozen=True, kw_only=True, tag=True):
    """Its next call could cost up to `cost_needed`, which the budget does not leave while others are open: the job is given back.

    `attempt` is the one that was not begun.
    """

    cell: str
    attempt: int
    cost_needed: float


class CellCompleted(Fact, frozen=True, kw_only=True, tag=True):
    """The whole text of one revision. The first completion of a revision is the one that counts."""

    cell: str
    revision: int
    attempt: int
    text: str
    output_digest: str
    model: str = ""
    fell_back_from: str = ""
    """As in `AttemptStarted`; also where a hedge to another model spoke first."""
    citations: tuple[Citation, ...] = ()
    cut: ErrorKind | None = None
    """Why the text ends early, where it does: it would not halt by itself."""
    cached: bool = False
    """Taken from where it was written before: no call was made, and tokens and cost are what that has saved."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    first_token_ms: int | None = None
    duration_ms: int = 0


class CellFailed(Fact, frozen=True, kw_only=True, tag=True):
    """This revision is given up. Its dependents are told what is missing; the document goes on."""

    cell: str
    revision: int
    job: int
    kind: ErrorKind
    message: str


# -- Edits ------------------------------------------------------------------------------------------------------------


class Edit(Fact, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Somebody changed what is wanted. Each edit's sequence is the document's `version` until the next."""

    cause: Cause = "reader"
    who: str = ""
    """As they call themselves; of a watcher, what it watches."""
    estimate: Estimate | None = None
    """What it was expected to come to."""


class DocumentEdited(Edit, frozen=True, kw_only=True, tag=True):
    """Title or brief; None: as it was. A title reaches no writer's prompt: renaming costs nothing."""

    title: str | None = None
    brief: str | None = None


class PolicyChanged(Edit, frozen=True, kw_only=True, tag=True):
    """The whole policy, as it is from now on."""

    policy: Policy


class OutlineEdited(Edit, frozen=True, kw_only=True, tag=True):
    """The whole outline, as it is from now on: sections added, removed, reordered, made to depend on others.

    What a removed section had is kept, and is there again when the section comes back.
    """

    sections: tuple[Section, ...]


class SectionEdited(Edit, frozen=True, kw_only=True, tag=True):
    """One section of the outline, as it is from now on."""

    section: Section


class CellEdited(Edit, frozen=True, kw_only=True, tag=True):
    """Text by hand. It locks the cell: a rewrite is offered beside it, never put over it."""

    cell: str
    text: str
    input_digest: str
    """What was wanted of the cell then, so that it is known when that changes."""
    output_digest: str
    citations: tuple[Citation, ...] = ()


class CellRestored(Edit, frozen=True, kw_only=True, tag=True):
    """An earlier text of the cell, as it was: nothing is written for it, and nothing paid."""

    cell: str
    text: str
    input_digest: str
    output_digest: str
    model: str = ""
    citations: tuple[Citation, ...] = ()
    cut: ErrorKind | None = None
    by_hand: bool = False
    locked: bool = False
    salt: str = ""
    """As in `RewriteAsked`, with `chosen_model`: what was asked of the cell when this was written."""
    chosen_model: str | None = None


class CellLocked(Edit, frozen=True, kw_only=True, tag=True):
    """The text stays as it is, whatever happens to its inputs."""

    cell: str


class CellUnlocked(Edit, frozen=True, kw_only=True, tag=True):
    """The cell follows its inputs again: text by hand gives way to what they ask for."""

    cell: str


class RewriteAsked(Edit, frozen=True, kw_only=True, tag=True):
    """Write this cell once more, though nothing changed. `salt` is drawn for each time, and is part of what names the revision.

    `model` is from now on the first to be asked for this cell; None: the document's.
    """

    cell: str
    salt: str
    model: str | None = None


class OfferAccepted(Edit, frozen=True, kw_only=True, tag=True):
    """The rewrite that was offered for a locked cell (it was completed as `revision`) takes the text's place, and the lock goes."""

    cell: str
    revision: int


class OfferDeclined(Edit, frozen=True, kw_only=True, tag=True):
    """The text stays: it is held to be right for the inputs that the offer was written from."""

    cell: str
    revision: int


class UpdateAsked(Edit, frozen=True, kw_only=True, tag=True):
    """Bring these cells up to date, in a document that does not do so by itself."""

    cells: tuple[str, ...]


class SourceAdded(Edit, frozen=True, kw_only=True, tag=True):
    """A further source; it stands before `before` (None, or not there: last). Tables get a row."""

    source: SourceGiven
    before: str | None = None


class SourceReplaced(Edit, frozen=True, kw_only=True, tag=True):
    """The source of this id has other bytes, or another name. It is read anew."""

    source: SourceGiven


class SourceRemoved(Edit, frozen=True, kw_only=True, tag=True):
    """The document is written without it. Its bytes stay as long as the document, for its history."""

    source: str


OneEdit = (
    DocumentEdited
    | PolicyChanged
    | OutlineEdited
    | SectionEdited
    | CellEdited
    | CellRestored
    | CellLocked
    | CellUnlocked
    | RewriteAsked
    | OfferAccepted
    | OfferDeclined
    | UpdateAsked
    | SourceAdded
    | SourceReplaced
    | SourceRemoved
)


class DocumentRestored(Edit, frozen=True, kw_only=True, tag=True):
    """The document is what it was at the sequence `to`: these edits, all together."""

    to: int
    edits: tuple[OneEdit, ...]


AnyEdit = OneEdit | DocumentRestored

AnyFact = (
    DocumentCreated
    | SourceIngested
    | SourceFailed
    | OutlinePlanned
    | LastViewerLeft
    | ViewerReturned
    | DocumentPaused
    | DocumentResumed
    | DocumentCompleted
    | DocumentFailed
    | DocumentDeleted
    | CellQueued
    | CellsQueued
    | CellWithdrawn
    | CellStopped
    | CellsStaled
    | CellsFreshened
    | AttemptStarted
    | CallReserved
    | CallSettled
    | AttemptFailed
    | AttemptCancelled
    | CellDeferred
    | CellCompleted
    | CellFailed
    | AnyEdit
)


# -- Ink --------------------------------------------------------------------------------------------------------------


class TextAppended(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Text on its way: `text` stands at `offset` (code points) of what this attempt has written so far."""

    cell: str
    attempt: int
    offset: int
    text: str


def queued_in(fact: AnyFact) -> tuple[CellQueued, ...]:
    """The cells that a fact queues."""
    match fact:
        case CellQueued():
            return (fact,)
        case CellsQueued(cells=cells):
            return cells
        case _:
            return ()


AnyEvent = AnyFact | TextAppended

encode = msgspec.json.Encoder().encode
decode_fact = msgspec.json.Decoder(AnyFact).decode
decode_ink = msgspec.json.Decoder(TextAppended).decode
decode_event = msgspec.json.Decoder(AnyEvent).decode
