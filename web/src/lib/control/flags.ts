/** What is marked on the timeline: what somebody did to the house, and what it did to the document. Pure. */

import type { Fact } from '../types';
import type { Note } from './operations';

export interface Flag {
  at_ms: number;
  sign: string;
  what: Note | Fact;
}

const SIGNS: Readonly<Record<string, string>> = {
  DialsTurned: '◔',
  ProcessKilled: '✕',
  ProcessFrozen: '❄',
  ProcessThawed: '☼',
  ProcessTerminated: '↺',
  BusLost: '⌁',
  BusReturned: '⌁',
  DocumentPaused: '■',
  CellStopped: '□',
  DocumentResumed: '▶',
  LastViewerLeft: '◌',
  ViewerReturned: '●',
};

export function flagOf(what: Note | Fact): Flag | null {
  const sign = SIGNS[what.type];
  return sign === undefined ? null : { at_ms: what.at_ms, sign, what };
}

/** What is done within this time after a document's end is shown, however short the document was. */
export const AFTER_MS_MIN = 60_000;

/** Where the timeline ends: at its last flag. Once all is written that may be days later, so no more than half of it is what came
 * after; flags that are later still stand at its edge.
 */
export function reached_ms(began_ms: number, ended_ms: number, flags: readonly Flag[]): number {
  const last_ms = flags.reduce((last, flag) => Math.max(last, flag.at_ms), ended_ms);
  return Math.min(last_ms, ended_ms + Math.max(ended_ms - began_ms, AFTER_MS_MIN));
}
