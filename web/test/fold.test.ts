/** The recorded logs that Python's fold passes, too: `schemas/vectors/fold*.json`. */

import { describe, expect, it } from 'vitest';
import { created, fold, foldInk, foldInks } from '../src/lib/fold';
import type { Document, Fact, TextAppended } from '../src/lib/types';

interface Vector {
  name: string;
  document_id: string;
  steps: ({ fact: Fact; sequence: number } | { ink: TextAppended })[];
  document: Document;
}

const files = import.meta.glob<Vector | Vector[]>('../../schemas/vectors/*.json', { eager: true, import: 'default' });
const vectors = Object.values(files)
  .flat()
  .filter((vector) => 'steps' in vector);

function foldOf(vector: Vector): Document {
  let document: Document | undefined;
  for (const step of vector.steps) {
    if ('ink' in step) {
      if (document !== undefined) document = foldInk(document, step.ink);
    } else if (document === undefined) {
      document = created(vector.document_id, step.fact, step.sequence);
    } else {
      document = fold(document, step.fact, step.sequence);
    }
  }
  if (document === undefined) throw new Error(`${vector.name} has no fact`);
  return document;
}

describe('the fold agrees with its twin on every recorded log', () => {
  it('has logs to agree on', () => expect(vectors.length).toBeGreaterThan(0));
  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    expect(foldOf(vector)).toEqual(vector.document);
  });
});

/** As the page does it: ink is kept until it is drawn, and folded in at once. */
function foldTogether(vector: Vector): Document {
  const facts = vector.steps.flatMap((step) => ('fact' in step ? [step] : []));
  const inks = vector.steps.flatMap((step) => ('ink' in step ? [step.ink] : []));
  const [first, ...rest] = facts;
  if (first === undefined) throw new Error(`${vector.name} has no fact`);
  let document = created(vector.document_id, first.fact, first.sequence);
  for (const { fact, sequence } of rest) document = fold(document, fact, sequence);
  return foldInks(document, inks);
}

describe('ink that is folded in late and together comes to the same document', () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    expect(foldTogether(vector)).toEqual(vector.document);
  });
});

/** A page that comes late, or again, is sent a snapshot and what follows it. */
function foldFrom(vector: Vector, cut: number): Document {
  const shown: Document = JSON.parse(JSON.stringify(foldOf({ ...vector, steps: vector.steps.slice(0, cut) })));
  return vector.steps
    .slice(cut)
    .reduce((document, step) => ('ink' in step ? foldInk(document, step.ink) : fold(document, step.fact, step.sequence)), shown);
}

describe('a snapshot and what follows it come to the same document, wherever it was made', () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    for (let cut = 1; cut <= vector.steps.length; cut += 1) expect(foldFrom(vector, cut)).toEqual(vector.document);
  });
});

describe('text is counted in code points', () => {
  const base: Document = created(
    'd',
    {
      type: 'DocumentCreated',
      at_ms: 0,
      title: '',
      brief: '',
      policy: {
        model: null,
        on_last_viewer_left: 'pause',
        grace_ms: 0,
        deadline_s: 1,
        budget: null,
        cell_budget: null,
        cell_tokens_max: null,
        cell_deadline_s: null,
        cache: 'document',
        updates: 'auto',
        plan_first: false,
      },
      sources: [],
      outline: [],
      estimate: null,
    },
    1,
  );
  const ink = (offset: number, text: string): TextAppended => ({
    type: 'TextAppended',
    cell: 'constructor',
    attempt: 1_001_001,
    offset,
    text,
  });
  const textOf = (document: Document) => document.cells['constructor']?.ink?.text;

  it('an astral character is one', () => {
    const document = [ink(0, 'a🦉'), ink(2, 'b')].reduce(foldInk, base);
    expect(textOf(document)).toBe('a🦉b');
  });
  it('an overlap is skipped, and early text waits', () => {
    const document = [ink(5, 'tail'), ink(0, '🦉🦉'), ink(1, '🦉xy'), ink(4, 'z')].reduce(foldInk, base);
    expect(textOf(document)).toBe('🦉🦉xyztail');
  });
  it('what changes nothing is the same object', () => {
    const document = foldInk(base, ink(0, 'abc'));
    expect(foldInk(document, ink(0, 'ab'))).toBe(document);
  });
});
