import { expect, test } from 'vitest';
import { firstLoadBytes } from '../budget';

const random = (length: number) => Array.from({ length }, () => String.fromCharCode(33 + Math.floor(Math.random() * 90))).join('');
const chunk = (name: string, code: string, imports: string[] = [], isEntry = false) =>
  ({ type: 'chunk', name, code, imports, isEntry }) as const;

test('a first load is the entry, the screen and what they import, once each; what is loaded later does not count', async () => {
  const bundle = {
    'entry.js': chunk('index', random(4_000), ['shared.js'], true),
    'page.js': chunk('DocumentPage', random(3_000), ['shared.js', 'entry.js']),
    'shared.js': chunk('shared', random(2_000)),
    'later.js': chunk('Palette', random(90_000), ['shared.js']),
    'page.css': { type: 'asset' },
  } as const;
  const bytes = await firstLoadBytes(bundle, 'DocumentPage');
  expect(bytes).toBeGreaterThan(6_000);
  expect(bytes).toBeLessThan(9_500);
  expect(await firstLoadBytes(bundle, 'FirstRun')).toBeLessThan(bytes);
});
