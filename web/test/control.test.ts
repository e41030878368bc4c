/** The control room's view models: from facts to what is shown. */

import { describe, expect, it } from 'vitest';
import { Counting, openNow, quantile } from '../src/lib/control/counters';
import { AFTER_MS_MIN, flagOf, reached_ms } from '../src/lib/control/flags';
import { distinctive, graphOf } from '../src/lib/control/graph';
import { busiestWriter, House, pidOf } from '../src/lib/control/house';
import { attemptName, filtered, gist, indented, lineOf, Lines, LINE_KINDS, type Line, type Note } from '../src/lib/control/operations';
import { agree, GAP_MS_MAX, played, playTime_ms, Replay } from '../src/lib/control/replay';
import { wasSeen } from '../src/lib/control/tour';
import { drawn, rowsShown, stepped, ticks, waterfallOf, type Attempt, type Bar, type Call } from '../src/lib/control/waterfall';
import { fold, created } from '../src/lib/fold';
import type { Document, Fact } from '../src/lib/types';

interface Vector {
  name: string;
  document_id: string;
  steps: ({ fact: Fact; sequence: number } | { ink: unknown })[];
}

const files = import.meta.glob<Vector[]>('../../schemas/vectors/fold*.json', { eager: true, import: 'default' });
const vectors = Object.values(files).flat();

const A = 1_001_001;
const at = (fact: Partial<Fact> & { type: Fact['type']; at_ms: number }): Fact => fact as Fact;
const queued = (at_ms: number, cell: string, job = 1) => at({ type: 'CellQueued', at_ms, cell, revision: 1, job, input_digest: 'd', lane: 'interactive', deadline_ms: 9e9 });
const started = (at_ms: number, cell: string, attempt = A, writer = 'writer-7-a') =>
  at({ type: 'AttemptStarted', at_ms, cell, attempt, writer, model: 'm', fell_back_from: '', tries_max: 6 });
const log = (...facts: Fact[]) => facts.map((event, index) => ({ event, sequence: index + 1 }));
const barsOf = (...facts: Fact[]) => waterfallOf(log(...facts)).rows.flatMap((row) => row.bars);
const attemptsIn = (bars: readonly Bar[]) => bars.filter((bar): bar is Attempt => bar.kind === 'attempt');
const callsIn = (bars: readonly Bar[]) => bars.filter((bar): bar is Call => bar.kind === 'call');

