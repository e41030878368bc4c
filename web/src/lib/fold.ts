/** The twin of `schemas/fold.py`: (document, event) → document. Both are held to `schemas/vectors/fold*.json`.
 *
 * Indifferent to the order between facts and ink, to repeats, to early ink (kept `ahead`) and to stale attempts. Documents and
 * cells are never changed in place; an unchanged cell stays the same object, which is how views know that they have nothing to do.
 */

import { codePoints, compareCodePoints, fromCodePoint } from './codepoints';
import type {
  AttemptCancelled,
  AttemptFailed,
  AttemptStarted,
  CallReserved,
  CallSettled,
  Cell,
  CellCompleted,
  CellDeferred,
  CellFailed,
  CellQueued,
  CellsFreshened,
  CellsStaled,
  CellStopped,
  CellWithdrawn,
  Completion,
  Document,
  DocumentPaused,
  DocumentResumed,
  Fact,
  Ink,
  Ledger,
  OutlinePlanned,
  Piece,
  Source,
  SourceFailed,
  SourceIngested,
  StopReceipt,
  TextAppended,
} from './types';

import { edited } from './edits';
import { billed, foreseen, reckoned } from './forecasts';

export const PLAN_CELL = 'outline';
export const PIECES_AHEAD_MAX = 1_000;

const EMPTY_LEDGER: Ledger = {
  calls: 0,
  calls_failed: 0,
  calls_cancelled: 0,
  calls_lost_race: 0,
  tokens_in: 0,
  tokens_out: 0,
  cost: 0,
  tokens_estimated: 0,
  cost_estimated: 0,
  tokens_lost: 0,
  cost_lost: 0,
  cells_cached: 0,
  tokens_cached: 0,
  cost_cached: 0,
  tokens_saved: 0,
  cost_saved: 0,
};

/** The job that an attempt belongs to; see `schemas/attempts.py`. */
export function jobOf(attempt: number): number {
  return Math.floor(attempt / 1_000_000);
}

/** The document that a log's first fact makes. Throws where the log begins with anything else. */
export function created(id: string, fact: Fact, sequence: number): Document {
  if (fact.type !== 'DocumentCreated') throw new Error(`the log of ${id} begins with ${fact.type}`);
  return {
    id,
    title: fact.title,
    brief: fact.brief,
    policy: fact.policy,
    created_at_ms: fact.at_ms,
    run: { type: 'Running', since_ms: fact.at_ms, deadline_ms: fact.at_ms + fact.policy.deadline_s * 1_000 },
    outline: fact.outline,
    sources: Object.fromEntries(
      fact.sources.map((given) => [
        given.id,
        { given, digest: null, passages: 0, characters: 0, pages: 0, failure: null, given_at: sequence },
      ]),
    ),
    cells: {},
    ran_ms: 0,
    leaving: null,
    stop: null,
    ledger: EMPTY_LEDGER,
    open_calls: {},
    version: sequence,
    rested: 0,
    drafting: true,
    edited: {},
    forecast:
      fact.estimate == null // Logs of before have none.
        ? null
        : { estimate: fact.estimate, since_ms: fact.at_ms, calls: 0, tokens_in: 0, tokens_out: 0, cost: 0 },
    reckoning: null,
    sequence,
  };
}

/** The document after one more fact, which stands at `sequence` of the log. */
export function fold(document: Document, fact: Fact, sequence: number): Document {
  return sequence <= document.sequence ? document : { ...folded(document, fact, sequence), sequence };
}

