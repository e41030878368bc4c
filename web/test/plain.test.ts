import { expect, test } from 'vitest';
import { citedPieces, lexed, plain } from '../src/lib/markdown';

test('a cell of a table shows words and citations, and none of the Markdown around them', () => {
  const { blocks } = lexed('**Yes**, it *is* `safe`. [[s1:3 "a | b"]]\n\n- one\n- [two](https://example.org)');
  expect(citedPieces(plain(blocks, 200)).map((piece) => (typeof piece === 'string' ? piece.trim() : piece))).toEqual([
    'Yes, it is safe.',
    0,
    'one two',
  ]);
});

test('and no more of them than there is room for', () => {
  expect(plain(lexed('word '.repeat(1_000)).blocks, 50).length).toBeLessThanOrEqual(6_000);
  expect(plain(lexed('A paragraph.\n\n'.repeat(100)).blocks, 50).length).toBeLessThan(100);
});

test('a citation stands at its word, with no space between', () => {
  expect(citedPieces(plain(lexed('It is safe. [[s1:3]] Still.').blocks, 200))).toEqual(['It is safe.', 0, ' Still. ']);
});
