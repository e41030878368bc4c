import { describe, expect, it } from 'vitest';
import vectors from '../../schemas/vectors/sums.json';
import { summed } from '../src/lib/sums';
import type { Column } from '../src/lib/types';

describe('a column is summed up as Python sums it up', () => {
  it.each(vectors)('$name', ({ format, options, texts, sums }) => {
    expect(summed({ format: format as Column['format'], options }, texts)).toEqual(sums);
  });
});