describe('the waterfall', () => {
  it('waits in the queue until an attempt begins', () => {
    const [wait, attempt] = barsOf(queued(10, 'a'), started(25, 'a'));
    expect(wait).toMatchObject({ kind: 'wait', from_ms: 10, to_ms: 25 });
    expect(attempt).toMatchObject({ kind: 'attempt', from_ms: 25, to_ms: null, end: 'running' });
  });

  it('has a row for each cell that was queued together', () => {
    const both = at({ type: 'CellsQueued', at_ms: 5, cells: [queued(5, 'a'), queued(5, 'b')] as never });
    expect(waterfallOf(log(both)).rows.map((row) => row.cell)).toEqual(['a', 'b']);
  });

  it('rests between a failed try and the next one, and no longer than to its beginning', () => {
    const failed = at({ type: 'AttemptFailed', at_ms: 30, cell: 'a', attempt: A, kind: 'overloaded', message: '', model: 'm', retry_at_ms: 80, next_model: 'n' });
    const bars = barsOf(queued(0, 'a'), started(10, 'a'), failed, started(60, 'a', A + 1));
    expect(attemptsIn(bars).map((bar) => bar.end)).toEqual(['failed', 'running']);
    expect(bars.find((bar) => bar.kind === 'rest')).toMatchObject({ from_ms: 30, to_ms: 60 });
  });

  it('says of an attempt whose writer died that it was lost, and of its call that nobody knows', () => {
    const bars = barsOf(queued(0, 'a'), started(10, 'a'), started(50, 'a', 1_002_001, 'writer-8-b'));
    expect(attemptsIn(bars).map((bar) => [bar.end, bar.to_ms])).toEqual([['lost', 50], ['running', null]]);
    expect(callsIn(bars).map((bar) => bar.outcome)).toEqual(['unknown', 'open']);
  });

  it('shows a hedge that lost as a call of its own', () => {
    const hedge = at({ type: 'CallReserved', at_ms: 20, cell: 'a', attempt: A, call: 2, model: 'n' });
    const lost = at({ type: 'CallSettled', at_ms: 40, cell: 'a', attempt: A, call: 2, model: 'n', outcome: 'lost_race', duration_ms: 15 });
    expect(callsIn(barsOf(started(10, 'a'), hedge, lost))[1]).toMatchObject({ call: 2, outcome: 'lost_race', from_ms: 20, to_ms: 35 });
  });

  it('ends a stopped attempt when its sockets were closed', () => {
    const receipt = at({ type: 'AttemptCancelled', at_ms: 50, cell: 'a', attempt: A, reason: 'stopped', asked_at_ms: 40, closed_at_ms: 44 });
    expect(attemptsIn(barsOf(started(10, 'a'), receipt))[0]).toMatchObject({ end: 'cancelled', to_ms: 44 });
  });

  it('ends the waiting of a cell that was stopped in the queue, and of no other', () => {
    const stopped = at({ type: 'CellStopped', at_ms: 20, cell: 'a', job: 1, asked_at_ms: 19 });
    const { rows } = waterfallOf(log(queued(0, 'a'), queued(0, 'b'), stopped));
    expect(rows.map((row) => row.bars[0]?.to_ms)).toEqual([20, null]);
  });

  it('never ends a bar before it begins, whatever log there is', () => {
    for (const vector of vectors) {
      const facts = vector.steps.flatMap((step) => ('fact' in step ? [{ event: step.fact, sequence: step.sequence }] : []));
      for (const bar of waterfallOf(facts).rows.flatMap((row) => row.bars)) {
        expect(bar.to_ms ?? Infinity, `${vector.name} ${bar.kind}`).toBeGreaterThanOrEqual(bar.from_ms);
      }
    }
  });

  it('draws no more bars than it may, and leaves out the narrowest', () => {
    const facts = Array.from({ length: 50 }, (_, n) => started(n * 10, `c${n}`)).concat(
      Array.from({ length: 50 }, (_, n) => at({ type: 'CellFailed', at_ms: n * 10 + n, cell: `c${n}`, revision: 1, job: 1, kind: 'cut', message: '' })),
    );
    const { rows } = waterfallOf(log(...facts));
    const found = drawn(rows, { from_ms: 0, to_ms: 600, width: 600 }, 600, 20);
    expect(found).toHaveLength(20);
    expect(Math.min(...found.map((one) => one.width))).toBeGreaterThan(2);
  });

  it('draws only what touches the window', () => {
    const { rows } = waterfallOf(log(started(10, 'a'), at({ type: 'CellFailed', at_ms: 20, cell: 'a', job: 1, kind: 'cut' }), started(90, 'b')));
    expect(new Set(drawn(rows, { from_ms: 50, to_ms: 100, width: 10 }, 100).map((one) => one.bar.cell))).toEqual(new Set(['b']));
  });

  it('is walked by the arrow keys, and stays at its ends', () => {
    const { rows } = waterfallOf(log(queued(0, 'a'), started(10, 'a'), queued(0, 'b'), started(12, 'b')));
    const first = stepped(rows, null, 'ArrowRight');
    expect(first).toMatchObject({ cell: 'a', kind: 'wait' });
    const second = stepped(rows, first, 'ArrowRight');
    expect(stepped(rows, second, 'ArrowDown')).toMatchObject({ cell: 'b', from_ms: 12 });
    expect(stepped(rows, first, 'ArrowUp')).toBe(first);
    expect(stepped(rows, first, 'End')).toMatchObject({ cell: 'b', kind: 'call' });
  });

  it('leaves out what went straight, on demand', () => {
    const failed = at({ type: 'AttemptFailed', at_ms: 30, cell: 'b', attempt: A, kind: 'cut', message: '', model: 'm', retry_at_ms: null, next_model: '' });
    const fallback = at({ type: 'AttemptStarted', at_ms: 1, cell: 'c', attempt: A, writer: 'w', model: 'n', fell_back_from: 'm', tries_max: 6 });
    const hedge = at({ type: 'CallReserved', at_ms: 20, cell: 'd', attempt: A, call: 2, model: 'm' });
    const { rows } = waterfallOf(log(started(0, 'a'), started(0, 'b'), failed, fallback, started(0, 'd'), hedge));
    expect(rowsShown(rows, 'detours').map((row) => row.cell)).toEqual(['b', 'c', 'd']);
    expect(rowsShown(rows, 'running').map((row) => row.cell)).toEqual(['a', 'c', 'd']);
    expect(rowsShown(rows, 'all')).toEqual(rows);
  });

  it('has an axis of round times', () => {
    expect(ticks(100, 10_100, 6)).toEqual([100, 2_100, 4_100, 6_100, 8_100, 10_100]);
  });
});

