/** One connection a browser for each document, however many tabs show it.
 *
 * The tab that holds the Web Lock leads: it has the connection and passes every event on to the others, raw and in order. A tab
 * that comes later asks the leader for what it has so far. When the leader goes, the lock falls to the next tab, which goes on from
 * the last id that it has itself: no gap, because it has folded everything up to there and is sent everything after.
 */

import { token } from './token';
import { EventStream, type Connection, type RawEvent, type StreamListener } from './stream';

/** How long a tab waits for the beginning before it asks for it again. */
const ASK_AGAIN_MS = 1_000;

/** A document as one tab has it: enough for another to go on from. */
export interface Held {
  document: string;
  id: string;
}

export interface SharedListener extends StreamListener {
  /** What this tab has, for a tab that comes later; null while it has nothing. */
  held(): Held | null;
  /** What another tab had when this one came. */
  onHeld(held: Held): void;
}

type Message =
  | { type: 'hello'; from: string }
  | { type: 'held'; to: string; held: Held; connection: Connection }
  | { type: 'events'; events: readonly RawEvent[] }
  | { type: 'connection'; connection: Connection };

/** Whether an id is further on than another one: in facts or in ink, of which neither ever goes back. */
function isAfter(id: string, last: string): boolean {
  const [epoch, facts, ink] = id.split('-');
  const [was, hadFacts, hadInk] = last.split('-');
  return epoch !== was || Number(facts) > Number(hadFacts) || Number(ink) > Number(hadInk);
}

export class SharedStream {
  #name: string;
  #url: string;
  #listener: SharedListener;
  #me = token();
  #channel: BroadcastChannel | null = null;
  #stream: EventStream | null = null;
  #leave: AbortController | null = null;
  #connection: Connection = { type: 'connecting' };
  #lastId = '';
  #passing: RawEvent[] = [];
  /** Heard of another tab, ever: alone, there is nobody to pass anything on to. */
  #hasOthers = false;
  #asking: ReturnType<typeof setInterval> | undefined;
  /** A follower takes part from the moment it has what came before. */
  #isJoined = false;

  constructor(documentId: string, url: string, listener: SharedListener) {
    this.#name = `scriptorium:${documentId}`;
    this.#url = url;
    this.#listener = listener;
  }

  get leads(): boolean {
    return this.#stream !== null;
  }

  start(): void {
    if (this.#leave !== null) return;
    const leave = new AbortController();
    this.#leave = leave;
    // Without a secure context there are no locks, and each tab has a connection of its own.
    if (!('locks' in navigator)) {
      this.#lead();
      return;
    }
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#hear(data);
    this.#ask();
    this.#asking = setInterval(() => this.#ask(), ASK_AGAIN_MS);
    const whileLeading = () => {
      this.#lead();
      return new Promise<void>((resolve) => leave.signal.addEventListener('abort', () => resolve()));
    };
    navigator.locks.request(this.#name, { signal: leave.signal }, whileLeading).catch((error: unknown) => {
      if (!leave.signal.aborted) throw error;
    });
  }

  /** Hands the connection over to another tab, if there is one, or closes it. `start` joins in again. */
  stop(): void {
    clearInterval(this.#asking);
    this.#flush();
    this.#stream?.stop();
    this.#stream = null;
    this.#channel?.close();
    this.#channel = null;
    this.#leave?.abort();
    this.#leave = null;
    this.#isJoined = false;
  }

  hurry(): void {
    this.#stream?.hurry();
  }

  renew(): void {
    this.#stream?.renew();
  }

  #ask(): void {
    if (this.leads || this.#isJoined) clearInterval(this.#asking);
    else this.#say({ type: 'hello', from: this.#me });
  }

  #lead(): void {
    if (this.#leave === null || this.#leave.signal.aborted) return;
    const listener: StreamListener = {
      onEvent: (event) => {
        this.#passOn(event);
        this.#take(event);
      },
      onConnection: (connection) => {
        this.#say({ type: 'connection', connection });
        this.#connected(connection);
      },
    };
    this.#stream = new EventStream(this.#url, listener, this.#lastId);
    this.#stream.start();
  }

  #hear(message: Message): void {
    this.#hasOthers = true;
    switch (message.type) {
      case 'hello':
        return this.#welcome(message.from);
      case 'held':
        if (message.to !== this.#me || this.leads) return;
        this.#isJoined = true;
        this.#lastId = message.held.id;
        this.#listener.onHeld(message.held);
        return this.#connected(message.connection);
      case 'events':
        if (!this.leads) message.events.forEach((event) => this.#follow(event));
        return;
      case 'connection':
        if (!this.leads) this.#connected(message.connection);
    }
  }

  #welcome(to: string): void {
    if (!this.leads) return;
    const held = this.#listener.held();
    if (held !== null) this.#say({ type: 'held', to, held, connection: this.#connection });
  }

  #follow(event: RawEvent): void {
    if (event.event === 'snapshot') this.#isJoined = true;
    // A new leader that had not heard the last words of the one before is sent them again, and passes them on to those that had.
    else if (!isAfter(event.id, this.#lastId)) return;
    // Before it has the beginning, an event is of no use; the leader's answer has it in.
    if (this.#isJoined) this.#take(event);
  }

  #take(event: RawEvent): void {
    if (event.id !== '') this.#lastId = event.id;
    this.#listener.onEvent(event);
  }

  #connected(connection: Connection): void {
    this.#connection = connection;
    this.#listener.onConnection(connection);
  }

  /** What came in one piece leaves in one piece: a message a token would cost more than the token. */
  #passOn(event: RawEvent): void {
    if (this.#hasOthers && this.#passing.push(event) === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    if (this.#passing.length === 0) return;
    this.#channel?.postMessage({ type: 'events', events: this.#passing } satisfies Message);
    this.#passing = [];
  }

  #say(message: Message): void {
    this.#flush();
    this.#channel?.postMessage(message);
  }
}