function folded(document: Document, fact: Fact, sequence: number): Document {
  switch (fact.type) {
    case 'DocumentCreated':
      return document;
    case 'SourceIngested':
    case 'SourceFailed':
      return withSource(document, fact);
    case 'OutlinePlanned':
      return planned(document, fact);
    case 'LastViewerLeft':
      return { ...eachCell(document, unqueued), leaving: { at_ms: fact.at_ms, pauses_at_ms: fact.pauses_at_ms } };
    case 'ViewerReturned':
      return { ...document, leaving: null };
    case 'DocumentPaused':
      return paused(document, fact);
    case 'DocumentResumed':
      return resumed(document, fact);
    case 'DocumentCompleted':
      return {
        ...eachCell(reckoned(document, fact.at_ms), answered),
        run: { type: 'Done', at_ms: fact.at_ms },
        leaving: null,
        rested: sequence,
        drafting: false,
      };
    case 'DocumentFailed': {
      const { at_ms, kind, message } = fact;
      return { ...document, run: { type: 'Abandoned', at_ms, kind, message }, leaving: null, rested: sequence };
    }
    case 'CellQueued':
      // Asked for in the moment of a stop: nobody wants it.
      if (document.leaving !== null || document.run.type !== 'Running') return document;
      return changeCell(document, fact.cell, (cell) => queued(cell, fact, sequence));
    case 'CellsQueued':
      return fact.cells.reduce((before, one) => folded(before, one, sequence), document);
    case 'CellWithdrawn':
      return changeCell(document, fact.cell, (cell) => withdrawn(cell, fact));
    case 'CellStopped':
      return changeCell(document, fact.cell, (cell) => stopped(cell, fact));
    case 'CellsStaled':
      return staled(document, fact);
    case 'CellsFreshened':
      return freshened(document, fact);
    case 'AttemptStarted':
      return reserved(
        changeCell(document, fact.cell, (cell) => started(cell, fact)),
        callKey(fact.cell, fact.attempt, 1),
        fact,
      );
    case 'CallReserved':
      return reserved(document, callKey(fact.cell, fact.attempt, fact.call), fact);
    case 'CallSettled':
      return settled(document, fact);
    case 'AttemptFailed':
      return changeCell(document, fact.cell, (cell) => left(attemptFailed(cell, fact), fact));
    case 'AttemptCancelled':
      return receipt(
        changeCell(document, fact.cell, (cell) => left(attemptCancelled(cell, fact), fact)),
        fact,
      );
    case 'CellDeferred':
      return changeCell(document, fact.cell, (cell) => deferred(cell, fact));
    case 'CellCompleted': {
      const after = changeCell(document, fact.cell, (cell) => completed(cell, fact, sequence));
      return after === document || !fact.cached ? after : found(after, fact);
    }
    case 'CellFailed':
      return changeCell(document, fact.cell, (cell) => failed(cell, fact));
    default:
      // An edit; or a fact of a later version: the log goes on without it.
      return edited(foreseen(document, fact), fact, sequence);
  }
}

/** The document after one more piece of text. Needs no sequence: offset and attempt say all. */
export function foldInk(document: Document, ink: TextAppended): Document {
  return changeCell(document, ink.cell, (cell) => inked(cell, ink));
}

/** The same for many pieces at once: the cells are copied once, not once a piece. */
export function foldInks(document: Document, inks: readonly TextAppended[]): Document {
  const changed = new Map<string, Cell>();
  for (const ink of inks) {
    const cell = changed.get(ink.cell) ?? own(document.cells, ink.cell) ?? emptyCell(ink.cell);
    const after = inked(cell, ink);
    if (after !== cell) changed.set(ink.cell, after);
  }
  return changed.size === 0 ? document : { ...document, cells: { ...document.cells, ...Object.fromEntries(changed) } };
}

// -- The document --------------------------------------------------------------------------------------------------------

function withSource(document: Document, fact: SourceIngested | SourceFailed): Document {
  const was = own(document.sources, fact.source);
  if (was === undefined) return document;
  const source: Source =
    fact.type === 'SourceFailed'
      ? { ...was, failure: fact.message }
      : {
          ...was,
          digest: fact.digest,
          passages: fact.passages,
          characters: fact.characters,
          pages: fact.pages,
          failure: null,
        };
  return { ...document, sources: { ...document.sources, [fact.source]: source } };
}

function planned(document: Document, fact: OutlinePlanned): Document {
  const plan = own(document.cells, PLAN_CELL);
  if (plan === undefined || document.outline.length > 0) return document;
  if (fact.attempt < plan.attempt || jobOf(fact.attempt) !== plan.job) return document;
  const after: Cell = { ...plan, state: { type: 'Completed', at_ms: fact.at_ms }, ink: null, ink_dry: plan.job };
  return { ...withCell(document, after), outline: fact.sections, title: document.title || fact.title };
}

