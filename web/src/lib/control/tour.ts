/** The guided tour: six things to do, what each shows, and how one knows that it was seen. Pure. */

import type { Fact } from '../types';
import type { Note } from './operations';
import { pidOf } from './house';

/** What happened since a step was begun, in order; `before` are the facts that were there already. */
export interface Seen {
  before: readonly Fact[];
  since: readonly (Fact | Note)[];
}

export type TourStep = 'errors' | 'kill' | 'bus' | 'stop' | 'resume' | 'tab';
export const TOUR: readonly TourStep[] = ['errors', 'kill', 'bus', 'stop', 'resume', 'tab'];
/** The share of calls that goes wrong in the first step. */
export const ERRORS = 0.3;

type Event = Fact | Note;

/** Whether these follow one another in this order, with anything between them. */
function inOrder(events: readonly Event[], ...wanted: readonly ((event: Event) => boolean)[]): boolean {
  let next = 0;
  for (const event of events) if (wanted[next]?.(event) === true) next++;
  return next >= wanted.length;
}

const is =
  <Type extends Event['type']>(type: Type, also: (event: Extract<Event, { type: Type }>) => boolean = () => true) =>
  (event: Event): boolean =>
    event.type === type && also(event as Extract<Event, { type: Type }>);

/** A try failed, and the same cell was tried again. */
function errorsSeen({ since }: Seen): boolean {
  const failed = since.find(is('AttemptFailed', (fact) => fact.retry_at_ms !== null));
  if (failed?.type !== 'AttemptFailed') return false;
  return inOrder(since.slice(since.indexOf(failed)), is('AttemptStarted', (fact) => fact.cell === failed.cell));
}

/** A writer was killed with cells in hand, and another writer has begun each of them anew (or there were none). */
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

export function wasSeen(step: TourStep, seen: Seen): boolean {
  const { since } = seen;
  switch (step) {
    case 'errors':
      return errorsSeen(seen);
    case 'kill':
      return killSeen(seen);
    case 'bus':
      return inOrder(since, is('BusLost'), is('BusReturned'));
    case 'stop':
      return inOrder(since, is('DocumentPaused', (fact) => fact.reason === 'stop_asked'), is('AttemptCancelled'));
    case 'resume':
      return inOrder(since, is('DocumentResumed'), is('AttemptStarted'));
    case 'tab':
      return (
        inOrder(since, is('LastViewerLeft'), is('ViewerReturned')) ||
        inOrder(since, is('DocumentPaused', (fact) => fact.reason === 'last_viewer_left'))
      );
  }
}
