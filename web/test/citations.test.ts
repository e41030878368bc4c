/** The recorded cases that Python's twin passes, too: `schemas/vectors/citations.json`. */

import { describe, expect, it } from 'vitest';
import recorded from '../../schemas/vectors/citations.json';
import { claimOf, findQuote, markersOf, unwrapped, visible } from '../src/lib/citations';
import { codePoints } from '../src/lib/codepoints';

const passages: Record<string, Record<string, string>> = recorded.passages;

describe('markers are found as recorded', () => {
  it.each(recorded.cases.map((one) => [one.name, one] as const))('%s', (_name, one) => {
    const found = markersOf(one.text).map((marker) => ({
      start: codePoints(one.text.slice(0, marker.start)),
      end: codePoints(one.text.slice(0, marker.end)),
      source: marker.source,
      passage: marker.passage,
      quote: marker.quote,
      verified: findQuote(marker.quote, passages[marker.source]?.[marker.passage] ?? '') !== null,
    }));
    expect(found).toEqual(one.citations);
    expect(visible(one.text)).toBe(one.visible);
  });
});

it('a quote is lit where it stands, however it was set', () => {
  const passage = 'It’s called “grace” – ten\n  seconds 🦉 by default…';
  const found = findQuote("called 'GRACE' - ten seconds 🦉", passage);
  expect(passage.slice(...(found ?? [0, 0]))).toBe('called “grace” – ten\n  seconds 🦉');
});

it('a claim is the sentence before its marker', () => {
  const text = 'First one.\n\nIt costs 3.5 ms. A lease expires by itself [[s1:1 "a"]], they say.';
  const [marker] = markersOf(text);
  if (marker === undefined) throw new Error('no marker');
  expect(claimOf(text, marker)).toBe('A lease expires by itself');
});

it('lines that were only wrapped are joined, lists are not', () => {
  const wrapped = 'A line that is long enough to have been wrapped by its writer,\nand goes on.\n\n- one\n- two';
  expect(unwrapped(wrapped)).toBe(wrapped.replace(',\n', ', '));
});
