/** Every word that the page says, in one place: here what is said at once, in `messages-later.ts` the rest. */

import { clockTime, count, money, seconds } from './intl';
import type { Connection } from './stream';
import type { Progress, Shown } from './view';
import type { Completion, Document, ErrorKind, Passage, PauseReason, Reason, Retrying, StopReceipt } from './types';

export * from './intl';
export * from './messages-later';

/** An attempt's number is its job's and its own within it: `schemas/attempts.py`. */
const TRIES_PER_JOB = 1_000;

// -- States --------------------------------------------------------------------------------------------------------------

export const SIGNS: Readonly<Record<Shown, string>> = {
  waiting: '○',
  queued: '○',
  thinking: '⋯',
  streaming: '▍',
  retrying: '↻',
  done: '✓',
  failed: '!',
  cancelled: '■',
};

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

const FAILURES: Readonly<Record<ErrorKind, string>> = {
  rate_limited: 'The model asked us to slow down',
  overloaded: 'The model is overloaded',
  server_error: 'The model’s server had an error',
  connection: 'The model could not be reached',
  cut: 'The answer was cut off',
  stalled: 'The model fell silent',
  slow_start: 'The model did not begin in time',
  garbled: 'The answer could not be read',
  refused: 'The model declined to answer',
  bad_answer: 'The answer did not have the form that was asked for',
  repetition: 'The model began to repeat itself',
  too_long: 'The text grew longer than it may',
  context_length: 'The sources are too long for this model',
  unauthorized: 'The model’s key was not accepted',
  bad_request: 'The model did not accept the request',
  model_unknown: 'There is no such model',
  deadline: 'The time for this document is used up',
  budget: 'The budget for this document is used up',
  poison: 'Writing it failed every time',
  no_model: 'No model is available',
  bad_source: 'The source cannot be read',
  bad_outline: 'The outline cannot be written',
};

export const failure = (kind: ErrorKind) => FAILURES[kind];
/** `tries` is how many there may be; 0: nobody said. */
export function retryIn(attempt: number, tries: number, ms: number): string {
  const which = `Try ${tries > 0 ? `${attempt}/${tries}` : attempt}`;
  return ms > 0 ? `${which} in ${Math.ceil(ms / 1_000)} s` : `${which} is about to begin`;
}
/** The sign of a try that is due: which one, of how many, and when. */
export const retrying = (state: Retrying, now_ms: number) =>
  retryIn((state.attempt % TRIES_PER_JOB) + 1, state.tries_max, state.retry_at_ms - now_ms);
export const thinkingFor = (ms: number) => (ms < 1_000 ? 'Thinking' : `Thinking for ${Math.floor(ms / 1_000)} s`);
export const fellBack = (from: string, to: string) => `Fell back: ${from} ⇄ ${to}`;
/** In full, and short where there is little room. */
export const waitingFor = (headings: readonly string[]) => `Waits for ${headings.map((one) => `‘${one}’`).join(', ')}`;
export const waitingBriefly = (headings: readonly string[]) =>
  headings.length === 1 ? `Waits for ‘${headings[0]}’` : `Waits for ${count(headings.length, 'section')}`;
export const waitingForMoney = (needed: number) => `Waits for money: its next call may cost ${money(needed)}`;
export const cutShort = (kind: ErrorKind) => `Ends early: ${FAILURES[kind].toLowerCase()}.`;
export const keptText = 'What had been written is kept above.';

export function footer(done: Completion, attempts: number): string {
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
  const failed = Object.values(document.cells).filter((cell) => cell.state.type === 'Failed').length;
  return failed === 0 ? 'Complete' : `Complete, ${failed} failed`;
}

export const figures = (progress: Progress, cost: number, ms: number) =>
  [progress.all > 0 ? `${progress.done}/${progress.all}` : '', money(cost), clockTime(ms)]
    .filter((part) => part !== '')
    .join(' · ');

export const figuresSpoken = (progress: Progress, cost: number, ms: number) =>
  `${progress.done} of ${count(progress.all, 'part')} written, ${money(cost)}, ${clockTime(ms)} minutes`;

export function receipt(stop: StopReceipt): string {
  if (stop.attempts === 0) return 'Stop asked; the writers are closing their connections.';
  const saved = stop.tokens_saved > 0 ? `, about ${count(stop.tokens_saved, 'token')} not spent` : '';
  return `${count(stop.calls_closed, 'call')} closed in ${seconds(stop.closed_at_ms - stop.asked_at_ms)}${saved}`;
}

export const nothingRan = 'Nothing was running when it was stopped.';

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