describe('the timeline', () => {
  const turned = (at_ms: number) => flagOf({ type: 'DialsTurned', at_ms, dials: {}, model: '*' } as unknown as Note) ?? expect.fail('no flag');

  it('reaches to its last flag, though the document had ended', () => {
    expect(reached_ms(0, 600_000, [])).toBe(600_000);
    expect(reached_ms(0, 600_000, [turned(900_000), turned(300_000)])).toBe(900_000);
  });

  it('gives no more than half of itself, or a minute, to what came after', () => {
    expect(reached_ms(0, 600_000, [turned(86_400_000)])).toBe(1_200_000);
    expect(reached_ms(0, 2_000, [turned(86_400_000)])).toBe(2_000 + AFTER_MS_MIN);
  });
});

describe('the graph', () => {
  const section = (id: string, ...depends_on: string[]) => ({ id, heading: id, instructions: '', depends_on, columns: [] });

  it('stands what is depended on to the left, and overlaps nothing', () => {
    const { nodes, edges } = graphOf([section('a'), section('b'), section('sum', 'a', 'b', 'gone')]);
    const [a, b, sum] = nodes;
    expect(a?.x).toBeLessThan(sum?.x ?? 0);
    expect(a?.y).not.toBe(b?.y);
    expect(edges.map((edge) => `${edge.from}>${edge.to}`).sort()).toEqual(['a>sum', 'b>sum']);
  });

  it('names a section by what others do not begin with', () => {
    const all = ['Exercise: adding', 'Exercise: closing', 'Part: one', 'Summary'];
    expect(all.map((heading) => distinctive(heading, all))).toEqual(['Adding', 'Closing', 'Part: one', 'Summary']);
  });

  it('has nothing to show before there is an outline', () => expect(graphOf([]).nodes).toEqual([]));
});

describe('the counters', () => {
  const receipt = (asked_at_ms: number, closed_at_ms: number) =>
    at({ type: 'AttemptCancelled', at_ms: closed_at_ms, cell: 'a', attempt: A, reason: 'stopped', asked_at_ms, closed_at_ms });

  it('measures each stop from the wish to the closed socket, and counts those that were late', () => {
    const counting = new Counting();
    for (const fact of [receipt(0, 30), receipt(0, 40), receipt(0, 900)]) counting.take(fact);
    const counters = counting.counters(null, 0);
    expect(counters.stops_ms).toEqual([30, 40, 900]);
    expect(counters.callsAfterStop).toBe(1);
  });

  it('counts a call that begins while the document is paused', () => {
    const counting = new Counting();
    for (const fact of [at({ type: 'DocumentPaused', at_ms: 1, reason: 'stop_asked', asked_at_ms: 1 }), started(2, 'a')]) counting.take(fact);
    expect(counting.counters(null, 0).callsAfterStop).toBe(1);
  });

  it('counts a call that begins for a cell that was stopped, and not one for a cell that was asked for again', () => {
    const counting = new Counting();
    counting.take(at({ type: 'CellStopped', at_ms: 1, cell: 'a', job: 1, asked_at_ms: 1 }));
    for (const fact of [started(2, 'b'), started(3, 'a', 2_001_001)]) counting.take(fact);
    expect(counting.counters(null, 0).callsAfterStop).toBe(0);
    counting.take(started(4, 'a'));
    expect(counting.counters(null, 0).callsAfterStop).toBe(1);
  });

  it('counts a call of a cell that was stopped whose receipt is late, though the document goes on', () => {
    const cells = (closed_at_ms: number | null, asked_at_ms: number | null) =>
      ({ run: { type: 'Running' }, cells: { a: { state: { type: 'Cancelled', at_ms: 1_000, closed_at_ms, asked_at_ms } } } }) as unknown as Document;
    const late = (document: Document, now_ms: number) => new Counting().counters(document, now_ms).callsAfterStop;
    expect(late(cells(null, 990), 1_200)).toBe(0);
    expect(late(cells(null, 990), 1_300)).toBe(1);
    expect(late(cells(1_020, 990), 1_300)).toBe(0);
  });

  it('does not count a call as open that was lost with its writer', () => {
    const cell = (attempt: number, state: object) => ({ attempt, state });
    const document = {
      cells: { a: cell(A, { type: 'Writing' }), b: cell(A + 1_000, { type: 'Writing' }), c: cell(A, { type: 'Cancelled', closed_at_ms: 9 }) },
      open_calls: { [`a/${A}/1`]: {}, [`a/${A}/2`]: {}, [`b/${A}/1`]: {}, [`b/${A + 1_000}/1`]: {}, [`c/${A}/1`]: {} },
    } as unknown as Document;
    expect(openNow(document)).toBe(3);
    expect(openNow(null)).toBe(0);
  });

  it('has quantiles by nearest rank', () => {
    expect(quantile([], 0.5)).toBeNull();
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2);
    expect(quantile(Array.from({ length: 100 }, (_, n) => n + 1), 0.99)).toBe(99);
  });
});

