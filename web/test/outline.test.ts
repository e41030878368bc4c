import { expect, it } from 'vitest';
import { outlineOf } from '../src/lib/outline';

it('a typed outline is sections, the last one written from all others', () => {
  const sections = outlineOf('# How it works: the path of one request\n\n- Was fehlt: Ü\nOutline\nHow it works\n', true);
  expect(sections.map(({ id, heading, instructions }) => [id, heading, instructions])).toEqual([
    ['how-it-works', 'How it works', 'the path of one request'],
    ['was-fehlt', 'Was fehlt', 'Ü'],
    ['section', 'Outline', ''],
    ['how-it-works-2', 'How it works', ''],
  ]);
  expect(sections.map((section) => section.depends_on.length)).toEqual([0, 0, 0, 3]);
});

it('no line is no outline', () => expect(outlineOf(' \n\n', true)).toEqual([]));
