/** A document as it lives on the page: events in, one value out, at most every 50 ms. */

import { SvelteMap } from 'svelte/reactivity';
import { flushSync } from 'svelte';
import { eventsPath } from './api';
import { created, fold, foldInk } from './fold';
import type { Connection, RawEvent } from './stream';
import { SharedStream, type Held } from './tabs';
import { Texts, type Shown } from './texts';
import type { Document, Fact, TextAppended } from './types';
import { cellsOfSection } from './view';

const FLUSH_MS = 50;
/** After a flush that took long, the page rests this many times as long. */
const REST = 4;

export class LiveDocument {
  readonly id: string;
  document = $state.raw<Document | null>(null);
  connection = $state.raw<Connection>({ type: 'connecting' });
  /** Lexed text by cell; an entry changes only when its cell does. */
  texts = new SvelteMap<string, Shown>();
  /** A citation's number in the document, by `source:passage`. */
  numbers = new SvelteMap<string, number>();

  #folded: Document | null = null;
  #lastId = '';
  #stream: SharedStream;
  #lexed = new Texts();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #restUntil_ms = 0;

  constructor(id: string) {
    this.id = id;
    this.#stream = new SharedStream(id, eventsPath(id), {
      onEvent: (event) => this.#take(event),
      onConnection: (connection) => (this.connection = connection),
      held: () => (this.#folded === null ? null : { document: JSON.stringify(this.#folded), id: this.#lastId }),
      onHeld: (held) => this.#adopt(held),
    });
  }

  /** Connects, and stays connected until the returned function is called. */
  open(): () => void {
    const abort = new AbortController();
    const { signal } = abort;
    addEventListener('pagehide', () => this.#stream.stop(), { signal });
    addEventListener('pageshow', (event) => event.persisted && this.#stream.start(), { signal });
    addEventListener('online', () => this.#stream.hurry(), { signal });
    this.#stream.start();
    return () => {
      abort.abort();
      clearTimeout(this.#timer);
      this.#stream.stop();
    };
  }

  numberOf(source: string, passage: number): number {
    return this.numbers.get(`${source}:${passage}`) ?? 0;
  }

  #adopt(held: Held): void {
    this.#folded = JSON.parse(held.document) as Document;
    this.#lastId = held.id;
    this.#flushSoon();
  }

  #take({ event, id, data }: RawEvent): void {
    if (id !== '') this.#lastId = id;
    const was = this.#folded;
    if (event === 'snapshot') {
      this.#folded = JSON.parse(data) as Document;
    } else if (event === 'TextAppended') {
      if (was !== null) this.#folded = foldInk(was, JSON.parse(data) as TextAppended);
    } else {
      const fact = JSON.parse(data) as Fact;
      const sequence = Number(id.split('-')[1]);
      this.#folded = was === null ? created(this.id, fact, sequence) : fold(was, fact, sequence);
    }
    if (this.#folded !== was) this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#timer !== undefined) return;
    // The first event after a quiet time is shown at once; those behind it wait for the next flush.
    this.#timer = setTimeout(() => this.#flush(), Math.max(this.#restUntil_ms - performance.now(), 0));
  }

  #flush(): void {
    this.#timer = undefined;
    if (this.#folded === null) return;
    const began_ms = performance.now();
    const was = this.document;
    this.document = this.#folded;
    const changed = this.#lexed.update(this.#folded);
    for (const cell of changed) this.texts.set(cell, this.#lexed.of(cell));
    this.#number(this.#folded, changed, was?.run.type !== 'Done' && this.#folded.run.type === 'Done');
    flushSync();
    const spent_ms = performance.now() - began_ms;
    this.#restUntil_ms = performance.now() + Math.max(FLUSH_MS, REST * spent_ms);
  }

  /** Numbers never change while text is written, so that nothing jumps; when all is done they are set in reading order. */
  #number(document: Document, changed: readonly string[], isOver: boolean): void {
    if (isOver) this.numbers.clear();
    const isChanged = new Set(changed);
    for (const section of document.outline) {
      for (const cell of cellsOfSection(document, section)) {
        if (!isOver && !isChanged.has(cell)) continue;
        for (const { source, passage } of this.#lexed.of(cell).markers) {
          const key = `${source}:${passage}`;
          if (!this.numbers.has(key)) this.numbers.set(key, this.numbers.size + 1);
        }
      }
    }
  }
}
