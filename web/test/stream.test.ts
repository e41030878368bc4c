import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventStream, backoff_ms, type Connection, type RawEvent } from '../src/lib/stream';

type Answer = { status?: number; headers?: Record<string, string>; body?: string; stays?: boolean };

/** A server that gives one answer after the other and remembers what it was asked. */
function serverOf(answers: Answer[]) {
  const asked: string[] = [];
  const open: ReadableStreamDefaultController<Uint8Array>[] = [];
  const fetch = (_url: unknown, init?: RequestInit): Promise<Response> => {
    asked.push(new Headers(init?.headers).get('Last-Event-ID') ?? '');
    const answer = answers.shift();
    if (answer === undefined) return Promise.reject(new TypeError('no network'));
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(answer.body ?? ''));
        if (answer.stays) open.push(controller);
        else controller.close();
      },
    });
    return Promise.resolve(new Response(body, { status: answer.status ?? 200, headers: answer.headers ?? {} }));
  };
  return { fetch: fetch as typeof globalThis.fetch, asked, open };
}

function watched(answers: Answer[]) {
  const server = serverOf(answers);
  const events: RawEvent[] = [];
  const connections: Connection[] = [];
  const listener = {
    onEvent: (event: RawEvent) => void events.push(event),
    onConnection: (connection: Connection) => void connections.push(connection),
  };
  const stream = new EventStream('/events', listener, '', { fetch: server.fetch, random: () => 0.5, now: () => 0 });
  return { stream, server, events, connections };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the stream', () => {
  it('goes on from the last id after a connection broke', async () => {
    const { stream, server, events, connections } = watched([
      { body: 'event: snapshot\nid: e-1-0\ndata: {}\n\nevent: TextAppended\nid: e-1-2\ndata: {"a":1}\n\nevent: TextApp' },
      { body: 'event: CaughtUp\ndata: {"type":"CaughtUp","events":3}\n\n', stays: true },
    ]);
    stream.start();
    await vi.advanceTimersByTimeAsync(500);
    expect(server.asked).toEqual(['', 'e-1-2']);
    expect(events.map((event) => event.event)).toEqual(['snapshot', 'TextAppended']);
    expect(connections.map((connection) => connection.type)).toEqual([
      'connecting',
      'live',
      'reconnecting',
      'live',
      'caught_up',
    ]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(connections.at(-1)).toEqual({ type: 'live' });
    stream.stop();
  });
  it('survives refusals, and waits as long as it is asked to', async () => {
    const { stream, server } = watched([
      { status: 503, headers: { 'Retry-After': '7' } },
      { status: 503 },
      { body: ': hello\n\n', stays: true },
    ]);
    stream.start();
    await vi.advanceTimersByTimeAsync(6_900);
    expect(server.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(server.asked).toHaveLength(3);
    stream.stop();
  });
  it('does not wait for a connection that died while the machine slept', async () => {
    let now_ms = 0;
    const server = serverOf([{ body: ': hello\n\n', stays: true }, { body: ': hello\n\n', stays: true }]);
    const listener = { onEvent: () => undefined, onConnection: () => undefined };
    const stream = new EventStream('/events', listener, '', { fetch: server.fetch, random: () => 0.5, now: () => now_ms });
    stream.start();
    await vi.advanceTimersByTimeAsync(10);
    now_ms = 10_000;
    stream.hurry(); // A heartbeat may be on its way.
    await vi.advanceTimersByTimeAsync(10);
    expect(server.asked).toHaveLength(1);
    now_ms = 60_000;
    stream.hurry();
    await vi.advanceTimersByTimeAsync(10);
    expect(server.asked).toHaveLength(2);
    stream.stop();
  });
  it('takes no for an answer', async () => {
    const { stream, server, connections } = watched([{ status: 404 }]);
    stream.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.asked).toHaveLength(1);
    expect(connections.at(-1)).toEqual({ type: 'gone' });
  });
  it('is silent after a stop', async () => {
    const { stream, server } = watched([]);
    stream.start();
    await vi.advanceTimersByTimeAsync(1);
    stream.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.asked).toHaveLength(1);
  });
});

it('waits double from try to try, up to ten seconds', () => {
  expect([1, 2, 3, 20].map((failures) => backoff_ms(failures, 1))).toEqual([250, 500, 1_000, 10_000]);
  expect(backoff_ms(3, 0)).toBe(500);
});
