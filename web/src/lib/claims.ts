/** From a passage back to the claims that use it. Pure. */

import { claimOf } from './citations';
import type { Chosen } from './reader.svelte';
import type { Document } from './types';
import type { Shown } from './texts';
import { cellsOfSection } from './view';

export interface Claim {
  chosen: Chosen;
  heading: string;
  words: string;
}

/** The claims that cite a source, by passage number, in reading order. */
export function claimsOn(
  document: Document,
  source: string,
  shownOf: (cell: string) => Pick<Shown, 'text' | 'markers'> | undefined,
): ReadonlyMap<number, readonly Claim[]> {
  const claims = new Map<number, Claim[]>();
  for (const section of document.outline) {
    for (const cell of cellsOfSection(document, section)) {
      const { text, markers } = shownOf(cell) ?? { text: '', markers: [] };
      markers.forEach((marker, index) => {
        if (marker.source !== source) return;
        const claim = { chosen: { cell, index, marker }, heading: section.heading, words: claimOf(text, marker) };
        claims.set(marker.passage, [...(claims.get(marker.passage) ?? []), claim]);
      });
    }
  }
  return claims;
}