describe('the replay', () => {
  const longest = vectors.reduce((best, vector) => (vector.steps.length > best.steps.length ? vector : best));
  // As a log has them: some vectors tell repeats and disorder on purpose.
  const facts = longest.steps
    .flatMap((step) => ('fact' in step ? [step] : []))
    .sort((a, b) => a.sequence - b.sequence)
    .filter((step, index, all) => step.sequence !== all[index - 1]?.sequence);

  it('has at every moment what the fold of the log up to there has', () => {
    const replay = new Replay('d');
    for (const { fact, sequence } of facts) replay.take(fact, sequence);
    let document: Document | null = null;
    facts.forEach(({ fact, sequence }, index) => {
      document = document === null ? created('d', fact, sequence) : fold(document, fact, sequence);
      expect(replay.at(index + 1)).toEqual(document);
    });
    expect(replay.at(0)).toBeNull();
    expect(replay.newest).toEqual(document);
  });

  it('begins where the log begins, if what was before that was removed', () => {
    const whole = new Replay('d');
    for (const { fact, sequence } of facts) whole.take(fact, sequence);
    for (let cut = 1; cut < facts.length; cut += 1) {
      const base = whole.at(cut) as Document;
      const replay = new Replay('d');
      replay.begin(base);
      for (const { fact, sequence } of facts) replay.take(fact, sequence);
      expect(replay.at(0)).toEqual(base);
      expect(replay.facts).toHaveLength(facts.length - cut);
      expect(replay.newest).toEqual(whole.newest);
      expect(replay.at(1)).toEqual(whole.at(cut + 1));
    }
  });

  it('goes over its checkpoints without a seam, and takes no fact twice', () => {
    const replay = new Replay('d');
    const first = facts[0];
    if (first === undefined) throw new Error('the vectors have no facts');
    replay.take(first.fact, 1);
    for (let n = 2; n <= 400; n++) replay.take(queued(n, `c${n}`, 1), n);
    replay.take(queued(9, 'again'), 400);
    expect(replay.facts).toHaveLength(400);
    for (const count of [127, 128, 129, 256, 300, 400]) expect(replay.at(count)?.sequence).toBe(count);
    expect(replay.countAt(256)).toBe(256);
  });

  it('is played at the speed of its facts, without its pauses', () => {
    const times = [0, 100, 200, 60_000, 60_100].map((at_ms, n) => ({ event: queued(at_ms, `c${n}`), sequence: n + 1, json: '' }));
    expect(playTime_ms(times)).toBe(100 + 100 + GAP_MS_MAX + 100);
    expect(played(times, 1, 99)).toBe(1);
    expect(played(times, 1, 100)).toBe(2);
    expect(played(times, 1, 200 + GAP_MS_MAX)).toBe(4);
    expect(played(times, 4, 100)).toBe(5);
  });

  it('knows what had happened at a sequence', () => {
    const replay = new Replay('d');
    for (const { fact, sequence } of facts) replay.take(fact, sequence);
    for (const wanted of [0, 1, facts.at(-1)?.sequence ?? 0, 1e9]) {
      expect(replay.countAt(wanted)).toBe(facts.filter(({ sequence }) => sequence <= wanted).length);
    }
  });

  it('agrees with another fold whatever the order of its fields and its ink, and with no other document', () => {
    const replay = new Replay('d');
    for (const { fact, sequence } of facts) replay.take(fact, sequence);
    const ours = replay.newest as Document;
    const shuffled = JSON.parse(JSON.stringify(ours)) as Document;
    const reordered = Object.fromEntries(Object.entries(shuffled).reverse()) as unknown as Document;
    expect(agree(ours, reordered)).toBe(true);
    expect(agree(ours, { ...ours, title: 'another' })).toBe(false);
  });
});

