import { expect, test } from 'vitest';
import { meant, type Command } from '../src/lib/palette';

const commands: Command[] = ['Stop', 'Summary', 'Session storage', 'Überblick', 'Download as Word (DOCX)'].map((label) => ({
  id: label,
  kind: '',
  label,
  act: () => undefined,
}));
const found = (typed: string) => meant(typed, commands).map(({ label }) => label);

test('nothing typed finds everything, in its order', () => expect(found('  ')).toEqual(commands.map(({ label }) => label)));
test('letters count in their order, and nothing else is found', () => {
  expect(found('sum')).toEqual(['Summary']);
  expect(found('mus')).toEqual([]);
});
test('the beginnings of words count most', () => expect(found('ss')[0]).toBe('Session storage'));
test('accents need not be typed', () => expect(found('uber')).toEqual(['Überblick']));
test('what is in brackets is found, too', () => expect(found('docx')).toEqual(['Download as Word (DOCX)']));