function paused(document: Document, fact: DocumentPaused): Document {
  if (document.run.type !== 'Running') return document;
  const ran_ms = document.ran_ms + fact.at_ms - document.run.since_ms;
  return {
    ...eachCell(document, (cell) => cutOff(unqueued(cell), fact.at_ms)),
    run: { type: 'Paused', reason: fact.reason, asked_at_ms: fact.asked_at_ms, at_ms: fact.at_ms, ran_ms },
    ran_ms,
    leaving: null,
    stop: fact.reason === 'plan_ready' ? null : asked(fact.asked_at_ms),
  };
}

function asked(asked_at_ms: number): StopReceipt {
  return { asked_at_ms, closed_at_ms: 0, calls_closed: 0, attempts: 0, tokens_saved: 0, cost_saved: 0 };
}

function resumed(document: Document, fact: DocumentResumed): Document {
  if (document.run.type === 'Running') return document;
  const whole_ms = document.policy.deadline_s * 1_000;
  const left_ms = document.run.type === 'Paused' ? Math.max(whole_ms - document.ran_ms, 0) : whole_ms;
  const isLookedOver = document.run.type === 'Paused' && document.run.reason === 'plan_ready';
  return {
    ...eachCell(document, fact.because === 'edited' ? unbroken : document.run.type === 'Paused' ? goingOn : awaiting),
    run: { type: 'Running', since_ms: fact.at_ms, deadline_ms: fact.at_ms + left_ms },
    policy: isLookedOver ? { ...document.policy, plan_first: false } : document.policy,
    leaving: null,
    stop: null,
  };
}

function reserved(document: Document, key: string, fact: AttemptStarted | CallReserved): Document {
  const { model, tokens_in_max, tokens_out_max, cost_max } = fact;
  return {
    ...document,
    open_calls: { ...document.open_calls, [key]: { model, tokens_in_max, tokens_out_max, cost_max } },
    ledger: { ...document.ledger, calls: document.ledger.calls + 1 },
  };
}

function settled(document: Document, fact: CallSettled): Document {
  const key = callKey(fact.cell, fact.attempt, fact.call);
  if (own(document.open_calls, key) === undefined) return document;
  const { [key]: _settled, ...open_calls } = document.open_calls;
  const was = document.ledger;
  const tokens = fact.tokens_in + fact.tokens_out;
  const lost = fact.outcome === 'failed' || fact.outcome === 'lost_race';
  const ledger: Ledger = {
    ...was,
    calls_failed: was.calls_failed + (fact.outcome === 'failed' ? 1 : 0),
    calls_cancelled: was.calls_cancelled + (fact.outcome === 'cancelled' ? 1 : 0),
    calls_lost_race: was.calls_lost_race + (fact.outcome === 'lost_race' ? 1 : 0),
    tokens_in: was.tokens_in + fact.tokens_in,
    tokens_out: was.tokens_out + fact.tokens_out,
    cost: was.cost + fact.cost,
    tokens_estimated: was.tokens_estimated + (fact.exact ? 0 : tokens),
    cost_estimated: was.cost_estimated + (fact.exact ? 0 : fact.cost),
    tokens_lost: was.tokens_lost + (lost ? tokens : 0),
    cost_lost: was.cost_lost + (lost ? fact.cost : 0),
  };
  const paid = changeCell(document, fact.cell, (cell) => ({ ...cell, cost: cell.cost + fact.cost }));
  return { ...billed(paid, fact), ledger, open_calls };
}

function found(document: Document, fact: CellCompleted): Document {
  const was = document.ledger;
  const ledger: Ledger = {
    ...was,
    cells_cached: was.cells_cached + 1,
    tokens_cached: was.tokens_cached + fact.tokens_in + fact.tokens_out,
    cost_cached: was.cost_cached + fact.cost,
  };
  return { ...document, ledger };
}

