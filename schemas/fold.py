"""The one fold: (document, event) -> document. Pure, total, and the only thing that makes a `Document`.

What it does not care about (`tests/unit/test_fold.py` holds it to each line):
- order between facts and ink: each side keeps its own attempt number, the higher one shows;
- repeats: a fact at or before `sequence` is dropped, ink that overlaps is skipped;
- early ink: kept `ahead` until the text before it is there;
- stale attempts: whatever a lower attempt still says changes nothing but the ledger;
- late completions: a completed revision is immutable.

Facts themselves come in the order of their log; `services/shared/chain.py` sees to that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import TypeVar

from msgspec.structs import replace

from schemas import edits, forecasts
from schemas.attempts import job_of
from schemas.document import (
    Abandoned,
    Cancelled,
    Cell,
    Completed,
    Completion,
    Deleted,
    Document,
    Done,
    Failed,
    Forecast,
    Ink,
    Leaving,
    OpenCall,
    Paused,
    Piece,
    Queued,
    Retrying,
    Running,
    Source,
    StopReceipt,
    Waiting,
    Writing,
    is_stopped_alone,
)
from schemas.events import (
    PLAN_CELL,
    AnyFact,
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    CallReserved,
    CallSettled,
    CellCompleted,
    CellDeferred,
    CellFailed,
    CellQueued,
    CellsFreshened,
    CellsQueued,
    CellsStaled,
    CellStopped,
    CellWithdrawn,
    DocumentCompleted,
    DocumentCreated,
    DocumentDeleted,
    DocumentFailed,
    DocumentPaused,
    DocumentResumed,
    Edit,
    LastViewerLeft,
    OutlinePlanned,
    SourceFailed,
    SourceIngested,
    TextAppended,
    ViewerReturned,
)
from schemas.values import Policy

PIECES_AHEAD_MAX = 1_000
"""Early ink kept for one attempt; what is beyond it is lost and comes again with the completion."""

V = TypeVar("V")
_Change = Callable[[Cell], Cell]


class LogError(ValueError):
    """A log that no conductor could have written: its first fact is not `DocumentCreated`."""


def created(id_: str, fact: AnyFact, sequence: int) -> Document:
    """The document that a log's first fact makes."""
    if isinstance(fact, DocumentDeleted):
        return _deleted(id_, fact, sequence)
    if not isinstance(fact, DocumentCreated):
        msg = f"the log of {id_} begins with {type(fact).__name__}"
        raise LogError(msg)
    return Document(
        id=id_,
        title=fact.title,
        brief=fact.brief,
        policy=fact.policy,
        created_at_ms=fact.at_ms,
        run=Running(since_ms=fact.at_ms, deadline_ms=fact.at_ms + fact.policy.deadline_s * 1_000),
        outline=fact.outline,
        sources={source.id: Source(given=source, given_at=sequence) for source in fact.sources},
        sequence=sequence,
        version=sequence,
        forecast=None if fact.estimate is None else Forecast(estimate=fact.estimate, since_ms=fact.at_ms),
    )


def fold(document: Document, fact: AnyFact, sequence: int) -> Document:
    """The document after one more fact, which stands at `sequence` of the log."""
    if sequence <= document.sequence:
        return document
    return replace(_folded(document, fact, sequence), sequence=sequence)


