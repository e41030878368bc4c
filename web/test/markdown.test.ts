import { describe, expect, it } from 'vitest';
import { GrowingText, lexed, safeHref } from '../src/lib/markdown';

const TEXT = `# One

A *claim* with a quote. [[s1:3 "a | b * c _ d"]] And **another.**[[s2:1]]

- first
- second [[s1:3]]

| a | b |
|---|---|
| x [[s1:4 "p|q"]] | y |

\`\`\`sh
if [[ $x ]]; then
\`\`\`

Last words.`;

const strip = (blocks: unknown) => JSON.parse(JSON.stringify(blocks)) as unknown;
const solid = (blocks: readonly { type: string }[]) => blocks.filter((block) => block.type !== 'space');

describe('a growing text', () => {
  it('ends as the whole text would be read, however it was cut', () => {
    for (const step of [1, 3, 17]) {
      const growing = new GrowingText();
      let last = growing.update('');
      for (let length = step; length < TEXT.length + step; length += step) last = growing.update(TEXT.slice(0, length));
      expect(strip(solid(last.blocks))).toEqual(strip(solid(lexed(TEXT).blocks)));
      expect(last.markers).toHaveLength(4);
    }
  });
  it('keeps committed blocks as the same objects', () => {
    const growing = new GrowingText();
    const [first] = growing.update('One.\n\nTwo').blocks;
    expect(growing.update('One.\n\nTwo and more').blocks[0]).toBe(first);
  });
  it('never shows the beginning of a marker', () => {
    const growing = new GrowingText();
    const whole = 'Words [[s1:12 "exact words"]] after';
    for (let length = 1; length <= whole.length; length++) {
      const shown = growing.update(whole.slice(0, length)).blocks.map((block) => block.raw).join('');
      expect(shown).not.toMatch(/\[|exact/);
    }
  });
  it('starts anew when another attempt takes its place', () => {
    const growing = new GrowingText();
    growing.update('One.\n\nTwo.\n\nThree');
    expect(growing.update('Other.').blocks.map((block) => block.raw)).toEqual(['Other.']);
  });
});

describe('hostile Markdown', () => {
  it('nesting that components could not follow is plain text', () => {
    const deep = `${'>'.repeat(400)} deep`;
    expect(lexed(deep).blocks).toMatchObject([{ type: 'paragraph', text: deep }]);
    expect(lexed(`${'>'.repeat(9)} deep`).blocks).toMatchObject([{ type: 'blockquote' }]);
  });

  it('thousands of nested quotes are plain text, not a crash', () => {
    expect(lexed('>'.repeat(30_000) + 'x').blocks.length).toBeGreaterThan(0);
  });
  it.each(['javascript:alert(1)', 'data:text/html,x', 'vbscript:x', '//evil.example', 'x', 'java\nscript:alert(1)'])(
    'a link to %s leads nowhere',
    (href) => expect(safeHref(href)).toBeNull(),
  );
  it('a link to the web is a link', () => expect(safeHref('https://example.org/a?b')).toBe('https://example.org/a?b'));
});
