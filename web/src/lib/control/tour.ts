/** The guided tour: six things to do, what each shows, and how one knows that it was seen. Pure. */

import type { CallSettled, Fact } from '../types';
import type { Note } from './operations';
import { pidOf } from './house';

/** What is done to this page alone, and so is on no bus: the document was played from an earlier moment up to now. */
export interface Replayed {
  type: 'Replayed';
}

export type Heard = Fact | Note | Replayed;

/** What happened since a step was begun, in order; `before` are the facts that were there already. */
export interface Seen {
  before: readonly Fact[];
  since: readonly Heard[];
}

export type TourStep = 'errors' | 'kill' | 'tab' | 'hedge' | 'edit' | 'replay';
export const TOUR: readonly TourStep[] = ['errors', 'kill', 'tab', 'hedge', 'edit', 'replay'];
/** The share of calls that goes wrong in the first step. */
export const ERRORS = 0.3;
/** After so many cells every writer has heard its model often enough to know what is late, and may pay for a second call. */
export const CELLS_TO_KNOW = 40;

/** Whether these follow one another in this order, with anything between them. */
function inOrder(events: readonly Heard[], ...wanted: readonly ((event: Heard) => boolean)[]): boolean {
  let next = 0;
  for (const event of events) if (wanted[next]?.(event) === true) next++;
  return next >= wanted.length;
}

const is =
  <Type extends Heard['type']>(type: Type, also: (event: Extract<Heard, { type: Type }>) => boolean = () => true) =>
  (event: Heard): boolean =>
    event.type === type && also(event as Extract<Heard, { type: Type }>);

/** A try failed, and the same cell was tried again. */
function errorsSeen({ since }: Seen): boolean {
  const failed = since.find(is('AttemptFailed', (fact) => fact.retry_at_ms !== null));
  if (failed?.type !== 'AttemptFailed') return false;
  return inOrder(since.slice(since.indexOf(failed)), is('AttemptStarted', (fact) => fact.cell === failed.cell));
}

/** A writer was killed with cells in hand, and another writer has begun one of them anew. */
function killSeen({ before, since }: Seen): boolean {
  const at = since.findIndex(is('ProcessKilled', ({ process }) => process.startsWith('writer')));
  const killed = since[at];
  if (killed?.type !== 'ProcessKilled') return false;
  const past = [...before, ...since.slice(0, at)];
  const inHand = new Set<string>();
  for (const event of past) {
    if (event.type === 'AttemptStarted' && pidOf(event.writer) === killed.pid) inHand.add(event.cell);
    else if (event.type === 'AttemptStarted' || event.type === 'CellCompleted' || event.type === 'CellFailed') inHand.delete(event.cell);
    else if (event.type === 'AttemptCancelled') inHand.delete(event.cell);
  }
  if (inHand.size === 0) return false;
  return since.slice(at).some((event) => event.type === 'AttemptStarted' && inHand.has(event.cell) && pidOf(event.writer) !== killed.pid);
}

const isDecided = (settled: CallSettled, second: number) =>
  settled.outcome === 'lost_race' || (settled.call === second && settled.outcome === 'finished');

/** A second call was sent beside one that was late, and spoke first, or was told that it had lost. The other's socket is closed. */
function hedgeSeen({ since }: Seen): boolean {
  return since.some(
    (event, at) =>
      event.type === 'CallReserved' &&
      since
        .slice(at)
        .some((later) => later.type === 'CallSettled' && later.attempt === event.attempt && later.cell === event.cell && isDecided(later, event.call)),
  );
}

/** A source became another, some cells were queued for it, not all of them, and each of those has come to its end. */
function editSeen({ before, since }: Seen): boolean {
  const at = since.findIndex(is('SourceReplaced'));
  if (at === -1) return false;
  const cells = new Set<string>();
  for (const event of [...before, ...since.slice(0, at)]) for (const cell of queuedBy(event)) cells.add(cell);
  const anew = new Set<string>();
  const over = new Set<string>();
  for (const event of since.slice(at)) {
    for (const cell of queuedBy(event)) anew.add(cell);
    if (event.type === 'CellCompleted' || event.type === 'CellFailed' || event.type === 'CellStopped') over.add(event.cell);
  }
  return anew.size > 0 && anew.size < cells.size && [...anew].every((cell) => over.has(cell));
}

function queuedBy(event: Heard): readonly string[] {
  if (event.type === 'CellQueued') return [event.cell];
  return event.type === 'CellsQueued' ? event.cells.map((one) => one.cell) : [];
}

export function wasSeen(step: TourStep, seen: Seen): boolean {
  const { since } = seen;
  switch (step) {
    case 'errors':
      return errorsSeen(seen);
    case 'kill':
      return killSeen(seen);
    case 'tab':
      return (
        inOrder(since, is('LastViewerLeft'), is('ViewerReturned')) ||
        inOrder(since, is('DocumentPaused', (fact) => fact.reason === 'last_viewer_left'))
      );
    case 'hedge':
      return hedgeSeen(seen);
    case 'edit':
      return editSeen(seen);
    case 'replay':
      return since.some(is('Replayed'));
  }
}
