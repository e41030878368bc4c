/** Every word that the control room says, beside the page's own in `messages.ts`. */

import { failure, number, seconds, STATES } from '../messages';
import type { ErrorKind } from '../types';
import type { Shown } from '../view';
import type { Action } from './api';
import type { Flag } from './flags';
import type { LineKind } from './operations';
import type { TourStep } from './tour';
import { CELLS_TO_KNOW, ERRORS } from './tour';
import { attemptName } from './operations';
import type { AttemptEnd, Bar, RowsShown } from './waterfall';
import { pidOf, type Process } from './house';
import type { Asked } from './room.svelte';

export const words = {
  title: 'Control room',
  skip: 'Skip to the timeline',
  toDocument: 'To the document',
  opening: 'Opening the control room…',
  gone: 'There is no control room here. It needs the document’s key, which the browser has that the document was made in.',
  planning: 'The outline is being planned.',
  graph: 'What depends on what',
  timeline: 'Timeline',
  flags: 'Flags',
  inspector: 'Inspector',
  log: 'The bus, as it happens',
  dials: 'Dials of the simulated model',
  house: 'What can be broken',
  counters: 'Promises, and how they are kept',
  noDemo: 'Dials, and what kills, are there only where `scriptorium up` runs in demo mode.',
  hint: 'Choose a bar, a section or a line of the log to see the event as it was on the bus.',
  event: 'Event',
  documentThen: 'Document',
  nothingYet: 'Nothing written yet.',
  live: 'Live',
  play: 'Replay',
  pausePlay: 'Hold',
  speed: 'Speed of the replay',
  speeds: { whole: 'All in 12 s', '1': 'As it was', '4': '4 × as fast', '16': '16 × as fast' },
  scrub: 'Moment in the document’s log',
  at: (done: number, all: number) => `${number(done)} of ${number(all)} facts`,
  zoom: 'Time shown',
  zooms: { all: 'All', two: '2 min', half: '30 s' },
  rows: 'Rows shown',
  rowsShown: { all: 'All rows', running: 'Being written', detours: 'Detours' } satisfies Record<RowsShown, string>,
  noRows: { all: 'Nothing was queued yet.', running: 'Nothing is being written just now.', detours: 'All went straight so far: no failure, fallback, hedge or stop.' } satisfies Record<
    RowsShown,
    string
  >,
  outline: 'Outline',
  cellOfTable: (source: string, question: string) => `${source.replace(/\.\w{1,5}$/, '')} · ${question}`,
  notDrawn: (count: number) => `${number(count)} narrower bars are not drawn; look at less time.`,
  filter: 'Filter the log by words',
  filterHint: 'cell, subject, word…',
  pause: 'Pause',
  go: 'Go on',
  held: (count: number) => `${number(count)} since`,
  dropped: (count: number) => `${number(count)} left out: the bus was faster than this page`,
  lines: (count: number) => `${number(count)} lines`,
  processes: 'Processes',
  processesOf: 'What `scriptorium up` keeps running',
  inHandHint: 'Cells of this document that it is writing',
  actOn: { kill: 'Kill', freeze: 'Freeze', thaw: 'Thaw', restart: 'Restart' } satisfies Record<Action, string>,
  yes: { kill: 'Yes, kill it', freeze: 'Yes, freeze it', thaw: 'Yes, thaw it', restart: 'Yes, restart it' } satisfies Record<Action, string>,
  no: 'No',
  asOnBus: 'As on the bus',
  indent: 'Indented',
  layout: 'How the JSON is laid out',
  copy: 'Copy',
  copied: 'Copied',
  subject: 'subject',
  sequence: 'sequence',
  time: 'time',
  kill: 'Kill a writer',
  freeze: 'Freeze a writer',
  thaw: (name: string) => `Thaw ${name}`,
  restart: 'Restart the bus',
  cut: 'Cut the stream',
  noWriter: 'No writer is running just now.',
  reset: 'Reset',
  resetHint: 'All dials back to what is configured',
  cutHint: 'Drops this page’s own connection, as a bad network would',
  byKind: 'By kind',
  noDemos: 'There is no demo to start here.',
  noSource: 'This document has no source to change.',
  sourceChanged: (name: string) => `${name} has one more paragraph.`,
  oneMoreParagraph: (at: Date) =>
    `A reader added this paragraph at ${at.toISOString()}. Whatever was written from this source is not up to date any more, and nothing else is touched.`,
  stop: 'Stop',
  resume: 'Resume',
  tour: 'Tour',
  closeTour: 'Close the tour',
  demo: 'Start a slow demo to try this on',
  doing: 'Doing…',
  cutDone: 'The stream was cut; it goes on from the last fact that came.',
  legend: {
    wait: 'queued',
    attempt: 'attempt',
    call: 'call',
    rest: 'rests',
    lost: 'lost',
    hedge: 'hedge that lost',
    fallback: '⇄ fallback',
  },
};

