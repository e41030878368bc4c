/** Any earlier moment of a document: its facts, folded up to there by the one fold. Pure. */

import { created, fold } from '../fold';
import type { Document, Fact } from '../types';

export interface LoggedFact {
  event: Fact;
  sequence: number;
  /** As it was on the bus, to the letter. */
  json: string;
}

const EVERY = 128;

export class Replay {
  readonly facts: LoggedFact[] = [];
  #id: string;
  /** What stands for the facts before these, where those are old and were removed. */
  #base: Document | null = null;
  /** The document after each EVERY facts, so that going back costs no more than that many folds. */
  #kept: Document[] = [];
  #newest: Document | null = null;

  constructor(id: string) {
    this.#id = id;
  }

  get newest(): Document | null {
    return this.#newest;
  }

  /** All that can be read of it begins with this. */
  begin(base: Document): void {
    this.facts.length = 0;
    this.#kept = [];
    this.#base = this.#newest = base;
  }

  take(fact: Fact, sequence: number, json = JSON.stringify(fact)): void {
    if (this.#newest !== null && sequence <= this.#newest.sequence) return;
    this.facts.push({ event: fact, sequence, json });
    this.#newest = this.#newest === null ? created(this.#id, fact, sequence) : fold(this.#newest, fact, sequence);
    if (this.facts.length % EVERY === 0) this.#kept.push(this.#newest);
  }

  /** The document after its first `count` facts; what it begins with, or null, after none. */
  at(count: number): Document | null {
    const whole = Math.min(Math.floor(count / EVERY), this.#kept.length);
    let document = whole === 0 ? this.#base : (this.#kept[whole - 1] ?? null);
    for (const { event, sequence } of this.facts.slice(whole * EVERY, count)) {
      document = document === null ? created(this.#id, event, sequence) : fold(document, event, sequence);
    }
    return document;
  }

  /** How many facts there are up to a sequence. By halving: each comparison of folds asks. */
  countAt(sequence: number): number {
    let [low, high] = [0, this.facts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.facts[middle]?.sequence ?? Infinity) <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Nobody watches a pause: what lasts longer in the log is shown as this. */
export const GAP_MS_MAX = 2_000;

/** How long it takes to play facts at the speed at which they happened, from the first of them to the last. */
export function playTime_ms(facts: readonly LoggedFact[]): number {
  return facts.reduce((sum, _, index) => sum + gap_ms(facts, index), 0);
}

/** The moment that is shown so many milliseconds of play after moment `from`. */
export function played(facts: readonly LoggedFact[], from: number, passed_ms: number): number {
  let left_ms = passed_ms;
  for (let moment = from; moment < facts.length; moment++) {
    left_ms -= gap_ms(facts, moment);
    if (left_ms < 0) return moment;
  }
  return facts.length;
}

/** From the fact before to this one. */
function gap_ms(facts: readonly LoggedFact[], index: number): number {
  const [before, here] = [facts[index - 1], facts[index]];
  if (before === undefined || here === undefined) return 0;
  return Math.min(Math.max(here.event.at_ms - before.event.at_ms, 0), GAP_MS_MAX);
}

/** Whether two documents say the same, ink apart, which may be lost: whatever the order of their fields. */
export function agree(one: Document, other: Document): boolean {
  return canonical(one) === canonical(other);
}

function canonical(document: Document): string {
  return JSON.stringify(document, (key, value: unknown) => {
    if (key === 'ink') return undefined;
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