function receipt(document: Document, fact: AttemptCancelled): Document {
  const ledger = {
    ...document.ledger,
    tokens_saved: document.ledger.tokens_saved + fact.tokens_saved,
    cost_saved: document.ledger.cost_saved + fact.cost_saved,
  };
  const was = document.stop;
  if (was === null || fact.reason !== 'stopped' || isStoppedAlone(own(document.cells, fact.cell))) return { ...document, ledger };
  const stop = {
    ...was,
    closed_at_ms: Math.max(was.closed_at_ms, fact.closed_at_ms),
    calls_closed: was.calls_closed + fact.calls_closed,
    attempts: was.attempts + 1,
    tokens_saved: was.tokens_saved + fact.tokens_saved,
    cost_saved: was.cost_saved + fact.cost_saved,
  };
  return { ...document, ledger, stop };
}

// -- One cell, by facts --------------------------------------------------------------------------------------------------

function staled(document: Document, fact: CellsStaled): Document {
  const cells = { ...document.cells };
  for (const { reasons, cells: ids } of fact.groups) {
    for (const id of ids) cells[id] = { ...(own(cells, id) ?? emptyCell(id)), stale: reasons };
  }
  return { ...document, cells };
}

function freshened(document: Document, fact: CellsFreshened): Document {
  const cells = { ...document.cells };
  for (const id of fact.cells) {
    const cell = own(cells, id);
    if (cell !== undefined) cells[id] = { ...cell, stale: [] };
  }
  return { ...document, cells };
}

function queued(cell: Cell, fact: CellQueued, sequence: number): Cell {
  // A completed revision is never written again; a rewrite is a new revision.
  const isWritten = cell.completed !== null && fact.revision <= cell.completed.revision;
  if (fact.job <= cell.job || isWritten) return cell;
  return {
    ...cell,
    state: { type: 'Queued', since_ms: fact.at_ms, lane: fact.lane },
    revision: fact.revision,
    input_digest: fact.input_digest,
    job: fact.job,
    attempts: fact.revision === cell.revision ? cell.attempts : 0,
    cost: fact.revision === cell.revision ? cell.cost : 0,
    cost_needed: fact.revision === cell.revision ? cell.cost_needed : 0,
    asked_at: sequence,
    stale: [],
  };
}

function withdrawn(cell: Cell, fact: CellWithdrawn): Cell {
  const { type } = cell.state;
  const in_flight = type === 'Queued' || type === 'Writing' || type === 'Retrying';
  return fact.job === cell.job && (in_flight || isStoppedAlone(cell)) ? { ...dried(cell, cell.job), state: idle(cell) } : cell;
}

function stopped(cell: Cell, { job, at_ms, asked_at_ms }: CellStopped): Cell {
  const { state } = cell;
  const isBegun = state.type === 'Writing' || state.type === 'Retrying';
  if (job !== cell.job || !(isBegun || state.type === 'Queued')) return cell;
  return {
    ...cell,
    state: {
      type: 'Cancelled',
      attempt: isBegun ? state.attempt : cell.attempt,
      at_ms,
      reason: 'stopped',
      closed_at_ms: isBegun ? null : at_ms, // Of what was not begun nothing is open.
      asked_at_ms,
    },
    asked: false,
  };
}

/** Whether it was stopped by itself, not with its document. Old snapshots know no such thing. */
export function isStoppedAlone(cell: Cell | undefined): boolean {
  return cell?.state.type === 'Cancelled' && cell.state.asked_at_ms != null;
}

/** The state of a cell that nobody writes: it keeps the text that it has. */
function idle(cell: Cell): Cell['state'] {
  return cell.completed === null ? { type: 'Waiting' } : { type: 'Completed', at_ms: cell.completed.at_ms };
}

/** Whether this attempt still speaks for the cell: of the newest job, and outranked by none. */
function isCurrent(cell: Cell, attempt: number): boolean {
  return jobOf(attempt) === cell.job && attempt >= cell.attempt && cell.state.type !== 'Completed';
}

function started(cell: Cell, fact: AttemptStarted): Cell {
  if (!isCurrent(cell, fact.attempt) || fact.attempt === cell.attempt) return cell;
  const was = cell.state;
  // Stopped in the same moment: its writer reads the stop and closes.
  if (was.type === 'Waiting' || was.type === 'Cancelled' || was.type === 'Failed') return cell;
  const { attempt, model, writer, fell_back_from, tries_max } = fact;
  return {
    ...cell,
    state: { type: 'Writing', attempt, since_ms: fact.at_ms, model, writer, fell_back_from, tries_max },
    attempt,
    attempts: cell.attempts + 1,
    ink: cell.ink === null || cell.ink.attempt < attempt ? emptyInk(attempt) : cell.ink,
  };
}