describe('the log', () => {
  const line = (event: object, kind = 'fact', number = 1) =>
    lineOf(`{"kind":"${kind}","subject":"doc.x","at_ms":1,"sequence":5,"event":${JSON.stringify(event)}}`, number);

  it('keeps the event as it was on the bus, to the letter', () => {
    const json = '{"type":"CellCompleted",  "text":"\\u00e9 \\"event\\":1"}';
    expect(lineOf(`{"kind":"fact","subject":"doc.x","at_ms":1,"sequence":5,"event":${json}}`, 1).json).toBe(json);
  });

  it('tells what happened from how things are', () => {
    expect(line({ type: 'QueuesSampled', queues: [] }, 'sample').shown).toBe('sample');
    expect(line({ type: 'ProcessKilled', process: 'writer-1', pid: 3 }, 'sample').shown).toBe('note');
  });

  it('is indented between its tokens, which stay as they are', () => {
    const json = '{"text":"a {b: [\\"1\\", 2]},","n":1.50,"none":{},"list":[1e3,null,"\\\\"],"deep":[{"x":[]}]}';
    expect(indented(json).replaceAll(/\n */g, '').replaceAll('": ', '":')).toBe(json);
    expect(indented('{"a":[1,{"b":[]}]}')).toBe('{\n  "a": [\n    1,\n    {\n      "b": []\n    }\n  ]\n}');
  });

  it('is filtered by kind and by every word', () => {
    const lines = [line(started(1, 'intro')), line({ type: 'WriteCell', cell: 'intro' }, 'job'), line(started(1, 'end'))];
    const found = (words: string, kinds: readonly (typeof LINE_KINDS)[number][] = LINE_KINDS) =>
      filtered(lines, { kinds: new Set(kinds), words }).map((one) => lines.indexOf(one));
    expect(found('')).toEqual([0, 1, 2]);
    expect(found('INTRO')).toEqual([0, 1]);
    expect(found('intro attemptstarted')).toEqual([0]);
    expect(found('', ['job'])).toEqual([1]);
  });

  it('lets the oldest lines go', () => {
    const lines = new Lines(100);
    for (let n = 0; n < 1_000; n++) lines.add(line({ type: 'x' }, 'ink', n));
    expect(lines.kept.length).toBeLessThanOrEqual(125);
    expect(lines.kept.at(-1)?.number).toBe(999);
  });

  it('names an attempt by job, delivery and try', () => {
    expect(attemptName(1_002_003)).toBe('1.2.3');
    expect(gist(line(started(1, 'intro')) as Line)).toContain('intro · attempt 1.1.1');
  });
});

describe('the house', () => {
  const processes = [
    { name: 'nats-server', pid: 1, state: 'running' },
    { name: 'writer-1', pid: 7, state: 'running' },
    { name: 'writer-2', pid: 8, state: 'running' },
    { name: 'writer-3', pid: 9, state: 'frozen' },
  ] as const;
  const writing = (writer: string) => ({ state: { type: 'Writing', writer } });
  const document = (...writers: string[]) =>
    ({ cells: Object.fromEntries(writers.map((writer, n) => [`c${n}`, writing(writer)])) }) as unknown as Document;

  it('knows the writer with the most in hand, among those that run', () => {
    expect(busiestWriter(processes, document('writer-7-a', 'writer-8-b', 'writer-8-b', 'writer-9-c', 'writer-9-c', 'writer-9-c'))?.name).toBe('writer-2');
    expect(busiestWriter(processes, null)?.name).toBe('writer-1');
    expect(busiestWriter([], null)).toBeNull();
  });

  it('reads a process id from a writer’s name', () => {
    expect(pidOf('writer-4711-af')).toBe(4711);
    expect(pidOf('somebody')).toBe(0);
  });

  it('forgets a caller that has fallen silent', () => {
    const house = new House();
    const caller = { type: 'CallerSampled', at_ms: 0, name: 'w', service: 'writer', jobs: 1, slots: 2 } as const;
    const models = [{ model: 'm', in_flight: 3, waiting: 0, limit: 8, breaker: 'open', first_token_p50_ms: null, first_token_p95_ms: null, retries: 0, hedges: 0, hedges_won: 0 }] as const;
    house.take({ ...caller, models }, 0);
    house.take({ type: 'QueuesSampled', at_ms: 1_000, queues: [{ name: 'q', waiting: 2, taken: 1, redelivered: 0 }] }, 3);
    expect(house.points.at(-1)).toEqual({ at_ms: 1_000, open: 3, limit: 8, waiting: 2 });
    expect(house.openBreakers).toBe(1);
    house.take({ type: 'QueuesSampled', at_ms: 60_000, queues: [] }, 0);
    expect(house.points.at(-1)).toMatchObject({ limit: 0 });
  });
});

