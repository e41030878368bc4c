import { describe, expect, it } from 'vitest';
import vectors from '../../schemas/vectors/references.json';
import { markersOf, visible } from '../src/lib/citations';
import { numbersOf } from '../src/lib/numbers';
import type { Document } from '../src/lib/types';
import { cellsOfSection } from '../src/lib/view';

describe('citations are numbered as Python numbers them', () => {
  it.each(vectors)('$name', ({ outline, sources, texts, numbers }) => {
    const byCell = new Map(texts.map(([cell, text]) => [cell, markersOf(visible(text ?? ''))]));
    const document = { outline, sources: Object.fromEntries(sources.map((id) => [id, {}])) } as unknown as Document;
    const cells = document.outline.flatMap((section) => cellsOfSection(document, section));
    const found = numbersOf(cells.map((cell) => byCell.get(cell) ?? []));
    expect([...found]).toEqual(numbers.map(([source, passage], at) => [`${source}:${passage}`, at + 1]));
  });
});
