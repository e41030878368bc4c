/** A document as it lives on the page: events in, one value out, at most every 50 ms.
 *
 * Facts change `document`, of which there are a handful a cell; text changes `texts`, one entry a cell. So a token costs what its own
 * section costs to draw, and a section that nobody sees is drawn twice a second.
 */

import { SvelteMap } from 'svelte/reactivity';
import { flushSync } from 'svelte';
import { eventsPath } from './api';
import { numbersOf } from './numbers';
import { created, fold, foldInks } from './fold';
import type { Connection, RawEvent } from './stream';
import { SharedStream, type Held } from './tabs';
import { Texts, type Shown } from './texts';
import type { Document, Fact, TextAppended } from './types';
import { cellsOfSection } from './view';

const FLUSH_MS = 50;
/** How often text that is out of sight is drawn. */
const FAR_MS = 500;
/** How often a tab that is not in front looks up. */
const HIDDEN_MS = 1_000;
/** After a flush that took long, the page rests this many times as long. */
const REST = 4;
/** A flush that draws more than this goes on in the next frame: a reader's key or wheel comes first. */
const SLICE_MS = 12;

export class LiveDocument {
  readonly id: string;
  /** As the facts have it. Of a text that is being written it has only the beginning: see `texts`. */
  document = $state.raw<Document | null>(null);
  connection = $state.raw<Connection>({ type: 'connecting' });
  /** Lexed text by cell; an entry changes only when its cell's text does. */
  texts = new SvelteMap<string, Shown>();
  /** A citation's number in the document, by `source:passage`. */
  numbers = new SvelteMap<string, number>();
  /** Counts what was drawn. */
  drawn = $state(0);
  /** Counts how often there were more citations, or others. */
  cited = $state(0);

  #folded: Document | null = null;
  #inks: TextAppended[] = [];
  #lastId = '';
  #stream: SharedStream;
  #lexed = new Texts();
  /** Cells that may have more text than is drawn. */
  #waiting = new Set<string>();
  #far = new Set<string>();
  #drewFar_ms = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #restUntil_ms = 0;

