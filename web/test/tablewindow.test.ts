import { expect, test } from 'vitest';
import { reaching, rowsInSight, spread, stepped, towards, type Rows } from '../src/lib/tablewindow';

const has = (rows: Rows, others: Rows) => rows.from <= others.from && rows.to >= others.to;

test('rows come a few at a time, those in sight first, wherever the table is scrolled to and from', () => {
  const rows = 1_000;
  const count = 2;
  for (const start of [0, 40, 500, 990]) {
    for (let top = 0; top <= 80 * rows - 640; top += 3_701) {
      const sight = rowsInSight(top, 640, 80, rows);
      let have: Rows = { from: start, to: Math.min(start + 30, rows) };
      let frames = 0;
      for (let next = towards(have, sight, rows, count); next.from !== have.from || next.to !== have.to; frames++) {
        const kept = Math.max(Math.min(have.to, next.to) - Math.max(have.from, next.from), 0);
        expect(next.to - next.from - kept).toBeLessThanOrEqual(count);
        if (!has(next, sight)) expect(has({ from: Math.min(have.from, sight.from), to: Math.max(have.to, sight.to) }, next)).toBe(true);
        [have, next] = [next, towards(next, sight, rows, count)];
        expect(have.from).toBeGreaterThanOrEqual(0);
      }
      expect(has(have, sight)).toBe(true);
      expect(have.to - have.from).toBeLessThan(30);
      expect(frames).toBeLessThan(20);
    }
  }
});

test('a table without rows has none in sight, and one that has become shorter has none of those that are gone', () => {
  expect(rowsInSight(0, 640, 80, 0)).toEqual({ from: 0, to: 0 });
  expect(towards({ from: 0, to: 0 }, { from: 0, to: 0 }, 0, 2)).toEqual({ from: 0, to: 0 });
  expect(towards({ from: 80, to: 100 }, rowsInSight(7_000, 640, 80, 90), 90, 2).to).toBeLessThanOrEqual(90);
});

test('the row that a key leads to is there at once, and no others for its sake where it is far away', () => {
  expect(reaching({ from: 0, to: 20 }, 24)).toEqual({ from: 0, to: 25 });
  expect(reaching({ from: 50, to: 70 }, 47)).toEqual({ from: 47, to: 70 });
  expect(reaching({ from: 0, to: 20 }, 999)).toEqual({ from: 999, to: 1_000 });
});

test('keys move within the table and stop at its edges', () => {
  expect(stepped({ row: 0, column: 0 }, 'ArrowUp', 5, 3)).toEqual({ row: 0, column: 0 });
  expect(stepped({ row: 4, column: 1 }, 'PageUp', 5, 3)).toEqual({ row: 0, column: 1 });
  expect(stepped({ row: 2, column: 0 }, 'End', 5, 3)).toEqual({ row: 2, column: 2 });
  expect(stepped({ row: 2, column: 2 }, 'ArrowRight', 5, 3)).toEqual({ row: 2, column: 2 });
  expect(stepped({ row: 2, column: 2 }, 'x', 5, 3)).toBeNull();
});

test('a sample is spread over the whole table, and as large as it was asked for', () => {
  const rows = Array.from({ length: 50 }, (_, at) => at);
  for (const count of [1, 3, 10, 50]) {
    const found = spread(rows, count);
    expect(found.length).toBe(count);
    const gaps = found.slice(1).map((row, at) => row - (found[at] ?? 0));
    if (gaps.length > 0) expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
  }
  expect(spread(rows, 99)).toEqual(rows);
});
