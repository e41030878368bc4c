import { expect, test } from 'vitest';
import { diff } from '../src/lib/diff';

const side = (pieces: ReturnType<typeof diff>, left: 'out' | 'in') =>
  pieces.map(({ type, text }) => (type === 'same' || type === left ? text : '')).join('');

test('whatever the texts, both can be read from their difference', () => {
  const words = ['the', 'log', 'decides', 'and', 'a', 'fact', '\n\n', 'is', 'kept.'];
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const text = () => Array.from({ length: random(40) }, () => words[random(words.length)]).join(' ');
  for (let round = 0; round < 500; round++) {
    const [before, after] = [text(), text()];
    const pieces = diff(before, after);
    expect(side(pieces, 'out')).toBe(before);
    expect(side(pieces, 'in')).toBe(after);
  }
});

test('one changed word is one piece out and one in', () => {
  expect(diff('The log decides all.', 'The log decides nothing.')).toEqual([
    { type: 'same', text: 'The log decides ' },
    { type: 'out', text: 'all.' },
    { type: 'in', text: 'nothing.' },
  ]);
});

test('the same text is one piece, and nothing is none', () => {
  expect(diff('a b', 'a b')).toEqual([{ type: 'same', text: 'a b' }]);
  expect(diff('', '')).toEqual([]);
});

test('texts that have nothing in common are shown one after the other', () => {
  const many = (word: string) => Array.from({ length: 3_000 }, (_, n) => `${word}${n}`).join(' ');
  expect(diff(many('a'), many('b')).length).toBeLessThan(10_000);
});