describe('the tour notices', () => {
  const failed = at({ type: 'AttemptFailed', at_ms: 2, cell: 'a', attempt: A, kind: 'cut', message: '', model: 'm', retry_at_ms: 9, next_model: 'm' });
  const note = (note: object) => ({ at_ms: 3, ...note }) as Note;
  const killed = note({ type: 'ProcessKilled', process: 'writer-1', pid: 7 });
  const other = started(9, 'a', 1_002_001, 'writer-8-b');

  it('a try that failed, once the same cell is tried again', () => {
    expect(wasSeen('errors', { before: [], since: [failed] })).toBe(false);
    expect(wasSeen('errors', { before: [], since: [failed, started(4, 'b')] })).toBe(false);
    expect(wasSeen('errors', { before: [], since: [failed, started(4, 'a', A + 1)] })).toBe(true);
  });

  it('a killed writer, once another took over what it had in hand', () => {
    const before = [started(1, 'a')];
    expect(wasSeen('kill', { before, since: [killed] })).toBe(false);
    expect(wasSeen('kill', { before, since: [killed, started(5, 'b', A, 'writer-8-b')] })).toBe(false);
    expect(wasSeen('kill', { before, since: [killed, other] })).toBe(true);
    expect(wasSeen('kill', { before: [], since: [killed, other] })).toBe(false);
  });

  it('a hedge, once one of two calls has lost', () => {
    const hedge = at({ type: 'CallReserved', at_ms: 2, cell: 'a', attempt: A, call: 2, model: 'm' });
    const settled = (cell: string, outcome: 'finished' | 'lost_race') => at({ type: 'CallSettled', at_ms: 3, cell, attempt: A, call: 1, model: 'm', outcome, duration_ms: 1 });
    expect(wasSeen('hedge', { before: [], since: [settled('a', 'lost_race'), hedge] })).toBe(false);
    expect(wasSeen('hedge', { before: [], since: [hedge, settled('b', 'lost_race'), settled('a', 'finished')] })).toBe(false);
    expect(wasSeen('hedge', { before: [], since: [hedge, settled('a', 'finished'), settled('a', 'lost_race')] })).toBe(true);
  });

  it('a changed source, once what depends on it was written, and only if something did not', () => {
    const edit = at({ type: 'SourceReplaced', at_ms: 3 });
    const done = (cell: string) => at({ type: 'CellCompleted', at_ms: 5, cell });
    const before = [queued(1, 'a'), queued(1, 'b'), done('a'), done('b')];
    expect(wasSeen('edit', { before, since: [edit] })).toBe(false);
    expect(wasSeen('edit', { before, since: [queued(2, 'b'), done('b')] })).toBe(false);
    expect(wasSeen('edit', { before, since: [edit, queued(4, 'b', 2)] })).toBe(false);
    expect(wasSeen('edit', { before, since: [edit, queued(4, 'b', 2), done('b')] })).toBe(true);
    expect(wasSeen('edit', { before, since: [edit, queued(4, 'a', 2), queued(4, 'b', 2), done('a'), done('b')] })).toBe(false);
  });

  it('a replay that came to its end', () => {
    expect(wasSeen('replay', { before: [], since: [started(1, 'a')] })).toBe(false);
    expect(wasSeen('replay', { before: [], since: [{ type: 'Replayed' }] })).toBe(true);
  });

  it('a tab that was closed, by what followed', () => {
    const left = at({ type: 'LastViewerLeft', at_ms: 1, pauses_at_ms: 9 });
    expect(wasSeen('tab', { before: [], since: [left] })).toBe(false);
    expect(wasSeen('tab', { before: [], since: [left, at({ type: 'ViewerReturned', at_ms: 2 })] })).toBe(true);
    expect(wasSeen('tab', { before: [], since: [left, at({ type: 'DocumentPaused', at_ms: 2, reason: 'last_viewer_left', asked_at_ms: 2 })] })).toBe(true);
  });
});