/** What changed, that a text is not up to date: ‘source 3’, ‘the brief’. */
function changed({ kind, what }: Reason, document: Document): string {
  const [section = '', column] = what.split(':');
  const heading = document.outline.find((one) => one.id === section)?.heading ?? section;
  const source = Object.hasOwn(document.sources, what) ? (document.sources[what]?.given.name ?? what) : what;
  switch (kind) {
    case 'brief':
      return 'the brief changed';
    case 'model':
      return 'the model changed';
    case 'heading':
      return 'its heading changed';
    case 'instructions':
      return 'its instructions changed';
    case 'depends_on':
      return 'what it is written from changed';
    case 'column':
      return `the question ‘${column ?? what}’ changed`;
    case 'source_added':
      return `source ‘${source}’ was added`;
    case 'source_replaced':
      return `source ‘${source}’ changed`;
    case 'source_removed':
      return `a source was removed`;
    case 'section':
      return `‘${heading}’ changed`;
    case 'rewrite':
      return 'a rewrite was asked for';
    case 'unlocked':
      return 'it was unlocked';
    case 'new':
      return 'it is new';
    case 'inputs':
      return 'what it is written from changed';
  }
}

export const staleBecause = (reasons: readonly Reason[], document: Document) =>
  `Not up to date: ${[...new Set(reasons.map((reason) => changed(reason, document)))].join(', ')}`;

export const page = {
  outline: 'Outline',
  sources: 'Sources',
  evidence: 'Evidence',
  stop: 'Stop',
  stopping: 'Stopping…',
  resume: 'Resume',
  again: 'Try failed parts again',
  add: 'Add',
  addSource: 'Add a source',
  sourceMenu: (name: string) => `What can be done with source ‘${name}’`,
  share: 'Share',
  shareHint: 'Take it away, or share it',
  product: 'Scriptorium',
  keepOn: 'Keep running if I leave',
  keepOnNot: 'Pause when I leave',
  keepOnHint: 'It goes on, at low priority, when nobody watches it any more',
  notUpToDate: 'Not up to date',
  updateOne: 'Update',
  locked: 'Locked',
  lockedHint: 'Its text stays as it is; a rewrite is offered beside it',
  offering: 'A rewrite is being written beside it',
  download: 'Download',
  settings: 'Settings',
  openWhole: 'Open in Scriptorium',
  nextTheme: 'Another theme: system, light, dark',
  help: 'Keys',
  jump: 'Jump to live',
  close: 'Close',
  home: 'New document',
  untitled: 'Untitled document',
  readingSources: (read: number, all: number) => `Reading sources, ${read} of ${all}`,
  planning: 'Planning the outline',
  leaving: 'Nobody seems to watch; it will pause soon.',
  gone: 'There is no document at this address. It may have been deleted, or the link is not complete.',
  opening: 'Opening the document…',
  readOnly: 'This browser has the link for reading, not the key for changing.',
  emptyCell: '–',
  columnSource: 'Source',
  copied: 'Copied',
  theme: { system: 'Theme: as the system', light: 'Theme: light', dark: 'Theme: dark' },
  panels: 'What is shown of what is chosen',
  showOutline: 'Show or hide the outline',
  controlRoom: 'Control room',
  showEvidence: 'Show or hide the evidence',
  skip: 'Skip to the document',
  partMissing: 'This part of the page could not be loaded.',
  reload: 'Reload',
};

export const spoken = {
  sectionDone: (heading: string, progress: Progress) => `${heading} is done, ${progress.done} of ${progress.all}.`,
  sectionFailed: (heading: string) => `${heading} failed.`,
  complete: 'The document is complete.',
  stopped: 'Stopped.',
  planned: (sections: number) => `The outline is planned: ${count(sections, 'section')}.`,
};

export const problem = (text: string) => text || 'That did not work.';

export const evidence = {
  hint: 'Choose a citation in the text to see where it stands in its source, or a source to see what was drawn from it.',
  reading: 'Being read…',
  failed: 'Could not be read: ',
  unavailable: 'The passages cannot be shown just now.',
  passages: (passages: number, pages: number) =>
    pages > 0 ? `${count(passages, 'passage')}, ${count(pages, 'page')}` : count(passages, 'passage'),
  page: (value: number) => `page ${value}`,
  passage: (value: number) => `passage ${value}`,
  where: ({ number: value, page: on, heading }: Passage) =>
    [on === null ? `passage ${value}` : `passage ${value}, page ${on}`, heading].filter((part) => part !== '').join(' · '),
  usedBy: (claims: number) => `Used by ${count(claims, 'claim')}`,
  unused: 'Not used',
  onlyUsed: 'Only what is used',
  unverified: 'not found in source',
  unquoted: 'nothing quoted, nothing checked',
  pending: 'not checked yet',
  noneUsed: 'Nothing in the document cites this source yet.',
  citation: (value: number, name: string) => `Citation ${value}: ${name}`,
  source: 'Source',
};

/** Why a citation is dotted. */
export const doubt = (quote: string) => (quote === '' ? evidence.unquoted : evidence.unverified);

export const tools = {
  of: (heading: string) => `What can be done with ‘${heading}’`,
  edit: 'Edit',
  rewrite: 'Rewrite',
  lock: 'Lock',
  unlock: 'Unlock',
  prompt: 'Prompt',
  copy: 'Copy',
  copied: 'Copied',
};
