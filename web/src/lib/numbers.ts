/** The numbers of citations: in reading order, one number a passage. Pure. */

import type { Marker } from './citations';

/** By `source:passage`; `cells` are the markers of each cell, in reading order. */
export function numbersOf(cells: readonly (readonly Pick<Marker, 'source' | 'passage'>[])[]): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const { source, passage } of cells.flat()) {
    const key = `${source}:${passage}`;
    if (!numbers.has(key)) numbers.set(key, numbers.size + 1);
  }
  return numbers;
}
