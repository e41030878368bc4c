/** Where a reader was, and what was chosen: kept for a reload, per document and tab. */

import type { Chosen, PanelName, Reader } from './reader.svelte';

interface Place {
  y: number;
  section: string | null;
  cell: string | null;
  chosen: Chosen | null;
  source: string | null;
  panel: PanelName;
  isPanelOpen: boolean;
  isOutlineOpen: boolean;
  /** The cell that was edited by hand, and where the caret stood. */
  editing: string | null;
  caret: readonly [number, number] | null;
}

const keyOf = (documentId: string) => `scriptorium:place:${documentId}`;

export function keepPlace({ live, editor, section, cell, chosen, source, panel, isPanelOpen, isOutlineOpen }: Reader): void {
  const box = document.activeElement;
  const caret = box instanceof HTMLTextAreaElement ? ([box.selectionStart, box.selectionEnd] as const) : null;
  const place: Place = { y: scrollY, section, cell, chosen, source, panel, isPanelOpen, isOutlineOpen, editing: editor.cell, caret };
  sessionStorage.setItem(keyOf(live.id), JSON.stringify(place));
}

/** All as it was, but for how far down: that is returned, for when the text stands; null: nobody was here. */
export function returnTo(reader: Reader): number | null {
  const kept = sessionStorage.getItem(keyOf(reader.live.id));
  if (kept === null) return null;
  const { y, editing, caret, ...chosen } = JSON.parse(kept) as Place;
  Object.assign(reader, chosen);
  reader.editor.cell = editing;
  reader.editor.caret = caret;
  return y;
}