def _folded(document: Document, fact: AnyFact, sequence: int) -> Document:  # noqa: C901, PLR0911, PLR0912 -- one arm a fact: the table of what each does
    match fact:
        case DocumentDeleted():
            return _deleted(document.id, fact, sequence)
        case _ if isinstance(document.run, Deleted):
            return document  # Said by who had not heard of it yet.
        case DocumentCreated():
            return document
        case SourceIngested():
            return _source(document, fact.source, fact)
        case SourceFailed():
            return _source(document, fact.source, fact)
        case OutlinePlanned():
            return _planned(document, fact)
        case LastViewerLeft():
            return replace(
                _each_cell(document, _unqueued), leaving=Leaving(at_ms=fact.at_ms, pauses_at_ms=fact.pauses_at_ms)
            )
        case ViewerReturned():
            return replace(document, leaving=None)
        case DocumentPaused():
            return _paused(document, fact)
        case DocumentResumed():
            return _resumed(document, fact)
        case DocumentCompleted():
            over = _each_cell(forecasts.reckoned(document, fact.at_ms), _answered)
            return replace(over, run=Done(at_ms=fact.at_ms), leaving=None, rested=sequence, drafting=False)
        case DocumentFailed():
            run = Abandoned(at_ms=fact.at_ms, kind=fact.kind, message=fact.message)
            return replace(document, run=run, leaving=None, rested=sequence)
        case CellQueued():
            if document.leaving is not None or not isinstance(document.run, Running):
                return document  # Asked for in the moment of a stop.
            return _cell(document, fact.cell, lambda cell: _queued(cell, fact, sequence))
        case CellsQueued():
            return reduce(lambda before, one: _folded(before, one, sequence), fact.cells, document)
        case CellWithdrawn():
            return _cell(document, fact.cell, lambda cell: _withdrawn(cell, fact))
        case CellStopped():
            return _cell(document, fact.cell, lambda cell: _stopped(cell, fact))
        case CellsStaled():
            return _staled(document, fact)
        case CellsFreshened():
            return _freshened(document, fact)
        case AttemptStarted():
            key = _call_key(fact.cell, fact.attempt, 1)
            return _reserved(_cell(document, fact.cell, lambda cell: _started(cell, fact)), key, fact)
        case CallReserved():
            return _reserved(document, _call_key(fact.cell, fact.attempt, fact.call), fact)
        case CallSettled():
            return _settled(document, fact)
        case AttemptFailed():
            return _cell(document, fact.cell, lambda cell: _left(_attempt_failed(cell, fact), fact))
        case AttemptCancelled():
            return _receipt(_cell(document, fact.cell, lambda cell: _left(_attempt_cancelled(cell, fact), fact)), fact)
        case CellDeferred():
            return _cell(document, fact.cell, lambda cell: _deferred(cell, fact))
        case CellCompleted():
            after = _cell(document, fact.cell, lambda cell: _completed(cell, fact, sequence))
            return after if after is document or not fact.cached else _found(after, fact)
        case CellFailed():
            return _cell(document, fact.cell, lambda cell: _failed(cell, fact))
        case Edit():
            return edits.edited(forecasts.foreseen(document, fact), fact, sequence)


def fold_ink(document: Document, ink: TextAppended) -> Document:
    """The document after one more piece of text. Needs no sequence: offset and attempt say all."""
    cell = document.cells.get(ink.cell, Cell(id=ink.cell))
    after = _inked(cell, ink)
    return document if after is cell else _with_cell(document, after)


# -- The document -------------------------------------------------------------------------------------------------------


def _source(document: Document, id_: str, fact: SourceIngested | SourceFailed) -> Document:
    source = document.sources.get(id_)
    if source is None:
        return document
    match fact:
        case SourceIngested():
            source = replace(
                source,
                digest=fact.digest,
                passages=fact.passages,
                characters=fact.characters,
                pages=fact.pages,
                failure=None,
            )
        case SourceFailed():
            source = replace(source, failure=fact.message)
    return replace(document, sources=_with(document.sources, id_, source))


def _planned(document: Document, fact: OutlinePlanned) -> Document:
    plan = document.cells.get(PLAN_CELL)
    if plan is None or document.outline or fact.attempt < plan.attempt or job_of(fact.attempt) != plan.job:
        return document
    completed = replace(plan, state=Completed(at_ms=fact.at_ms), ink=None, ink_dry=plan.job)
    return replace(_with_cell(document, completed), outline=fact.sections, title=document.title or fact.title)


def _deleted(id_: str, fact: DocumentDeleted, sequence: int) -> Document:
    run = Deleted(at_ms=fact.at_ms, sequence=sequence)
    return Document(
        id=id_,
        title="",
        brief="",
        policy=Policy(),
        created_at_ms=fact.at_ms,
        run=run,
        sequence=sequence,
        version=sequence,
    )


def _paused(document: Document, fact: DocumentPaused) -> Document:
    if not isinstance(document.run, Running):
        return document
    ran_ms = document.ran_ms + fact.at_ms - document.run.since_ms
    run = Paused(reason=fact.reason, asked_at_ms=fact.asked_at_ms, at_ms=fact.at_ms, ran_ms=ran_ms)
    return replace(
        _each_cell(document, lambda cell: _cut_off(_unqueued(cell), fact.at_ms)),
        run=run,
        ran_ms=ran_ms,
        leaving=None,
        stop=None if fact.reason == "plan_ready" else StopReceipt(asked_at_ms=fact.asked_at_ms),
    )


def _resumed(document: Document, fact: DocumentResumed) -> Document:
    if isinstance(document.run, Running):
        return document
    left_ms = max(document.policy.deadline_s * 1_000 - document.ran_ms, 0)
    if not isinstance(document.run, Paused):  # It was over; going on means running its full time again.
        left_ms = document.policy.deadline_s * 1_000
    run = Running(since_ms=fact.at_ms, deadline_ms=fact.at_ms + left_ms)
    change = _awaiting
    if fact.because == "edited":
        change = _unbroken
    elif isinstance(document.run, Paused):
        change = _going_on
    policy = document.policy
    if isinstance(document.run, Paused) and document.run.reason == "plan_ready":
        policy = replace(policy, plan_first=False)
    return replace(_each_cell(document, change), run=run, policy=policy, leaving=None, stop=None)


