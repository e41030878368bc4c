/** Every word that the control room says, beside the page's own in `messages.ts`. */

import { failure, number, seconds, STATES } from '../messages';
import type { ErrorKind } from '../types';
import type { Shown } from '../view';
import type { Flag } from './flags';
import type { LineKind } from './operations';
import type { TourStep } from './tour';
import { ERRORS } from './tour';
import { attemptName } from './operations';
import type { AttemptEnd, Bar } from './waterfall';
import { pidOf } from './house';

export const words = {
  title: 'Control room',
  skip: 'Skip to the timeline',
  toDocument: 'To the document',
  opening: 'Opening the control room…',
  gone: 'There is no control room here. It needs the document’s key, which the browser has that the document was made in.',
  planning: 'The outline is being planned.',
  graph: 'What depends on what',
  timeline: 'Timeline',
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
  scrub: 'Moment in the document’s log',
  at: (done: number, all: number) => `${number(done)} of ${number(all)} facts`,
  zoom: 'Time shown',
  zooms: { all: 'All', two: '2 min', half: '30 s' },
  notDrawn: (count: number) => `${number(count)} narrower bars are not drawn; look at less time.`,
  filter: 'Filter the log by words',
  filterHint: 'cell, subject, word…',
  pause: 'Pause',
  go: 'Go on',
  held: (count: number) => `${number(count)} since`,
  dropped: (count: number) => `${number(count)} left out: the bus was faster than this page`,
  lines: (count: number) => `${number(count)} lines`,
  kill: 'Kill a writer',
  freeze: 'Freeze a writer',
  thaw: (name: string) => `Thaw ${name}`,
  restart: 'Restart the bus',
  cut: 'Cut this page’s stream',
  noWriter: 'No writer is running just now.',
  reset: 'All dials back',
  byKind: 'By kind',
  stop: 'Stop',
  resume: 'Resume',
  tour: 'Tour',
  closeTour: 'Close the tour',
  demo: 'Start a slow demo to try this on',
  doing: 'Doing…',
  cutDone: 'The stream was cut; it goes on from the last fact that came.',
  legend: {
    wait: 'in the queue',
    attempt: 'attempt',
    call: 'call',
    rest: 'waits for its next try',
    hedge: 'hedge that lost',
    fallback: '⇄ another model',
    lost: 'lost with its writer',
  },
  states: STATES,
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

// -- Counters ------------------------------------------------------------------------------------------------------------

export const counter = {
  stop: 'Time to stop',
  stopValue: (p50: number, p99: number) => `${seconds(p50)} · ${seconds(p99)}`,
  stopPromise: (stops: number) => (stops === 0 ? 'p50 · p99; promised: 250 ms' : `p50 · p99 of ${number(stops)}; promised: 250 ms`),
  after: 'Calls open after a stop',
  afterPromise: 'promised: 0',
  resumes: 'Resumes without loss',
  resumesValue: (right: number, all: number) => `${number(right)} of ${number(all)}`,
  resumesPromise: 'checked against the server’s own fold; promised: all',
  retries: 'Tries that failed',
  retriesValue: (failed: number, attempts: number) => `${number(failed)} of ${number(attempts)}`,
  retriesPromise: (retries: number) => `${number(retries)} tried again, all on the timeline`,
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
  rate('faults', 'Errors, all kinds'),
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
    label: 'Tokens a second',
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
  rate('cut_hard', 'Cut streams'),
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
    watch: 'It strikes calls that begin from now on: some bars turn red and end, a dotted rest follows, and then the next try. The words that were there stay on the page until better ones come.',
    seen: 'A try failed, and another one followed it.',
  },
  kill: {
    title: 'Kill a writer',
    does: 'Kill the busiest writer',
    watch: 'Its bars end hatched: nobody wrote down how. After six seconds its jobs are somebody else’s, with a higher attempt number. The call that was lost stays in the ledger.',
    seen: 'Another writer took over what the dead one had in hand.',
  },
  bus: {
    title: 'Restart the bus',
    does: 'Restart the bus',
    watch: 'The log says BusLost, then BusReturned. Facts were synced to disk before they were acknowledged; the gap in the ink is sent again. Then this page compares its fold with the server’s.',
    seen: 'The bus went and came back.',
  },
  stop: {
    title: 'Stop',
    does: 'Stop the document',
    watch: 'One command, one fact, DocumentPaused, and then a receipt from every writer: when the stop was asked for and when the model’s socket was closed. See ‘Time to stop’.',
    seen: 'It was stopped, and the receipts came.',
  },
  resume: {
    title: 'Resume',
    does: 'Resume the document',
    watch: 'What is finished stays. What was cut off is queued again, under a new job; a late word of an old attempt changes nothing.',
    seen: 'It goes on with what was cut off.',
  },
  tab: {
    title: 'Close the tab',
    does: 'Open the document in a tab of its own',
    watch: 'Open the document, then close its tab: this page is no viewer. LastViewerLeft comes at once, and no new cell begins. Open it again within ten seconds and nothing is cancelled; wait, and it pauses.',
    seen: 'The last viewer left, and the log says what followed.',
  },
};

export const tour = {
  step: (number_: number, all: number) => `Step ${number_} of ${all}`,
  watch: 'Watch: ',
  waiting: 'Not seen yet',
  back: 'Back',
  next: 'Next',
  end: 'Done',
  over: 'This document is not being written. Start another to go on.',
};
