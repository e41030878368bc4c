import { expect, test } from 'vitest';
import { rowsInSight, spread, stepped } from '../src/lib/tablewindow';

test('every row in sight is there, wherever the table is scrolled to, and few others are', () => {
  for (let top = 0; top <= 80 * 1_000 - 640; top += 37) {
    const { from, to } = rowsInSight(top, 640, 80, 1_000);
    expect(from).toBeLessThanOrEqual(Math.floor(top / 80));
    expect(to).toBeGreaterThanOrEqual(Math.min(Math.ceil((top + 640) / 80), 1_000));
    expect(to - from).toBeLessThan(60);
  }
});

test('a table without rows has none in sight', () => {
  expect(rowsInSight(0, 640, 80, 0)).toEqual({ from: 0, to: 0 });
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