def _reserved(document: Document, key: str, fact: AttemptStarted | CallReserved) -> Document:
    call = OpenCall(
        model=fact.model,
        tokens_in_max=fact.tokens_in_max,
        tokens_out_max=fact.tokens_out_max,
        cost_max=fact.cost_max,
    )
    ledger = replace(document.ledger, calls=document.ledger.calls + 1)
    return replace(document, open_calls=_with(document.open_calls, key, call), ledger=ledger)


def _settled(document: Document, fact: CallSettled) -> Document:
    key = _call_key(fact.cell, fact.attempt, fact.call)
    if key not in document.open_calls:
        return document
    was, tokens = document.ledger, fact.tokens_in + fact.tokens_out
    bought_nothing = fact.outcome in {"failed", "lost_race"}
    ledger = replace(
        was,
        calls_failed=was.calls_failed + (fact.outcome == "failed"),
        calls_cancelled=was.calls_cancelled + (fact.outcome == "cancelled"),
        calls_lost_race=was.calls_lost_race + (fact.outcome == "lost_race"),
        tokens_in=was.tokens_in + fact.tokens_in,
        tokens_out=was.tokens_out + fact.tokens_out,
        cost=was.cost + fact.cost,
        tokens_estimated=was.tokens_estimated + (0 if fact.exact else tokens),
        cost_estimated=was.cost_estimated + (0.0 if fact.exact else fact.cost),
        tokens_lost=was.tokens_lost + (tokens if bought_nothing else 0),
        cost_lost=was.cost_lost + (fact.cost if bought_nothing else 0.0),
    )
    document = _cell(document, fact.cell, lambda cell: replace(cell, cost=cell.cost + fact.cost))
    document = forecasts.billed(document, fact)
    return replace(document, ledger=ledger, open_calls={k: v for k, v in document.open_calls.items() if k != key})


def _found(document: Document, fact: CellCompleted) -> Document:
    was = document.ledger
    ledger = replace(
        was,
        cells_cached=was.cells_cached + 1,
        tokens_cached=was.tokens_cached + fact.tokens_in + fact.tokens_out,
        cost_cached=was.cost_cached + fact.cost,
    )
    return replace(document, ledger=ledger)


def _receipt(document: Document, fact: AttemptCancelled) -> Document:
    ledger = replace(
        document.ledger,
        tokens_saved=document.ledger.tokens_saved + fact.tokens_saved,
        cost_saved=document.ledger.cost_saved + fact.cost_saved,
    )
    document = replace(document, ledger=ledger)
    stop = document.stop
    if stop is None or fact.reason != "stopped" or is_stopped_alone(document.cells.get(fact.cell)):
        return document
    stop = replace(
        stop,
        closed_at_ms=max(stop.closed_at_ms, fact.closed_at_ms),
        calls_closed=stop.calls_closed + fact.calls_closed,
        attempts=stop.attempts + 1,
        tokens_saved=stop.tokens_saved + fact.tokens_saved,
        cost_saved=stop.cost_saved + fact.cost_saved,
    )
    return replace(document, stop=stop)


# -- One cell, by facts -------------------------------------------------------------------------------------------------


def _staled(document: Document, fact: CellsStaled) -> Document:
    cells = dict(document.cells)
    for group in fact.groups:
        for id_ in group.cells:
            cells[id_] = replace(cells.get(id_, Cell(id=id_)), stale=group.reasons)
    return replace(document, cells=cells)


def _freshened(document: Document, fact: CellsFreshened) -> Document:
    fresh = {id_: replace(document.cells[id_], stale=()) for id_ in fact.cells if id_ in document.cells}
    return replace(document, cells={**document.cells, **fresh})


def _queued(cell: Cell, fact: CellQueued, sequence: int) -> Cell:
    if fact.job <= cell.job or (cell.completed is not None and fact.revision <= cell.completed.revision):
        return cell  # A completed revision is never written again; a rewrite is a new revision.
    return replace(
        cell,
        state=Queued(since_ms=fact.at_ms, lane=fact.lane),
        revision=fact.revision,
        input_digest=fact.input_digest,
        job=fact.job,
        attempts=0 if fact.revision != cell.revision else cell.attempts,
        cost=0.0 if fact.revision != cell.revision else cell.cost,
        cost_needed=0.0 if fact.revision != cell.revision else cell.cost_needed,
        asked_at=sequence,
        stale=(),
    )