/** Of states, where there are only letters to draw with. */
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

export const KINDS: Readonly<Record<LineKind, string>> = {
  fact: 'Facts',
  command: 'Commands',
  job: 'Jobs',
  dead: 'Dead jobs',
  note: 'Notes',
  ink: 'Ink',
  sample: 'Samples',
};

export const PROCESS_STATES: Readonly<Record<Process['state'], { sign: string; word: string }>> = {
  running: { sign: '●', word: 'Running' },
  resting: { sign: '◌', word: 'Rests before its next start' },
  frozen: { sign: '❄', word: 'Frozen' },
  restarting: { sign: '↺', word: 'Restarting' },
  ending: { sign: '■', word: 'Ending' },
  over: { sign: '✕', word: 'Over' },
};

export const inHandWords = (cells: number) => (cells === 1 ? '1 cell' : `${number(cells)} cells`);

/** What a drastic thing would mean, before it is done. */
export function askWords({ action, process, cells }: Asked): string {
  const held = cells === 0 ? 'It has no cell of this document in hand.' : `It has ${inHandWords(cells)} of this document in hand.`;
  switch (action) {
    case 'kill':
      return `Kill ${process.name}, process ${process.pid}, with SIGKILL? ${held} It is started again by itself.`;
    case 'freeze':
      return `Freeze ${process.name} for up to 20 s? ${held}`;
    case 'restart':
      return process.name === 'nats-server'
        ? 'Restart the bus? Every service loses its connection for a moment, and ink that is not dry is lost with the server’s memory.'
        : `Restart ${process.name}? ${held}`;
    case 'thaw':
      return `Thaw ${process.name}?`;
  }
}

// -- Counters ------------------------------------------------------------------------------------------------------------

export const counter = {
  stop: 'Time to stop',
  stopValue: (p50: number, p99: number) => `${seconds(p50)} · ${seconds(p99)}`,
  stopPromise: (stops: number) => (stops === 0 ? 'p50 · p99; promised: 250 ms' : `p50 · p99 of ${number(stops)} receipts; promised: 250 ms`),
  after: 'Calls open after a stop',
  afterPromise: 'promised: 0',
  resumes: 'Resumes without loss',
  resumesValue: (right: number, all: number) => `${number(right)} of ${number(all)}`,
  resumesPromise: 'by the server’s own fold; promised: all',
  retries: 'Tries that failed',
  retriesValue: (failed: number, attempts: number) => `${number(failed)} of ${number(attempts)}`,
  retriesPromise: (retries: number) => `${number(retries)} were tried again`,
  detours: 'Fallbacks · hedges',
  detoursValue: (fallbacks: number, hedges: number) => `${number(fallbacks)} · ${number(hedges)}`,
  detoursPromise: 'every one is in the log',
  flight: 'Calls open now',
  flightValue: (open: number, limit: number) => (limit > 0 ? `${number(open)} of ${number(limit)}` : number(open)),
  flightPromise: (waiting: number, breakers: number) =>
    `${number(waiting)} jobs waiting${breakers > 0 ? `; ${number(breakers)} breakers open` : ''}`,
  none: '–',
  curve: 'Calls open, over the last minutes',
};

