/** One document's events over one HTTP connection, for as long as somebody looks at the page.
 *
 * `fetch` and a parser instead of `EventSource`, which gives up for good after a 503. A connection that breaks is made again with
 * `Last-Event-ID`, after a wait that doubles, with jitter. Raw events go to one listener in their order; what they mean is the fold's
 * business.
 */

import { createParser } from 'eventsource-parser';

/** An event as it came: `data` is its JSON, not parsed. */
export interface RawEvent {
  event: string;
  id: string;
  data: string;
}

export type Connection =
  | { type: 'connecting' }
  | { type: 'live' }
  | { type: 'reconnecting'; retry_at_ms: number }
  | { type: 'caught_up'; events: number }
  | { type: 'gone' };

export interface StreamListener {
  onEvent(event: RawEvent): void;
  onConnection(connection: Connection): void;
}

export interface Surroundings {
  fetch: typeof fetch;
  random: () => number;
  now: () => number;
}

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 10_000;
/** Heartbeats come every 15 s at most: a connection that is silent for longer than this is dead. */
const SILENCE_MAX_MS = 45_000;
/** After a sleep nobody waits for that: one heartbeat missed is enough. */
const SILENCE_ASLEEP_MS = 20_000;
const CAUGHT_UP_SHOWN_MS = 4_000;
const REFUSED_FOR_GOOD: ReadonlySet<number> = new Set([401, 403, 404, 410]);

const browser: Surroundings = {
  fetch: (input, init) => fetch(input, init),
  random: Math.random,
  now: Date.now,
};

/** How long to wait before try number `failures` (from 1): doubling, the upper half of it by chance. */
export function backoff_ms(failures: number, random: number): number {
  const whole_ms = Math.min(BACKOFF_FIRST_MS * 2 ** (failures - 1), BACKOFF_MAX_MS);
  return Math.round(whole_ms / 2 + (whole_ms / 2) * random);
}

export class EventStream {
  /** The last event's id: where a new connection goes on. */
  lastId: string;
  #url: string;
  #listener: StreamListener;
  #around: Surroundings;
  #failures = 0;
  #heard_ms = 0;
  #abort: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, listener: StreamListener, lastId = '', around: Surroundings = browser) {
    this.#url = url;
    this.#listener = listener;
    this.#around = around;
    this.lastId = lastId;
  }

  start(): void {
    if (this.#abort === null) void this.#run();
  }

  /** Closes the connection; `start` goes on from the last event. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    clearTimeout(this.#silence);
    this.#abort?.abort();
    this.#abort = null;
  }

  /** Now, not after the wait; and anew where the machine has slept, and its connection may have died meanwhile. */
  hurry(): void {
    if (this.#abort === null) return;
    const isSilent = this.#around.now() - this.#heard_ms > SILENCE_ASLEEP_MS;
    if (this.#timer !== undefined || isSilent) this.renew();
  }

  /** The network is another one: what was connected may be dead and not know it. Nothing is lost by asking again. */
  renew(): void {
    if (this.#abort === null) return;
    this.stop();
    this.start();
  }

  async #run(): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    this.#timer = undefined;
    if (this.#failures === 0 && this.lastId === '') this.#listener.onConnection({ type: 'connecting' });
    let wait_ms = 0;
    try {
      wait_ms = await this.#read(abort);
    } catch {
      // A broken connection looks like any of a dozen errors; all of them mean: once more.
    }
    clearTimeout(this.#silence);
    if (this.#abort !== abort || wait_ms === Infinity) return;
    this.#failures++;
    wait_ms = Math.max(wait_ms, backoff_ms(this.#failures, this.#around.random()));
    this.#listener.onConnection({ type: 'reconnecting', retry_at_ms: this.#around.now() + wait_ms });
    this.#timer = setTimeout(() => void this.#run(), wait_ms);
  }

  /** Until the connection ends. Milliseconds that the server asks to wait; Infinity: it will not have us at all. */
  async #read(abort: AbortController): Promise<number> {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (this.lastId !== '') headers['Last-Event-ID'] = this.lastId;
    this.#heard(abort);
    const response = await this.#around.fetch(this.#url, { headers, cache: 'no-store', signal: abort.signal });
    if (REFUSED_FOR_GOOD.has(response.status)) {
      this.#listener.onConnection({ type: 'gone' });
      return Infinity;
    }
    if (!response.ok || response.body === null) return Number(response.headers.get('Retry-After') ?? 0) * 1_000 || 0;
    const parser = createParser({ onEvent: (event) => this.#take(event.event ?? '', event.id ?? '', event.data) });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    this.#listener.onConnection({ type: 'live' });
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#abort !== abort) return 0;
      this.#heard(abort);
      parser.feed(value);
    }
  }

  #take(event: string, id: string, data: string): void {
    this.#failures = 0;
    if (id !== '') this.lastId = id;
    if (event === 'CaughtUp') this.#caughtUp(data);
    else this.#listener.onEvent({ event, id, data });
  }

  #caughtUp(data: string): void {
    const { events } = JSON.parse(data) as { events: number };
    this.#listener.onConnection({ type: 'caught_up', events });
    setTimeout(() => {
      if (this.#abort !== null && this.#timer === undefined) this.#listener.onConnection({ type: 'live' });
    }, CAUGHT_UP_SHOWN_MS);
  }

  #heard(abort: AbortController): void {
    this.#heard_ms = this.#around.now();
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => abort.abort(), SILENCE_MAX_MS);
  }
}
