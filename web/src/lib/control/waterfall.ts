/** What became of each cell, over time: waits in the queue, attempts, calls, and the rests between tries. From facts alone; pure. */

import { jobOf, PLAN_CELL } from '../fold';
import type { CallOutcome, CellQueued, Fact } from '../types';

interface Span {
  cell: string;
  from_ms: number;
  /** null: it goes on. */
  to_ms: number | null;
  /** The fact that began it, by its sequence: what the inspector shows. */
  sequence: number;
}

export interface Wait extends Span {
  kind: 'wait';
  job: number;
}

/** `lost`: nobody wrote down how it ended; its writer was killed, frozen or cut off, and another began anew. */
export type AttemptEnd = 'running' | 'completed' | 'failed' | 'cancelled' | 'lost';

export interface Attempt extends Span {
  kind: 'attempt';
  attempt: number;
  writer: string;
  model: string;
  fellBackFrom: string;
  end: AttemptEnd;
  why: string;
}

export interface Call extends Span {
  kind: 'call';
  attempt: number;
  call: number;
  model: string;
  outcome: CallOutcome | 'open' | 'unknown';
}

export interface Rest extends Span {
  kind: 'rest';
  attempt: number;
}

export type Bar = Wait | Attempt | Call | Rest;

export interface Row {
  cell: string;
  bars: Bar[];
}

export class Waterfall {
  readonly rows: Row[] = [];
  from_ms = 0;
  /** The newest fact's time. */
  to_ms = 0;
  bars = 0;
  #rows = new Map<string, Row>();

  take(fact: Fact, sequence: number): void {
    if (this.from_ms === 0) this.from_ms = fact.at_ms;
    this.to_ms = Math.max(this.to_ms, fact.at_ms);
    switch (fact.type) {
      case 'CellQueued':
        return this.#queued(fact, sequence);
      case 'CellsQueued':
        return fact.cells.forEach((one) => this.#queued(one, sequence));
      case 'AttemptStarted': {
        const { cell, attempt, writer, model, at_ms } = fact;
        this.#end(cell, at_ms, (bar) => bar.kind === 'wait' || bar.kind === 'rest');
        this.#settle(cell, at_ms, (bar) => bar.attempt < attempt, 'lost', '');
        const fellBackFrom = fact.fell_back_from === model ? '' : (fact.fell_back_from ?? '');
        const began = { cell, from_ms: at_ms, to_ms: null, sequence, attempt, model };
        this.#add({ ...began, kind: 'attempt', writer, fellBackFrom, end: 'running', why: '' });
        return this.#add({ ...began, kind: 'call', call: 1, outcome: 'open' });
      }
      case 'CallReserved': {
        const { cell, attempt, call, model, at_ms } = fact;
        return this.#add({ kind: 'call', cell, from_ms: at_ms, to_ms: null, sequence, attempt, call, model, outcome: 'open' });
      }
      case 'CallSettled':
        for (const bar of this.#of(fact.cell)) {
          if (bar.kind !== 'call' || bar.attempt !== fact.attempt || bar.call !== fact.call) continue;
          bar.to_ms = Math.max(bar.from_ms, Math.min(fact.at_ms, bar.from_ms + fact.duration_ms));
          bar.outcome = fact.outcome;
        }
        return;
      case 'AttemptFailed':
        this.#settle(fact.cell, fact.at_ms, (bar) => bar.attempt === fact.attempt, 'failed', fact.kind);
        if (fact.retry_at_ms !== null) {
          const { cell, attempt, at_ms, retry_at_ms } = fact;
          this.#add({ kind: 'rest', cell, from_ms: at_ms, to_ms: retry_at_ms, sequence, attempt });
        }
        return;
      case 'AttemptCancelled':
        this.#end(fact.cell, fact.at_ms, (bar) => bar.kind === 'rest');
        return this.#settle(fact.cell, fact.closed_at_ms, (bar) => bar.attempt === fact.attempt, 'cancelled', fact.reason);
      case 'CellCompleted':
        this.#end(fact.cell, fact.at_ms, (bar) => bar.kind === 'wait' || bar.kind === 'rest');
        return this.#settle(fact.cell, fact.at_ms, (bar) => bar.attempt === fact.attempt, 'completed', '');
      case 'OutlinePlanned':
        return this.#settle(PLAN_CELL, fact.at_ms, (bar) => bar.attempt === fact.attempt, 'completed', '');
      case 'CellFailed':
        return this.#settle(fact.cell, fact.at_ms, (bar) => jobOf(bar.attempt) === fact.job, 'failed', fact.kind);
      case 'CellStopped':
        return this.#end(fact.cell, fact.at_ms, (bar) => bar.kind === 'wait' || bar.kind === 'rest');
      case 'DocumentPaused':
        for (const row of this.rows) this.#end(row.cell, fact.at_ms, (bar) => bar.kind === 'wait' || bar.kind === 'rest');
    }
  }

  #queued(fact: CellQueued, sequence: number): void {
    this.#add({ kind: 'wait', cell: fact.cell, from_ms: fact.at_ms, to_ms: null, sequence, job: fact.job });
  }

