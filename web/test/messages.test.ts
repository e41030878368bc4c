/** Words with numbers in them, where a number would read oddly. */

import { expect, it } from 'vitest';
import { edit } from '../src/lib/messages';
import type { Estimate } from '../src/lib/types';

it('says of a guess below a second that it is less, and no milliseconds', () => {
  const estimate = { cells: 1, tokens_in: 10, tokens_out: 10, cost: 0, duration_ms: 163 } as Estimate;
  expect(edit.brief(estimate, 1)).toBe('1 section, ≈ 20 tokens, < 1 s');
  expect(edit.brief({ ...estimate, duration_ms: 2_400 }, 1)).toBe('1 section, ≈ 20 tokens, ≈ 2.4 s');
});