function attemptFailed(cell: Cell, fact: AttemptFailed): Cell {
  if (!isCurrent(cell, fact.attempt) || cell.state.type !== 'Writing') return cell;
  if (fact.retry_at_ms === null) return cell; // `CellFailed` follows and says why.
  const { attempt, kind, message, retry_at_ms, model, next_model } = fact;
  const { tries_max } = cell.state;
  return {
    ...cell,
    state: { type: 'Retrying', attempt, since_ms: fact.at_ms, kind, message, retry_at_ms, model, next_model, tries_max },
  };
}

/** What an attempt leaves behind is its ink, which may have been lost on the way. */
function left(cell: Cell, { attempt, text = '' }: AttemptFailed | AttemptCancelled): Cell {
  return text === '' ? cell : inked(cell, { type: 'TextAppended', cell: cell.id, attempt, offset: 0, text });
}

function attemptCancelled(cell: Cell, fact: AttemptCancelled): Cell {
  if (jobOf(fact.attempt) !== cell.job || fact.attempt < cell.attempt) return cell;
  const goesBack = fact.reason === 'writer_stopping' || fact.reason === 'bus_lost';
  switch (cell.state.type) {
    case 'Cancelled':
      return { ...cell, state: { ...cell.state, closed_at_ms: fact.closed_at_ms } };
    case 'Writing':
    case 'Retrying':
      // Its job goes back to the queue for another writer.
      return goesBack ? { ...cell, state: { type: 'Queued', since_ms: fact.at_ms, lane: 'interactive' } } : cell;
    default:
      return cell;
  }
}

function deferred(cell: Cell, fact: CellDeferred): Cell {
  const waits = cell.state.type === 'Queued' || cell.state.type === 'Retrying';
  if (!waits || !isCurrent(cell, fact.attempt)) return cell;
  return { ...cell, state: { type: 'Waiting' }, cost_needed: fact.cost_needed };
}

function completed(cell: Cell, fact: CellCompleted, sequence: number): Cell {
  if (!isCurrent(cell, fact.attempt) || fact.revision !== cell.revision) return cell;
  const { type: _type, cell: _cell, ...written } = fact;
  const { input_digest, asked_at } = cell;
  const completion: Completion = { ...written, input_digest, by_hand: false, asked_at, sequence };
  const after: Cell = {
    ...dried(cell, cell.job),
    state: { type: 'Completed', at_ms: fact.at_ms },
    attempt: fact.attempt,
    asked: false,
    stale: [],
  };
  // Beside a text that is locked, never over it.
  return cell.locked && cell.completed !== null ? { ...after, offer: completion } : { ...after, completed: completion };
}

function failed(cell: Cell, fact: CellFailed): Cell {
  if (fact.job !== cell.job || cell.state.type === 'Completed' || cell.state.type === 'Cancelled') return cell;
  const { at_ms, kind, message } = fact;
  return { ...cell, state: { type: 'Failed', at_ms, kind, message }, asked: false };
}

/** What was queued and not begun is not wanted any more. */
function unqueued(cell: Cell): Cell {
  return cell.state.type === 'Queued' ? { ...cell, state: idle(cell) } : cell;
}

function cutOff(cell: Cell, at_ms: number): Cell {
  if (cell.state.type !== 'Writing' && cell.state.type !== 'Retrying') return cell;
  const { attempt } = cell.state;
  const state = { type: 'Cancelled', attempt, at_ms, reason: 'stopped', closed_at_ms: null, asked_at_ms: null } as const;
  return { ...cell, state };
}

/** Where what was over is to go on, all that is not finished waits to be queued anew. */
function awaiting(cell: Cell): Cell {
  const rests = cell.state.type === 'Completed' || cell.state.type === 'Waiting';
  return rests ? cell : { ...cell, state: idle(cell) };
}

/** After a pause, so does all but what somebody stopped by itself. */
function goingOn(cell: Cell): Cell {
  return isStoppedAlone(cell) ? cell : awaiting(cell);
}

