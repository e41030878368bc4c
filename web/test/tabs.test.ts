/** Several tabs of one browser: Node has the real BroadcastChannel and the real Web Locks. */

import { afterEach, expect, it, vi } from 'vitest';
import { SharedStream, type Held } from '../src/lib/tabs';
import type { RawEvent } from '../src/lib/stream';

const SNAPSHOT = 'event: snapshot\nid: e-1-0\ndata: []\n\n';
const text = (n: number) => `event: TextAppended\nid: e-1-${n}\ndata: ${n}\n\n`;

interface Connected {
  lastId: string;
  send(chunk: string): void;
}

/** Every connection that a tab makes, with what it may be sent. */
function serve(): Connected[] {
  const connections: Connected[] = [];
  vi.stubGlobal('fetch', (_url: string, init: RequestInit) => {
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        connections.push({
          lastId: new Headers(init.headers).get('Last-Event-ID') ?? '',
          send: (chunk) => controller.enqueue(encoder.encode(chunk)),
        });
        init.signal?.addEventListener('abort', () => controller.error(new DOMException('', 'AbortError')));
      },
    });
    return Promise.resolve(new Response(body));
  });
  return connections;
}

/** A tab that folds events into a list of their data. */
function tab(name: string) {
  let seen: string[] | null = null;
  let id = '';
  const stream = new SharedStream(name, '/events', {
    onEvent: (event: RawEvent) => {
      id = event.id;
      seen = event.event === 'snapshot' ? [] : [...(seen ?? []), event.data];
    },
    onConnection: () => undefined,
    held: () => (seen === null ? null : { document: JSON.stringify(seen), id }),
    onHeld: (held: Held) => {
      seen = JSON.parse(held.document) as string[];
      id = held.id;
    },
  });
  stream.start();
  return { stream, seen: () => seen };
}

afterEach(() => void vi.unstubAllGlobals());

it('has one connection for all tabs, and hands it over without a gap', async () => {
  const connections = serve();
  const first = tab('handover');
  await vi.waitFor(() => expect(connections).toHaveLength(1));
  connections[0]?.send(SNAPSHOT + text(1));
  await vi.waitFor(() => expect(first.seen()).toEqual(['1']));

  const second = tab('handover');
  await vi.waitFor(() => expect(second.seen()).toEqual(['1']));
  connections[0]?.send(text(2) + text(3));
  await vi.waitFor(() => expect(second.seen()).toEqual(['1', '2', '3']));
  expect(connections).toHaveLength(1);

  first.stream.stop();
  await vi.waitFor(() => expect(connections).toHaveLength(2));
  expect(connections[1]?.lastId).toBe('e-1-3');
  connections[1]?.send(text(4));
  await vi.waitFor(() => expect(second.seen()).toEqual(['1', '2', '3', '4']));
  second.stream.stop();
});

it('gives a tab that comes before the beginning the beginning', async () => {
  const connections = serve();
  const [first, second] = [tab('early'), tab('early')];
  await vi.waitFor(() => expect(connections).toHaveLength(1));
  connections[0]?.send(SNAPSHOT + text(1));
  await vi.waitFor(() => expect([first.seen(), second.seen()]).toEqual([['1'], ['1']]));
  first.stream.stop();
  second.stream.stop();
});

it('takes what a new leader passes on once more, once', async () => {
  const connections = serve();
  const [leader, follower] = [tab('twice'), tab('twice')];
  await vi.waitFor(() => expect(connections).toHaveLength(1));
  connections[0]?.send(SNAPSHOT + text(1) + text(2));
  await vi.waitFor(() => expect(follower.seen()).toEqual(['1', '2']));
  const other = new BroadcastChannel('scriptorium:twice');
  const again = [1, 2, 3].map((n) => ({ event: 'TextAppended', id: `e-1-${n}`, data: String(n) }));
  other.postMessage({ type: 'events', events: again });
  await vi.waitFor(() => expect(follower.seen()).toEqual(['1', '2', '3']));
  other.close();
  leader.stream.stop();
  follower.stream.stop();
});
