/** How the house is doing: the newest samples, and the curve of the last minutes. Pure. */

import type { Document } from '../types';
import type { CallerSampled, Queue, Sample } from './operations';

export interface Point {
  at_ms: number;
  /** Calls of this document that are open. */
  open: number;
  /** How many calls may be open at a time, over all who ask models; 0: nobody said. */
  limit: number;
  /** Jobs that nobody has taken yet. */
  waiting: number;
}

const POINTS_MAX = 240;
/** A caller that has said nothing for this long is gone. */
const GONE_MS = 4_000;

export class House {
  queues: readonly Queue[] = [];
  points: Point[] = [];
  #callers = new Map<string, CallerSampled>();

  /** `open`: this document's open calls, by its log. */
  take(sample: Sample, open: number): void {
    if (sample.type === 'CallerSampled') {
      this.#callers.set(sample.name, sample);
    } else if (sample.type === 'QueuesSampled') {
      this.queues = sample.queues;
      for (const [name, caller] of this.#callers) {
        if (sample.at_ms - caller.at_ms > GONE_MS) this.#callers.delete(name);
      }
      this.points = [...this.points.slice(1 - POINTS_MAX), this.#point(sample.at_ms, open)];
    }
  }

  get callers(): readonly CallerSampled[] {
    return [...this.#callers.values()].sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Over all models whose breaker is not closed. */
  get openBreakers(): number {
    return this.callers.flatMap((caller) => caller.models).filter((model) => model.breaker !== 'closed').length;
  }

  #point(at_ms: number, open: number): Point {
    const models = this.callers.flatMap((caller) => caller.models);
    return {
      at_ms,
      open,
      limit: models.reduce((sum, model) => sum + model.limit, 0),
      waiting: this.queues.reduce((sum, queue) => sum + queue.waiting, 0),
    };
  }
}

/** A process of `scriptorium up`, as its supervisor shows it. */
export interface Process {
  name: string;
  pid: number;
  state: 'running' | 'resting' | 'frozen' | 'restarting' | 'ending' | 'over';
}

const WRITER = /^writer-(\d+)-/;

/** The process id that a writer's name has in it; 0 where it has none. */
export const pidOf = (writer: string): number => Number(WRITER.exec(writer)?.[1] ?? 0);

/** How many cells of this document a process is writing. */
export function inHand(process: Process, document: Document | null): number {
  const cells = Object.values(document?.cells ?? {});
  return cells.filter(({ state }) => state.type === 'Writing' && pidOf(state.writer) === process.pid).length;
}

/** The running writer with the most cells of this document in hand: the one whose end is worth watching. */
export function busiestWriter(processes: readonly Process[], document: Document | null): Process | null {
  const writers = processes.filter((process) => process.name.startsWith('writer') && process.state === 'running');
  return writers.reduce<Process | null>(
    (best, process) => (best === null || inHand(process, document) > inHand(best, document) ? process : best),
    null,
  );
}
