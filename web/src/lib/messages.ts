/** Every word that the page says, in one place: here what is said at once, in `messages-later.ts` the rest. */

import { clockTime, count, money, seconds } from './intl';
import type { Connection } from './stream';
import type { Progress, Shown } from './view';
import type { Completion, Document, PauseReason, Retrying } from './types';

export * from './intl';
export * from './messages-later';
export * from './messages-watching';

/** An attempt's number is its job's and its own within it: `schemas/attempts.py`. */
const TRIES_PER_JOB = 1_000;

// -- States --------------------------------------------------------------------------------------------------------------

export const STATES: Readonly<Record<Shown, string>> = {
  waiting: 'Waiting',
  queued: 'Queued',
  thinking: 'Thinking',
  streaming: 'Writing',
  retrying: 'Retrying',
  done: 'Done',
  failed: 'Failed',
  cancelled: 'Stopped',
};

/** A time that may grow: seconds, and as on a clock where there are many. */
const lasting = (s: number) => (s < 60 ? `${s} s` : clockTime(s * 1_000));
/** `tries` is how many there may be; 0: nobody said. */
export function retryIn(attempt: number, tries: number, ms: number): string {
  const which = `Try ${tries > 0 ? `${attempt}/${tries}` : attempt}`;
  return ms > 0 ? `${which} in ${lasting(Math.ceil(ms / 1_000))}` : `${which}, as soon as a model is free`;
}
/** The sign of a try that is due: which one, of how many, and when. */
export const retrying = (state: Retrying, now_ms: number) =>
  retryIn((state.attempt % TRIES_PER_JOB) + 1, state.tries_max, state.retry_at_ms - now_ms);
export const thinkingFor = (ms: number) => (ms < 1_000 ? 'Thinking' : `Thinking for ${lasting(Math.floor(ms / 1_000))}`);
/** In full, and short where there is little room. */
export const waitingFor = (headings: readonly string[]) => `Waits for ${headings.map((one) => `‘${one}’`).join(', ')}`;
export const waitingBriefly = (headings: readonly string[]) =>
  headings.length === 1 ? `Waits for ‘${headings[0]}’` : `Waits for ${count(headings.length, 'section')}`;
export const waitingForMoney = (needed: number) => `Waits for budget: its next call may cost ${money(needed)}`;
export function footer(done: Completion, attempts: number): string {
  if (done.by_hand) return 'Written by hand';
  const parts = [done.model || 'model unknown'];
  if (done.cached) parts.push('from the cache');
  if (done.first_token_ms !== null) parts.push(`${seconds(done.first_token_ms)} first token`);
  if (done.duration_ms > 0) parts.push(seconds(done.duration_ms));
  if (done.tokens_out > 0) parts.push(count(done.tokens_out, 'token'));
  parts.push(done.cached ? `${money(done.cost)} saved` : money(done.cost));
  if (attempts > 1) parts.push(count(attempts, 'attempt'));
  return parts.join(' · ');
}

// -- The run -------------------------------------------------------------------------------------------------------------

const PAUSES: Readonly<Record<PauseReason, string>> = {
  stop_asked: 'Stopped',
  last_viewer_left: 'Paused while nobody watched',
  budget_spent: 'Stopped: the budget is spent',
  plan_ready: 'Planned',
};

export function runState(document: Document, isStopping: boolean): string {
  const { run } = document;
  if (isStopping) return 'Stopping…';
  switch (run.type) {
    case 'Running':
      return document.outline.length === 0 ? 'Planning' : 'Writing';
    case 'Paused':
      return PAUSES[run.reason];
    case 'Done':
      return progressNote(document);
    case 'Abandoned':
      return 'Given up';
  }
}

function progressNote(document: Document): string {
  const states = Object.values(document.cells).map((cell) => cell.state.type);
  const part = (type: string, word: string) => {
    const found = states.filter((state) => state === type).length;
    return found === 0 ? '' : `, ${found} ${word}`;
  };
  return `Complete${part('Failed', 'failed')}${part('Cancelled', 'stopped')}`;
}

export const figures = (progress: Progress, cost: number, ms: number) =>
  [progress.all > 0 ? `${progress.done}/${progress.all}` : '', money(cost), clockTime(ms)]
    .filter((part) => part !== '')
    .join(' · ');

export const figuresSpoken = (progress: Progress, cost: number, ms: number) =>
  `${progress.done} of ${count(progress.all, 'part')} written, ${money(cost)}, ${clockTime(ms)} minutes`;

// -- The connection ------------------------------------------------------------------------------------------------------

export function connection(state: Connection, now_ms: number): string {
  switch (state.type) {
    case 'connecting':
      return 'Connecting';
    case 'live':
      return 'Live';
    case 'reconnecting':
      return `Reconnecting, ${Math.max(Math.ceil((state.retry_at_ms - now_ms) / 1_000), 0)} s`;
    case 'caught_up':
      return `Caught up, ${count(state.events, 'event')}`;
    case 'gone':
      return 'Not found';
  }
}

export const panels = { evidence: 'Evidence', prompt: 'Prompt', history: 'History' };

export const page = {
  outline: 'Outline',
  sources: 'Sources',
  evidence: 'Evidence',
  stop: 'Stop',
  stopping: 'Stopping…',
  resume: 'Resume',
  again: 'Write what is missing',
  share: 'Share',
  shareHint: 'Take it away, or share it',
  product: 'Scriptorium',
  keepOn: 'Keep running if I leave',
  keepOnHint: 'It goes on, at low priority, when nobody watches it any more',
  locked: 'Locked',
  lockedHint: 'Its text stays as it is; a rewrite is offered beside it',
  offering: 'A rewrite is being written beside it',
  settings: 'Settings',
  openWhole: 'Open in Scriptorium',
  help: 'Keys',
  close: 'Close',
  home: 'New document',
  untitled: 'Untitled document',
  gone: 'There is no document at this address. It may have been deleted, or the link is not complete.',
  opening: 'Opening the document…',
  readOnly: 'This browser has the link for reading, not the key for changing.',
  reading: 'Read only',
  theme: { system: 'Theme: as the system', light: 'Theme: light', dark: 'Theme: dark' },
  panels: 'What is shown of what is chosen',
  showOutline: 'Show or hide the outline',
  controlRoom: 'Control room',
  showEvidence: 'Show or hide the evidence',
  skip: 'Skip to the document',
  partMissing: 'This part of the page could not be loaded.',
  reload: 'Reload',
};

export const problem = (text: string) => text || 'That did not work.';

/** A citation in the text. */
export const chip = {
  name: (value: number, name: string) => `Citation ${value}: ${name}`,
  unverified: 'not found in source',
  unquoted: 'nothing quoted, nothing checked',
};

/** Why a citation is dotted. */
export const doubt = (quote: string) => (quote === '' ? chip.unquoted : chip.unverified);