  #of(cell: string): Bar[] {
    return this.#rows.get(cell)?.bars ?? [];
  }

  #add(bar: Bar): void {
    let row = this.#rows.get(bar.cell);
    if (row === undefined) {
      row = { cell: bar.cell, bars: [] };
      this.#rows.set(bar.cell, row);
      this.rows.push(row);
    }
    row.bars.push(bar);
    this.bars++;
  }

  #end(cell: string, at_ms: number, which: (bar: Bar) => boolean): void {
    for (const bar of this.#of(cell)) {
      if (which(bar) && (bar.to_ms === null || bar.to_ms > at_ms)) bar.to_ms = Math.max(bar.from_ms, at_ms);
    }
  }

  /** Attempts that run end so, and with them the calls that nobody settles any more. */
  #settle(cell: string, at_ms: number, which: (bar: Attempt | Call) => boolean, end: AttemptEnd, why: string): void {
    for (const bar of this.#of(cell)) {
      if ((bar.kind !== 'attempt' && bar.kind !== 'call') || bar.to_ms !== null || !which(bar)) continue;
      bar.to_ms = Math.max(bar.from_ms, at_ms);
      if (bar.kind === 'attempt') {
        bar.end = end;
        bar.why = why;
      } else if (end === 'lost') {
        bar.outcome = 'unknown';
      }
    }
  }
}

export function waterfallOf(facts: readonly { event: Fact; sequence: number }[]): Waterfall {
  const waterfall = new Waterfall();
  for (const { event, sequence } of facts) waterfall.take(event, sequence);
  return waterfall;
}

/** Which rows are shown: all, those that are written now, those where something did not go straight. */
export type RowsShown = 'all' | 'running' | 'detours';
export const ROWS_SHOWN: readonly RowsShown[] = ['all', 'running', 'detours'];

export function rowsShown(rows: readonly Row[], which: RowsShown): Row[] {
  switch (which) {
    case 'all':
      return [...rows];
    case 'running':
      return rows.filter(({ bars }) => bars.some((bar) => bar.to_ms === null));
    case 'detours':
      return rows.filter(({ bars }) => bars.some(isDetour));
  }
}

/** A failed, cut off or lost attempt, one by another model, and a second call. */
function isDetour(bar: Bar): boolean {
  switch (bar.kind) {
    case 'attempt':
      return bar.fellBackFrom !== '' || bar.end === 'failed' || bar.end === 'lost' || bar.end === 'cancelled';
    case 'call':
      return bar.call > 1 || bar.outcome === 'lost_race';
    default:
      return false;
  }
}

/** A part of time, drawn over so many pixels. */
export interface Window {
  from_ms: number;
  to_ms: number;
  width: number;
}

export interface Drawn {
  bar: Bar;
  x: number;
  width: number;
}

export const SPANS_MAX = 3_000;
const WIDTH_MIN = 2;

/** The bars of these rows that touch the window; beyond SPANS_MAX the widest, so that what is left out would hardly be seen. */
export function drawn(rows: readonly Row[], window: Window, now_ms: number, most = SPANS_MAX): Drawn[] {
  const scale = window.width / Math.max(window.to_ms - window.from_ms, 1);
  const found: Drawn[] = [];
  for (const { bars } of rows) {
    for (const bar of bars) {
      const to_ms = bar.to_ms ?? now_ms;
      if (to_ms < window.from_ms || bar.from_ms > window.to_ms) continue;
      const x = Math.max((bar.from_ms - window.from_ms) * scale, 0);
      const end = Math.min((to_ms - window.from_ms) * scale, window.width);
      found.push({ bar, x, width: Math.max(end - x, WIDTH_MIN) });
    }
  }
  if (found.length <= most) return found;
  const widest = new Set([...found].sort((a, b) => b.width - a.width).slice(0, most));
  return found.filter((one) => widest.has(one));
}

/** Round times for an axis with at most so many marks. */
export function ticks(from_ms: number, to_ms: number, most: number): number[] {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200].map((s) => s * 1_000);
  const step = steps.find((one) => (to_ms - from_ms) / one <= most) ?? (to_ms - from_ms) / most;
  const found: number[] = [];
  for (let at = 0; at <= to_ms - from_ms; at += step) found.push(from_ms + at);
  return found;
}

/** The bars in reading order, and which one an arrow key leads to from the one that is chosen. */
export function stepped(rows: readonly Row[], chosen: Bar | null, key: string): Bar | null {
  const at = rows.findIndex((row) => row.cell === chosen?.cell);
  if (chosen === null || at === -1) return rows[0]?.bars[0] ?? null;
  const bars = rows[at]?.bars ?? [];
  const index = bars.indexOf(chosen);
  const nearest = (row: Row | undefined): Bar | null =>
    row?.bars.reduce((best, bar) =>
      Math.abs(bar.from_ms - chosen.from_ms) < Math.abs(best.from_ms - chosen.from_ms) ? bar : best,
    ) ?? chosen;
  switch (key) {
    case 'ArrowRight':
      return bars[index + 1] ?? chosen;
    case 'ArrowLeft':
      return bars[index - 1] ?? chosen;
    case 'ArrowDown':
      return nearest(rows[at + 1]);
    case 'ArrowUp':
      return nearest(rows[at - 1]);
    case 'Home':
      return rows[0]?.bars[0] ?? chosen;
    case 'End':
      return rows.at(-1)?.bars.at(-1) ?? chosen;
    default:
      return chosen;
  }
}
