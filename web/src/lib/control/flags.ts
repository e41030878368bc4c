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
  DocumentResumed: '▶',
  LastViewerLeft: '◌',
  ViewerReturned: '●',
};

export function flagOf(what: Note | Fact): Flag | null {
  const sign = SIGNS[what.type];
  return sign === undefined ? null : { at_ms: what.at_ms, sign, what };
}
