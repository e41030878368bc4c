/** Every word that the page says, in one place. Numbers, money and times are set by `Intl`. */

import type { Connection } from './stream';
import type { Completion, Document, ErrorKind, Passage, PauseReason, Retrying, StopReceipt } from './types';
import type { Progress, Shown } from './view';

const LANGUAGE = 'en';
/** An attempt's number is its job's and its own within it: `schemas/attempts.py`. */
const TRIES_PER_JOB = 1_000;
const whole = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(LANGUAGE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const dollars = new Intl.NumberFormat(LANGUAGE, { style: 'currency', currency: 'USD', minimumFractionDigits: 2 });
const mills = new Intl.NumberFormat(LANGUAGE, {
  style: 'currency',
  currency: 'USD',
  minimumFractionDigits: 3,
  maximumFractionDigits: 3,
});
const plurals = new Intl.PluralRules(LANGUAGE);

export const number = (value: number) => whole.format(value);
const count = (value: number, one: string, many = `${one}s`) =>
  `${whole.format(value)} ${plurals.select(value) === 'one' ? one : many}`;
export const money = (value: number) => (value === 0 || value >= 1 ? dollars : mills).format(value);
export const seconds = (ms: number) => (ms < 950 ? `${whole.format(ms)} ms` : `${tenths.format(ms / 1_000)} s`);
const two = (value: number) => String(value).padStart(2, '0');

/** `00:23`, or `1:02:03` from an hour on. */
export function clockTime(ms: number): string {
  const all = Math.floor(ms / 1_000);
  const hours = Math.floor(all / 3_600);
  const rest = `${two(Math.floor(all / 60) % 60)}:${two(all % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

export function size(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${whole.format(bytes / 1_000)} kB` : `${tenths.format(bytes / 1_000_000)} MB`;
}

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

// -- Screens -------------------------------------------------------------------------------------------------------------

export const first = {
  name: 'Scriptorium',
  promise: 'Say what you need and give it your sources. A cited document is written while you watch.',
  brief: 'What shall be written?',
  briefHint: 'For example: a briefing on how the service handles failures, for somebody who joins the team tomorrow.',
  sources: 'Sources',
  sourcesHint: 'Drop files here, or',
  choose: 'choose files',
  paste: 'paste text',
  kinds: 'Text, Markdown, HTML and PDF, up to 32 MB each. Every claim will lead back to them.',
  pasted: 'Pasted text',
  pasteName: 'Name of the source',
  pasteText: 'Text of the source',
  add: 'Add',
  cancel: 'Cancel',
  remove: (name: string) => `Remove ${name}`,
  uploading: 'reading…',
  outline: 'Outline (optional)',
  outlineHint: 'One heading a line; after a colon, what to write. Without any, the outline is planned for you.',
  outlineExample: 'How it works: the path of one request\nWhat can fail: and what happens then\nSummary',
  sumUp: 'The last section sums up the others',
  keep: 'Keep writing if I close the page',
  start: 'Write it',
  starting: 'Starting…',
  demo: 'Try the demo, no key needed',
  demoFacts: (sections: number, sources: number) =>
    `${count(sections, 'section')} from ${count(sources, 'source')}`,
  noBrief: 'Say in a few words what shall be written.',
};

export const panels = { evidence: 'Evidence', prompt: 'Prompt' };

export const tools = {
  of: (heading: string) => `What can be done with ‘${heading}’`,
  prompt: 'Prompt',
  copy: 'Copy',
  copied: 'Copied',
};

export const ledger = {
  title: 'What it came to',
  spent: 'Spent',
  estimated: 'of it estimated',
  cached: 'Saved by the cache',
  stopped: 'Saved by stops',
  lost: 'Lost to retries and races',
  calls: 'Calls',
  budget: 'Budget',
  tokens: (tokens: number) => count(tokens, 'token'),
  callsMade: (made: number, failed: number, cancelled: number, lost: number) =>
    [
      whole.format(made),
      failed > 0 ? `${whole.format(failed)} failed` : '',
      cancelled > 0 ? `${whole.format(cancelled)} stopped` : '',
      lost > 0 ? `${whole.format(lost)} lost a race` : '',
    ]
      .filter((part) => part !== '')
      .join(', '),
};

export const take = {
  title: 'Take it away, or share it',
  formats: { md: 'Markdown', html: 'Web page, self-contained', docx: 'Word (DOCX)', csv: 'Table (CSV)', json: 'Data (JSON)' },
  print: 'Print, or save as PDF',
  link: 'Copy the link for reading',
  embed: 'Copy the code to embed it, live',
  copied: 'Copied to the clipboard',
};

export const prompt = {
  none: 'Choose a section or a cell to see what its model is asked.',
  model: 'Model',
  models: { wanted: 'as the document says', configured: 'as configured' },
  instructions: 'Instructions',
  noInstructions: 'None beyond the heading and the brief.',
  brief: 'Brief of the document',
  question: 'Question',
  sources: 'Passages are chosen from',
  noSources: 'No sources: nothing can be cited.',
  dependsOn: 'With the finished text of',
  revision: 'Revision',
  revisionFacts: (revision: number, attempts: number) => `${whole.format(revision)}, ${count(attempts, 'attempt')}`,
  digest: 'Digest of all that',
};

export const palette = {
  title: 'Find anything, do anything',
  placeholder: 'A section, a source, or what to do…',
  none: 'Nothing is called that.',
  goTo: 'Section',
  source: 'Source',
  action: 'Do',
};

export const page = {
  outline: 'Outline',
  sources: 'Sources',
  evidence: 'Evidence',
  stop: 'Stop',
  stopping: 'Stopping…',
  resume: 'Resume',
  again: 'Try failed parts again',
  share: 'Share',
  download: 'Download',
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

export const table = {
  noRows: 'Each source becomes a row. There are none yet.',
  menu: (heading: string) => `Column ‘${heading}’`,
  question: 'Question',
  format: 'Answer',
  progress: 'Filled in',
  formats: { text: 'Text', number: 'A number', yes_no: 'Yes or no', date: 'A date', one_of: 'One of' },
  done: (done: number, all: number) => `${whole.format(done)} of ${whole.format(all)}`,
};

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

export const keys: readonly (readonly [string, string])[] = [
  ['j  k', 'Next, previous section'],
  ['.', 'Stop, or go on'],
  ['[', 'Outline'],
  [']', 'Evidence'],
  ['Esc', 'Close what is open'],
  ['Ctrl-K', 'Find anything, do anything'],
  ['?', 'These keys'],
];

export const spoken = {
  sectionDone: (heading: string, progress: Progress) => `${heading} is done, ${progress.done} of ${progress.all}.`,
  sectionFailed: (heading: string) => `${heading} failed.`,
  complete: 'The document is complete.',
  stopped: 'Stopped.',
  planned: (sections: number) => `The outline is planned: ${count(sections, 'section')}.`,
};

export const problem = (text: string) => text || 'That did not work.';