  constructor(id: string) {
    this.id = id;
    this.#stream = new SharedStream(id, eventsPath(id), {
      onEvent: (event) => this.#take(event),
      onConnection: (connection) => (this.connection = connection),
      held: () => {
        this.#foldInks();
        return this.#folded === null ? null : { document: JSON.stringify(this.#folded), id: this.#lastId };
      },
      onHeld: (held) => this.#adopt(held),
    });
  }

  /** Connects, and stays connected until the returned function is called. */
  open(): () => void {
    const abort = new AbortController();
    const { signal } = abort;
    addEventListener('pagehide', () => this.#stream.stop(), { signal });
    addEventListener('pageshow', (event) => event.persisted && this.#stream.start(), { signal });
    // A frozen tab would keep the connection of all the others, and read nothing.
    document.addEventListener('freeze', () => this.#stream.stop(), { signal });
    document.addEventListener('resume', () => this.#stream.start(), { signal });
    for (const type of ['online', 'offline']) addEventListener(type, () => this.#stream.renew(), { signal });
    document.addEventListener('visibilitychange', () => document.hidden || this.#shown(), { signal });
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

  /** Whether a reader can see these cells. Those out of sight are drawn more seldom; those that come into sight, at once. */
  setFar(cells: readonly string[], isFar: boolean): void {
    for (const cell of cells) {
      if (isFar) this.#far.add(cell);
      else if (this.#far.delete(cell) && this.#waiting.has(cell)) this.#flushSoon();
    }
  }

  /** The tab is in front again: what came meanwhile is drawn, and a connection that may have died in a sleep is made anew. */
  #shown(): void {
    this.#stream.hurry();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flush();
  }

  #adopt(held: Held): void {
    this.#begin(JSON.parse(held.document) as Document);
    this.#lastId = held.id;
  }

  #begin(document: Document): void {
    this.#inks = [];
    this.#folded = document;
    for (const cell of Object.keys(document.cells)) this.#waiting.add(cell);
    this.#flushSoon();
  }

  #take({ event, id, data }: RawEvent): void {
    if (id !== '') this.#lastId = id;
    if (event === 'snapshot') {
      this.#begin(JSON.parse(data) as Document);
    } else if (event === 'DocumentDeleted') {
      this.#stream.stop();
      this.connection = { type: 'gone' };
      this.#folded = this.document = null;
    } else if (event === 'TextAppended') {
      // Between facts and ink no order counts: ink is folded in when it is drawn.
      const ink = JSON.parse(data) as TextAppended;
      this.#inks.push(ink);
      this.#waiting.add(ink.cell);
      this.#flushSoon();
    } else {
      this.#takeFact(JSON.parse(data) as Fact, Number(id.split('-')[1]));
    }
  }

  #takeFact(fact: Fact, sequence: number): void {
    this.#foldInks();
    const was = this.#folded;
    const now = was === null ? created(this.id, fact, sequence) : fold(was, fact, sequence);
    this.#folded = now;
    if (now === was) return;
    if ('cell' in fact) this.#waiting.add(fact.cell);
    else for (const cell of Object.keys(now.cells)) if (now.cells[cell] !== was?.cells[cell]) this.#waiting.add(cell);
    this.#flushSoon();
  }

  #foldInks(): void {
    if (this.#inks.length === 0 || this.#folded === null) return;
    this.#folded = foldInks(this.#folded, this.#inks);
    this.#inks = [];
  }

  #flushSoon(): void {
    if (this.#timer !== undefined) return;
    // The first event after a quiet time is shown at once; those behind it wait for the next flush.
    this.#timer = setTimeout(() => this.#flush(), Math.max(this.#restUntil_ms - performance.now(), 0));
  }

  #flush(): void {
    this.#timer = undefined;
    this.#foldInks();
    if (this.#folded === null) return;
    const began_ms = performance.now();
    const now = this.#folded;
    if (isNews(this.document, now, this.#waiting)) this.document = now;
    if (document.hidden) {
      this.#restUntil_ms = began_ms + HIDDEN_MS; // The title, and who listens, hear of it; text is drawn when somebody looks.
      return;
    }
    const left = this.#draw(now, began_ms);
    this.drawn++;
    flushSync();
    const ended_ms = performance.now();
    this.#restUntil_ms = ended_ms + (left ? 0 : Math.max(FLUSH_MS, REST * (ended_ms - began_ms)));
    if (left) this.#flushSoon();
    else if (this.#waiting.size > 0) this.#timer = setTimeout(() => this.#flush(), FAR_MS);
  }

  /** Draws what waits, what is in sight first; true where the time was up before all was drawn. */
  #draw(document: Document, began_ms: number): boolean {
    const isFarDue = began_ms - this.#drewFar_ms >= FAR_MS;
    let hasNewMarkers = false;
    let isLate = false;
    for (const isFar of isFarDue ? [false, true] : [false]) {
      for (const id of this.#waiting) {
        if (this.#far.has(id) !== isFar) continue;
        if (performance.now() - began_ms > SLICE_MS) {
          isLate = true;
          break;
        }
        this.#waiting.delete(id);
        const cell = document.cells[id];
        if (cell === undefined) continue;
        const was = this.#lexed.of(id);
        if (!this.#lexed.update(cell)) continue;
        const shown = this.#lexed.of(id);
        this.texts.set(id, shown);
        hasNewMarkers ||= shown.markers.length !== was.markers.length || shown.markers.at(-1)?.raw !== was.markers.at(-1)?.raw;
      }
    }
    if (isFarDue && !isLate) this.#drewFar_ms = began_ms;
    if (hasNewMarkers) {
      this.#number(document);
      this.cited++;
    }
    return isLate;
  }

  /** In reading order, as every export has them. */
  #number(document: Document): void {
    const cells = document.outline.flatMap((section) => cellsOfSection(document, section));
    const numbers = numbersOf(cells.map((cell) => this.#lexed.of(cell).markers));
    for (const [key, number] of numbers) if (this.numbers.get(key) !== number) this.numbers.set(key, number);
    for (const key of this.numbers.keys()) if (!numbers.has(key)) this.numbers.delete(key);
  }
}

/** Whether more has happened than that texts have grown. */
function isNews(was: Document | null, now: Document, changed: ReadonlySet<string>): boolean {
  if (was === null || was.sequence !== now.sequence || was.outline !== now.outline) return true;
  for (const id of changed) {
    // Its first words: a cell that was thinking is writing now.
    const [before, after] = [was.cells[id]?.ink, now.cells[id]?.ink];
    if ((before?.text ?? '') === '' && (after?.text ?? '') !== '') return true;
    if (before?.attempt !== after?.attempt) return true;
  }
  return false;
}

