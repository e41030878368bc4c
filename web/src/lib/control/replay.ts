/** Any earlier moment of a document: its facts, folded up to there by the one fold. Pure. */

import { created, fold } from '../fold';
import type { Document, Fact } from '../types';

export interface LoggedFact {
  event: Fact;
  sequence: number;
}

const EVERY = 128;

export class Replay {
  readonly facts: LoggedFact[] = [];
  #id: string;
  /** The document after each EVERY facts, so that going back costs no more than that many folds. */
  #kept: Document[] = [];
  #newest: Document | null = null;

  constructor(id: string) {
    this.#id = id;
  }

  get newest(): Document | null {
    return this.#newest;
  }

  take(fact: Fact, sequence: number): void {
    const last = this.facts.at(-1);
    if (last !== undefined && sequence <= last.sequence) return;
    this.facts.push({ event: fact, sequence });
    this.#newest = this.#newest === null ? created(this.#id, fact, sequence) : fold(this.#newest, fact, sequence);
    if (this.facts.length % EVERY === 0) this.#kept.push(this.#newest);
  }

  /** The document after its first `count` facts; null after none. */
  at(count: number): Document | null {
    const whole = Math.min(Math.floor(count / EVERY), this.#kept.length);
    let document = whole === 0 ? null : (this.#kept[whole - 1] ?? null);
    for (const { event, sequence } of this.facts.slice(whole * EVERY, count)) {
      document = document === null ? created(this.#id, event, sequence) : fold(document, event, sequence);
    }
    return document;
  }

  /** How many facts there are up to a sequence. */
  countAt(sequence: number): number {
    const first = this.facts.findIndex((fact) => fact.sequence > sequence);
    return first === -1 ? this.facts.length : first;
  }
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
