/** An outline as a reader types it: one heading a line, after a colon what to write. */

import type { OutlineGiven } from './creating';

/** A heading as an id: lower-case letters, digits and dashes, at most 40, and not taken. */
export function idOf(heading: string, taken: ReadonlySet<string>): string {
  const plain = heading.normalize('NFKD').toLowerCase().replace(/[^a-z0-9]+/g, '-').slice(0, 40).replace(/^-+|-+$/g, '');
  const base = plain === '' || plain === 'outline' ? 'section' : plain;
  for (let n = 1; ; n++) {
    const id = n === 1 ? base : `${base}-${n}`;
    if (!taken.has(id)) return id;
  }
}

/** The sections of a typed outline; with `sumsUp` the last one is written from the finished text of all others. */
export function outlineOf(typed: string, sumsUp: boolean): OutlineGiven[] {
  const taken = new Set<string>();
  const sections: OutlineGiven[] = [];
  for (const line of typed.split('\n')) {
    const [, heading = '', instructions = ''] = /^[\s#*-]*([^:]+):?\s*(.*)$/u.exec(line.trim()) ?? [];
    if (heading.trim() === '') continue;
    const id = idOf(heading, taken);
    taken.add(id);
    sections.push({ id, heading: heading.trim(), instructions: instructions.trim(), depends_on: [] });
  }
  const last = sections.at(-1);
  if (sumsUp && last !== undefined) last.depends_on = sections.slice(0, -1).map((section) => section.id);
  return sections;
}
