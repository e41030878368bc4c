import { expect, test } from 'vitest';
import { numbersOf } from '../src/lib/numbers';

const cites = (...keys: string[]) =>
  keys.map((key) => ({ source: key.split(':')[0] ?? '', passage: Number(key.split(':')[1]) }));

test('citations are numbered in reading order, and a passage keeps its number wherever it is cited', () => {
  const numbers = numbersOf([cites('s2:1', 's1:4'), [], cites('s1:4', 's1:1', 's2:1')]);
  expect([...numbers]).toEqual([
    ['s2:1', 1],
    ['s1:4', 2],
    ['s1:1', 3],
  ]);
});