/** After an edit of what was over, so does what was cut off with it. */
function unbroken(cell: Cell): Cell {
  return cell.state.type === 'Failed' ? cell : goingOn(cell);
}

/** The document is up to date: nothing that was asked is left to do. */
function answered(cell: Cell): Cell {
  return cell.asked ? { ...cell, asked: false } : cell;
}

// -- One cell, by ink ----------------------------------------------------------------------------------------------------

/** How many code points an ink's text has: counted once, then kept up to date, because it grows with every token. */
const lengths = new WeakMap<Ink, number>();

function lengthOf(ink: Ink): number {
  const known = lengths.get(ink);
  if (known !== undefined) return known;
  const length = codePoints(ink.text);
  lengths.set(ink, length);
  return length;
}

function emptyInk(attempt: number): Ink {
  return { attempt, text: '', ahead: [] };
}

function inked(cell: Cell, event: TextAppended): Cell {
  if (jobOf(event.attempt) <= cell.ink_dry) return cell;
  let now = cell.ink;
  if (now !== null && event.attempt < now.attempt) return cell;
  if (now === null || event.attempt > now.attempt) now = emptyInk(event.attempt);
  const after = appended(now, event.offset, event.text);
  return after === cell.ink ? cell : { ...cell, ink: after };
}

function appended(ink: Ink, offset: number, piece: string): Ink {
  let length = lengthOf(ink);
  if (offset > length) return keptAhead(ink, [offset, piece]);
  const fresh = fromCodePoint(piece, length - offset);
  if (fresh === '') return ink;
  let text = ink.text + fresh;
  length += codePoints(fresh);
  const left: Piece[] = [];
  for (const early of ink.ahead) {
    if (early[0] > length) {
      left.push(early);
      continue;
    }
    const more = fromCodePoint(early[1], length - early[0]);
    text += more;
    length += codePoints(more);
  }
  const after: Ink = { attempt: ink.attempt, text, ahead: left };
  lengths.set(after, length);
  return after;
}

function keptAhead(ink: Ink, piece: Piece): Ink {
  const isKnown = ink.ahead.some((early) => early[0] === piece[0] && early[1] === piece[1]);
  if (isKnown || ink.ahead.length >= PIECES_AHEAD_MAX) return ink;
  const ahead = [...ink.ahead, piece].sort((a, b) => a[0] - b[0] || compareCodePoints(a[1], b[1]));
  return { ...ink, ahead };
}

/** The ink of jobs up to this one is over: the completion has the whole text. */
function dried(cell: Cell, job: number): Cell {
  const ink = cell.ink !== null && jobOf(cell.ink.attempt) <= job ? null : cell.ink;
  return { ...cell, ink, ink_dry: Math.max(cell.ink_dry, job) };
}

// -- Mappings that are never changed in place ----------------------------------------------------------------------------

/** What a mapping itself has: a section may be called `constructor`. */
export function own<Value>(mapping: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(mapping, key) ? mapping[key] : undefined;
}

function callKey(cell: string, attempt: number, call: number): string {
  return `${cell}/${attempt}/${call}`;
}

export function emptyCell(id: string): Cell {
  return {
    id,
    state: { type: 'Waiting' },
    revision: 0,
    input_digest: '',
    job: 0,
    attempt: 0,
    attempts: 0,
    cost: 0,
    cost_needed: 0,
    ink: null,
    ink_dry: 0,
    completed: null,
    asked_at: 0,
    locked: false,
    offer: null,
    salt: '',
    model: null,
    asked: false,
    stale: [],
  };
}

function withCell(document: Document, cell: Cell): Document {
  return { ...document, cells: { ...document.cells, [cell.id]: cell } };
}

function changeCell(document: Document, id: string, change: (cell: Cell) => Cell): Document {
  const cell = own(document.cells, id) ?? emptyCell(id);
  const after = change(cell);
  return after === cell ? document : withCell(document, after);
}

function eachCell(document: Document, change: (cell: Cell) => Cell): Document {
  return {
    ...document,
    cells: Object.fromEntries(Object.entries(document.cells).map(([id, cell]) => [id, change(cell)])),
  };
}