def _withdrawn(cell: Cell, fact: CellWithdrawn) -> Cell:
    in_flight = isinstance(cell.state, Queued | Writing | Retrying)
    if fact.job != cell.job or not (in_flight or is_stopped_alone(cell)):
        return cell
    return replace(_dried(cell, cell.job), state=_idle(cell))


def _stopped(cell: Cell, fact: CellStopped) -> Cell:
    if fact.job != cell.job:
        return cell
    match cell.state:
        case Writing(attempt=attempt) | Retrying(attempt=attempt):
            closed_at_ms = None
        case Queued():
            attempt, closed_at_ms = cell.attempt, fact.at_ms  # Nothing is open.
        case _:
            return cell
    state = Cancelled(
        attempt=attempt,
        at_ms=fact.at_ms,
        reason="stopped",
        closed_at_ms=closed_at_ms,
        asked_at_ms=fact.asked_at_ms,
    )
    return replace(cell, state=state, asked=False)


def _idle(cell: Cell) -> Completed | Waiting:
    """The state of a cell that nobody writes: it keeps the text that it has."""
    return Waiting() if cell.completed is None else Completed(at_ms=cell.completed.at_ms)


def _current(cell: Cell, attempt: int) -> bool:
    """Whether this attempt still speaks for the cell: of the newest job, and outranked by none."""
    return job_of(attempt) == cell.job and attempt >= cell.attempt and not isinstance(cell.state, Completed)


def _started(cell: Cell, fact: AttemptStarted) -> Cell:
    if not _current(cell, fact.attempt) or fact.attempt == cell.attempt:
        return cell
    if isinstance(cell.state, Waiting | Cancelled | Failed):
        return cell  # Stopped in the same moment: its writer reads the stop and closes.
    state = Writing(
        attempt=fact.attempt,
        since_ms=fact.at_ms,
        model=fact.model,
        writer=fact.writer,
        fell_back_from=fact.fell_back_from,
        tries_max=fact.tries_max,
    )
    ink = cell.ink
    if ink is None or ink.attempt < fact.attempt:
        ink = Ink(attempt=fact.attempt)
    return replace(cell, state=state, attempt=fact.attempt, attempts=cell.attempts + 1, ink=ink)


def _attempt_failed(cell: Cell, fact: AttemptFailed) -> Cell:
    if not _current(cell, fact.attempt) or not isinstance(cell.state, Writing):
        return cell
    if fact.retry_at_ms is None:
        return cell  # `CellFailed` follows and says why.
    state = Retrying(
        attempt=fact.attempt,
        since_ms=fact.at_ms,
        kind=fact.kind,
        message=fact.message,
        retry_at_ms=fact.retry_at_ms,
        model=fact.model,
        next_model=fact.next_model,
        tries_max=cell.state.tries_max,
    )
    return replace(cell, state=state)


def _attempt_cancelled(cell: Cell, fact: AttemptCancelled) -> Cell:
    if job_of(fact.attempt) != cell.job or fact.attempt < cell.attempt:
        return cell
    match cell.state:
        case Cancelled():
            return replace(cell, state=replace(cell.state, closed_at_ms=fact.closed_at_ms))
        case Writing() | Retrying() if fact.reason in {"writer_stopping", "bus_lost"}:
            # Its job goes back to the queue for another writer.
            return replace(cell, state=Queued(since_ms=fact.at_ms))
        case _:
            return cell


def _left(cell: Cell, fact: AttemptFailed | AttemptCancelled) -> Cell:
    """What an attempt leaves behind is its ink, which may have been lost on the way."""
    if not fact.text:
        return cell
    return _inked(cell, TextAppended(cell=fact.cell, attempt=fact.attempt, offset=0, text=fact.text))


def _deferred(cell: Cell, fact: CellDeferred) -> Cell:
    if not _current(cell, fact.attempt) or not isinstance(cell.state, Queued | Retrying):
        return cell
    return replace(cell, state=Waiting(), cost_needed=fact.cost_needed)