// -- Dials ---------------------------------------------------------------------------------------------------------------

export interface DialShown {
  dial: string;
  label: string;
  min: number;
  max: number;
  step: number;
  /** From the slider's value to the dials that it turns. */
  turns: (value: number) => Record<string, number | null>;
  /** From what the simulator says to the slider's value. */
  reads: (dials: Readonly<Record<string, unknown>>) => number;
  says: (value: number) => string;
}

const percent = (value: number) => `${number(value)} %`;
const rate = (dial: string, label: string): DialShown => ({
  dial,
  label,
  min: 0,
  max: 100,
  step: 5,
  turns: (value) => ({ [dial]: value / 100 }),
  reads: (dials) => Math.round(Number(dials[dial] ?? 0) * 100),
  says: percent,
});

/** p99 follows its median: a slow model is slow for everybody, not only in its tail. */
const TAIL = 4;

export const DIALS: readonly DialShown[] = [
  rate('faults', 'Errors'),
  {
    dial: 'first_token_ms',
    label: 'First token',
    min: 50,
    max: 5_000,
    step: 50,
    turns: (value) => ({ first_token_ms: value, first_token_p99_ms: value * TAIL }),
    reads: (dials) => Number(dials['first_token_ms'] ?? 350),
    says: (value) => seconds(value),
  },
  {
    dial: 'token_interval_ms',
    label: 'Tokens / s',
    min: 2,
    max: 100,
    step: 1,
    turns: (value) => ({ token_interval_ms: 1_000 / value, token_interval_p99_ms: (1_000 / value) * TAIL }),
    reads: (dials) => Math.round(1_000 / Math.max(Number(dials['token_interval_ms'] ?? 15), 1)),
    says: (value) => number(value),
  },
  rate('stall', 'Stalls'),
];

export const DIALS_BY_KIND: readonly DialShown[] = [
  rate('error_429_seconds', '429, with Retry-After'),
  rate('error_500', '500'),
  rate('error_503', '503'),
  rate('error_529', '529, overloaded'),
  rate('error_in_stream', 'Error amid the stream'),
  rate('cut_clean', 'Ends without a reason'),
  rate('cut_hard', 'Connection reset'),
  rate('stall_pings', 'Stalls, with pings'),
  rate('endless', 'Never halts'),
  rate('malformed', 'Malformed answers'),
  rate('refusal', 'Refusals'),
];

// -- Flags, bars ---------------------------------------------------------------------------------------------------------

export function flagWords({ what }: Flag): string {
  switch (what.type) {
    case 'DialsTurned': {
      const turned = Object.entries(what.dials).map(([name, value]) => `${name} = ${value === null ? 'back' : String(value)}`);
      return `Dials: ${turned.length > 0 ? turned.join(', ') : 'all back'}`;
    }
    case 'ProcessKilled':
      return `${what.process} killed`;
    case 'ProcessFrozen':
      return `${what.process} frozen`;
    case 'ProcessThawed':
      return `${what.process} thawed`;
    case 'ProcessTerminated':
      return `${what.process} restarted`;
    case 'BusLost':
      return 'Bus lost';
    case 'BusReturned':
      return `Bus back after ${seconds(what.away_ms)}`;
    case 'DocumentPaused':
      return what.reason === 'last_viewer_left' ? 'Paused: the last viewer left' : 'Stopped';
    case 'CellStopped':
      return `${what.cell} stopped`;
    case 'DocumentResumed':
      return 'Resumed';
    case 'LastViewerLeft':
      return 'Last viewer left';
    case 'ViewerReturned':
      return 'A viewer returned';
    default:
      return what.type;
  }
}

const ENDS: Readonly<Record<AttemptEnd, string>> = {
  running: 'running',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  lost: 'lost with its writer',
};

