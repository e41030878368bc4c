/** What a control room hears: the twins of `schemas/operations.py` and `schemas/samples.py`, as far as they are shown. Pure. */

import type { Fact, TextAppended } from '../types';

export type OperationKind = 'fact' | 'ink' | 'command' | 'job' | 'dead' | 'sample';
/** As the log sorts them: a note is a sample that says what happened, not how things are once a second. */
export type LineKind = OperationKind | 'note';
export const LINE_KINDS: readonly LineKind[] = ['fact', 'command', 'job', 'dead', 'note', 'ink', 'sample'];

interface SampleBase<Type extends string> {
  type: Type;
  at_ms: number;
}

export interface Queue {
  name: string;
  waiting: number;
  taken: number;
  redelivered: number;
}

export interface ModelSample {
  model: string;
  in_flight: number;
  waiting: number;
  limit: number;
  breaker: 'closed' | 'open' | 'half_open';
  first_token_p50_ms: number | null;
  first_token_p95_ms: number | null;
  retries: number;
  hedges: number;
  hedges_won: number;
}

export interface CallerSampled extends SampleBase<'CallerSampled'> {
  name: string;
  service: string;
  jobs: number;
  slots: number;
  models: readonly ModelSample[];
}

type ProcessSample<Type extends string> = SampleBase<Type> & { process: string; pid: number };

export type Note =
  | SampleBase<'BusLost'>
  | (SampleBase<'BusReturned'> & { away_ms: number })
  | (SampleBase<'DialsTurned'> & { model: string; dials: Readonly<Record<string, DialValue>>; reset: boolean })
  | ProcessSample<'ProcessStarted'>
  | (ProcessSample<'ProcessDied'> & { code: number })
  | ProcessSample<'ProcessKilled'>
  | ProcessSample<'ProcessTerminated'>
  | ProcessSample<'ProcessFrozen'>
  | ProcessSample<'ProcessThawed'>;

export type DialValue = string | number | boolean | null;
export type Sample = Note | CallerSampled | (SampleBase<'QueuesSampled'> & { queues: readonly Queue[] });

/** Any other event: commands, jobs, and what a later version says. */
export interface Unknown {
  type: string;
}

export interface Operation {
  kind: OperationKind;
  subject: string;
  at_ms: number;
  sequence: number;
  event: Fact | TextAppended | Sample | Unknown;
}

/** One line of the log. `json` is the event as it was on the bus. */
export interface Line extends Operation {
  number: number;
  shown: LineKind;
  json: string;
}

const EVENT = '"event":';
const ROUTINE = new Set(['QueuesSampled', 'CallerSampled']);

export function lineOf(data: string, number: number): Line {
  const operation = JSON.parse(data) as Operation;
  const isNote = operation.kind === 'sample' && !ROUTINE.has(operation.event.type);
  const json = data.slice(data.indexOf(EVENT) + EVENT.length, -1);
  return { ...operation, number, json, shown: isNote ? 'note' : operation.kind };
}

export const isFact = (line: Line): line is Line & { event: Fact } => line.kind === 'fact';
export const isNote = (line: Line): line is Line & { event: Note } => line.shown === 'note';

/** What one looks for in a line: the fields that name things, in a few words. */
export function gist(line: Line): string {
  const event = line.event as unknown as Readonly<Record<string, unknown>>;
  const said = ['cell', 'source', 'process', 'model', 'writer', 'kind', 'reason', 'outcome', 'name', 'pid']
    .map((field) => event[field])
    .filter((value) => typeof value === 'string' || typeof value === 'number')
    .map(String);
  if (typeof event['attempt'] === 'number') said.splice(1, 0, `attempt ${attemptName(event['attempt'])}`);
  if (event['type'] === 'DialsTurned') said.push(JSON.stringify(event['dials']));
  if (event['type'] === 'TextAppended') said.push(JSON.stringify(event['text']));
  if (Array.isArray(event['cells'])) said.push(`${event['cells'].length} cells`);
  return said.filter((word) => word !== '').join(' · ');
}

/** The cell that a line is about; null where it is about none, or about several. */
export function cellIn(line: Line): string | null {
  const { cell } = line.event as { cell?: unknown };
  return typeof cell === 'string' ? cell : null;
}

/** `job.delivery.try`, as `schemas/attempts.py` makes it: 1002003 is try 3 of delivery 2 of job 1. */
export function attemptName(attempt: number): string {
  return [Math.floor(attempt / 1_000_000), Math.floor(attempt / 1_000) % 1_000, attempt % 1_000].join('.');
}

/** JSON with line breaks and indents put between its tokens; the tokens stay as they are, to the letter. */
export function indented(json: string): string {
  let said = '';
  let depth = 0;
  const newLine = () => `\n${'  '.repeat(depth)}`;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g)) {
    const isOpening = token === '{' || token === '[';
    const isClosing = token === '}' || token === ']';
    if (isClosing) depth--;
    const last = said.at(-1);
    if (isClosing ? last !== '{' && last !== '[' : last === '{' || last === '[' || last === ',') said += newLine();
    said += token === ':' ? ': ' : token;
    if (isOpening) depth++;
  }
  return said;
}

/** The newest lines; the oldest go. */
export class Lines {
  readonly kept: Line[] = [];
  #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  add(line: Line): void {
    this.kept.push(line);
    // In one piece, now and then: moving thousands of lines for every new one would cost more than the line.
    if (this.kept.length >= this.#most * 1.25) this.kept.splice(0, this.kept.length - this.#most);
  }
}

export interface Filter {
  kinds: ReadonlySet<LineKind>;
  words: string;
}

/** The lines of these kinds that have every one of the words somewhere. */
export function filtered(lines: readonly Line[], { kinds, words }: Filter): readonly Line[] {
  const wanted = words.toLowerCase().split(/\s+/).filter((word) => word !== '');
  return lines.filter((line) => {
    if (!kinds.has(line.shown)) return false;
    if (wanted.length === 0) return true;
    const text = `${line.subject} ${line.sequence} ${line.json}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}
