/** Live counters, each beside the promise that it holds against. From facts alone; pure. */

import { isStoppedAlone, jobOf } from '../fold';
import type { Document, Fact } from '../types';

export const STOP_MS_MAX = 250;

export interface Counters {
  /** Milliseconds from 'stop asked' to 'socket closed', one for each receipt. */
  stops_ms: readonly number[];
  /** Calls that were still open 250 ms after their stop, or were begun while the document, or their cell, was stopped. */
  callsAfterStop: number;
  attempts: number;
  retries: number;
  failed: number;
  fallbacks: number;
  hedges: number;
  completed: number;
}

export class Counting {
  #stops_ms: number[] = [];
  #isPaused = false;
  /** Of cells that were stopped by themselves, the job that is over. */
  #over = new Map<string, number>();
  #begunWhileStopped = 0;
  #figures = { attempts: 0, retries: 0, failed: 0, fallbacks: 0, hedges: 0, completed: 0 };

  take(fact: Fact): void {
    switch (fact.type) {
      case 'DocumentPaused':
        this.#isPaused = true;
        return;
      case 'DocumentResumed':
        this.#isPaused = false;
        return;
      case 'CellStopped':
        this.#over.set(fact.cell, fact.job);
        return;
      case 'AttemptStarted':
        this.#figures.attempts++;
        this.#begun(fact);
        if (fact.fell_back_from && fact.fell_back_from !== fact.model) this.#figures.fallbacks++;
        return;
      case 'CallReserved':
        this.#figures.hedges++;
        this.#begun(fact);
        return;
      case 'AttemptFailed':
        this.#figures.failed++;
        if (fact.retry_at_ms !== null) this.#figures.retries++;
        return;
      case 'AttemptCancelled':
        if (fact.reason === 'stopped') this.#stops_ms.push(Math.max(fact.closed_at_ms - fact.asked_at_ms, 0));
        return;
      case 'CellCompleted':
        this.#figures.completed++;
    }
  }

  #begun({ cell, attempt }: { cell: string; attempt: number }): void {
    if (this.#isPaused || jobOf(attempt) === this.#over.get(cell)) this.#begunWhileStopped++;
  }

  /** `document` is the newest: a stop whose receipts are late counts before they come. */
  counters(document: Document | null, now_ms: number): Counters {
    const late = this.#stops_ms.filter((ms) => ms > STOP_MS_MAX).length;
    return {
      ...this.#figures,
      stops_ms: this.#stops_ms,
      callsAfterStop: late + this.#begunWhileStopped + unclosed(document, now_ms),
    };
  }
}

/**
 * Calls that are open, by the log. One whose attempt was outranked was lost with its writer: it is never settled, counts against the
 * budget at its maximum for good, and is open nowhere.
 */
export function openNow(document: Document | null): number {
  if (document === null) return 0;
  return Object.keys(document.open_calls).filter((key) => {
    const [cell = '', attempt] = key.split('/');
    const found = document.cells[cell];
    if (found === undefined || Number(attempt) < found.attempt) return false;
    return found.state.type === 'Writing' || (found.state.type === 'Cancelled' && found.state.closed_at_ms === null);
  }).length;
}

/** Attempts that were stopped longer ago than they may take, and whose receipt is missing. */
function unclosed(document: Document | null, now_ms: number): number {
  if (document === null) return 0;
  return Object.values(document.cells).filter((cell) => {
    const { state } = cell;
    const isOpen = state.type === 'Cancelled' && state.closed_at_ms === null && now_ms - state.at_ms > STOP_MS_MAX;
    return isOpen && (document.run.type === 'Paused' || isStoppedAlone(cell));
  }).length;
}

/** The value below which this share of the values lies; null where there are none. Nearest rank. */
export function quantile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)] ?? null;
}