/** A bar in one sentence, for its tooltip and for who listens. */
export function barWords(bar: Bar, heading: string, now_ms: number): string {
  const lasted = seconds(Math.max((bar.to_ms ?? now_ms) - bar.from_ms, 0));
  switch (bar.kind) {
    case 'wait':
      return `${heading}: in the queue for ${lasted}`;
    case 'rest':
      return `${heading}: waits ${lasted} for its next try`;
    case 'attempt': {
      const from = bar.fellBackFrom === '' ? '' : `, instead of ${bar.fellBackFrom}`;
      const why = bar.why in STATES || bar.why === '' ? '' : `: ${reason(bar.why)}`;
      const writer = pidOf(bar.writer) === 0 ? bar.writer : `writer with pid ${pidOf(bar.writer)}`;
      return `${heading}: attempt ${attemptName(bar.attempt)} by ${bar.model}${from}, ${writer}, ${lasted}, ${ENDS[bar.end]}${why}`;
    }
    case 'call':
      return `${heading}: call ${bar.call}${bar.call > 1 ? ', a hedge,' : ''} to ${bar.model}, ${lasted}, ${bar.outcome.replace('_', ' ')}`;
  }
}

const reason = (why: string): string => (failure(why as ErrorKind) ?? why.replaceAll('_', ' ')).toLowerCase();

// -- The tour ------------------------------------------------------------------------------------------------------------

export interface StepWords {
  title: string;
  does: string;
  watch: string;
  seen: string;
}

export const TOUR_WORDS: Readonly<Record<TourStep, StepWords>> = {
  errors: {
    title: `Turn errors to ${percent(ERRORS * 100)}`,
    does: 'Turn them up, and start a slow demo',
    watch: 'Errors strike calls that begin from now on: some bars turn red and end, a dotted rest follows, and then the next try. The words that were there stay on the page until better ones come.',
    seen: 'A try failed, and another one followed it.',
  },
  kill: {
    title: 'Kill a writer',
    does: 'Kill the busiest writer',
    watch: 'Its bars end hatched: nobody wrote down how. When its jobs have been silent for long enough they are somebody else’s, with a higher attempt number. The calls that were lost stay in the ledger.',
    seen: 'Another writer took over what the dead one had in hand.',
  },
  tab: {
    title: 'Close the tab',
    does: 'Open the document in a tab of its own',
    watch: 'Now close every tab of the document: this page is no viewer. LastViewerLeft comes at once, and no new cell begins. Open it again within ten seconds and nothing is cancelled; wait, and every call is closed, with a receipt: see ‘Time to stop’ and ‘Calls open now’.',
    seen: 'The last viewer left, and the log says what followed.',
  },
  hedge: {
    title: 'Slow model → hedge',
    does: `Start a table, and slow the model down`,
    watch: `After ${CELLS_TO_KNOW} of a hundred cells ‘First token’ turns by itself, and its tail grows long. A call that is silent beyond its model’s own p95 gets a second one beside it: the first to speak wins, the other’s bar is hatched. A model that is slow altogether is left for the next one (⇄).`,
    seen: 'A hedge raced a late call, and the loser’s socket was closed.',
  },
  edit: {
    title: 'Edit a source → only dependents',
    does: 'Add a paragraph to the last source',
    watch: 'Only the rows of that source queue again, and what sums them up; every other bar stays where it is. Where the open document has no table, this starts one first.',
    seen: 'Only what depends on the source was written anew.',
  },
  replay: {
    title: 'Replay',
    does: 'Replay it from its first fact',
    watch: 'Graph, timeline and document go back to the first fact and run up to now, folded from the same log that you see below. The server would answer the same for each moment: GET ?at=.',
    seen: 'The log was played from its beginning up to now.',
  },
};

export const tour = {
  step: (number_: number, all: number) => `Step ${number_} of ${all}`,
  watch: 'Watch: ',
  waiting: 'Not seen yet',
  wasSeen: 'Seen: ',
  back: 'Back',
  next: 'Next',
  end: 'Done',
  over: 'This document is not being written. Start another to go on.',
  all: 'All six were seen.',
};