def _completed(cell: Cell, fact: CellCompleted, sequence: int) -> Cell:
    if not _current(cell, fact.attempt) or fact.revision != cell.revision:
        return cell
    completion = Completion(
        revision=fact.revision,
        attempt=fact.attempt,
        at_ms=fact.at_ms,
        text=fact.text,
        input_digest=cell.input_digest,
        output_digest=fact.output_digest,
        model=fact.model,
        fell_back_from=fact.fell_back_from,
        citations=fact.citations,
        cut=fact.cut,
        cached=fact.cached,
        tokens_in=fact.tokens_in,
        tokens_out=fact.tokens_out,
        cost=fact.cost,
        first_token_ms=fact.first_token_ms,
        duration_ms=fact.duration_ms,
        asked_at=cell.asked_at,
        sequence=sequence,
    )
    after = replace(
        _dried(cell, cell.job), state=Completed(at_ms=fact.at_ms), attempt=fact.attempt, asked=False, stale=()
    )
    if cell.locked and cell.completed is not None:
        return replace(after, offer=completion)  # Beside the text that is locked, never over it.
    return replace(after, completed=completion)


def _failed(cell: Cell, fact: CellFailed) -> Cell:
    if fact.job != cell.job or isinstance(cell.state, Completed | Cancelled):
        return cell
    return replace(cell, state=Failed(at_ms=fact.at_ms, kind=fact.kind, message=fact.message), asked=False)


def _unqueued(cell: Cell) -> Cell:
    """What was queued and not begun is not wanted any more."""
    return replace(cell, state=_idle(cell)) if isinstance(cell.state, Queued) else cell


def _cut_off(cell: Cell, at_ms: int) -> Cell:
    match cell.state:
        case Writing(attempt=attempt) | Retrying(attempt=attempt):
            return replace(cell, state=Cancelled(attempt=attempt, at_ms=at_ms, reason="stopped"))
        case _:
            return cell


def _awaiting(cell: Cell) -> Cell:
    """Where what was over is to go on, all that is not finished waits to be queued anew."""
    return cell if isinstance(cell.state, Completed | Waiting) else replace(cell, state=_idle(cell))


def _going_on(cell: Cell) -> Cell:
    """After a pause, so does all but what somebody stopped by itself."""
    return cell if is_stopped_alone(cell) else _awaiting(cell)


def _unbroken(cell: Cell) -> Cell:
    """After an edit of what was over, so does what was cut off with it."""
    return cell if isinstance(cell.state, Failed) else _going_on(cell)


def _answered(cell: Cell) -> Cell:
    """The document is up to date: nothing that was asked is left to do."""
    return replace(cell, asked=False) if cell.asked else cell


# -- One cell, by ink ---------------------------------------------------------------------------------------------------


def _inked(cell: Cell, ink: TextAppended) -> Cell:
    if job_of(ink.attempt) <= cell.ink_dry:
        return cell
    now = cell.ink
    if now is not None and ink.attempt < now.attempt:
        return cell
    if now is None or ink.attempt > now.attempt:
        now = Ink(attempt=ink.attempt)
    after = _appended(now, Piece(ink.offset, ink.text))
    return cell if after is cell.ink else replace(cell, ink=after)


def _appended(ink: Ink, piece: Piece) -> Ink:
    if piece.offset > len(ink.text):
        if piece in ink.ahead or len(ink.ahead) >= PIECES_AHEAD_MAX:
            return ink
        return replace(ink, ahead=tuple(sorted((*ink.ahead, piece), key=lambda p: (p.offset, p.text))))
    fresh = piece.text[len(ink.text) - piece.offset :]
    if not fresh:
        return ink
    text = ink.text + fresh
    if not ink.ahead:
        return Ink(attempt=ink.attempt, text=text)
    left: list[Piece] = []
    for early in ink.ahead:
        if early.offset > len(text):
            left.append(early)
        else:
            text += early.text[len(text) - early.offset :]
    return Ink(attempt=ink.attempt, text=text, ahead=tuple(left))


def _dried(cell: Cell, job: int) -> Cell:
    """The ink of jobs up to this one is over: the completion has the whole text."""
    ink = None if cell.ink is not None and job_of(cell.ink.attempt) <= job else cell.ink
    return replace(cell, ink=ink, ink_dry=max(cell.ink_dry, job))


# -- Mappings that are never changed in place ---------------------------------------------------------------------------


def _call_key(cell: str, attempt: int, call: int) -> str:
    return f"{cell}/{attempt}/{call}"


def _with(mapping: Mapping[str, V], key: str, value: V) -> dict[str, V]:
    return {**mapping, key: value}


def _with_cell(document: Document, cell: Cell) -> Document:
    return replace(document, cells=_with(document.cells, cell.id, cell))


def _cell(document: Document, id_: str, change: _Change) -> Document:
    cell = document.cells.get(id_, Cell(id=id_))
    after = change(cell)
    return document if after is cell else _with_cell(document, after)


def _each_cell(document: Document, change: _Change) -> Document:
    return replace(document, cells={id_: change(cell) for id_, cell in document.cells.items()})
