/** Where a reader was, and what was chosen: kept for a reload, per document and tab. */

import { sectionId, WIDE, type Chosen, type PanelName, type Reader } from './reader.svelte';

interface Place {
  /** The section at the top of the window, and how far it was from there; null: the window was at the document's beginning. */
  at: { section: string; top: number } | null;
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

/** For so long a place is held while text is drawn above it, unless the reader moves first. */
const HELD_MS = 1_500;
const MOVES = ['wheel', 'touchstart', 'pointerdown', 'keydown'] as const;

const keyOf = (documentId: string) => `scriptorium:place:${documentId}`;

function topOf(section: string): number | null {
  return document.getElementById(sectionId(section))?.getBoundingClientRect().top ?? null;
}

export function keepPlace({ live, editor, section, cell, chosen, source, panel, isPanelOpen, isOutlineOpen }: Reader): void {
  const box = document.activeElement;
  const caret = box instanceof HTMLTextAreaElement ? ([box.selectionStart, box.selectionEnd] as const) : null;
  const tops = (live.document?.outline ?? []).map(({ id }) => ({ section: id, top: topOf(id) ?? Infinity }));
  const at = scrollY === 0 ? null : (tops.findLast(({ top }) => top < innerHeight / 2) ?? tops[0] ?? null);
  const place: Place = { at, section, cell, chosen, source, panel, isPanelOpen, isOutlineOpen, editing: editor.cell, caret };
  sessionStorage.setItem(keyOf(live.id), JSON.stringify(place));
}

export function returnTo(reader: Reader): void {
  const kept = sessionStorage.getItem(keyOf(reader.live.id));
  if (kept === null) return;
  const { at, isPanelOpen, isOutlineOpen, editing, caret, ...chosen } = JSON.parse(kept) as Place;
  Object.assign(reader, chosen);
  // On a narrow screen they are drawers, which cover the text.
  if (matchMedia(WIDE).matches) Object.assign(reader, { isPanelOpen, isOutlineOpen });
  reader.editor.cell = editing;
  reader.editor.caret = caret;
  if (at !== null) hold(at.section, at.top);
}

/** Text is drawn piece by piece, and what is out of sight is as high as it is guessed: so a place is held, not gone to once. */
function hold(section: string, top: number): void {
  const moved = new AbortController();
  const { signal } = moved;
  for (const type of MOVES) addEventListener(type, () => moved.abort(), { signal, passive: true, capture: true });
  let until_ms = Infinity;
  const step = (now_ms: number) => {
    const now = topOf(section);
    if (now !== null) {
      until_ms = Math.min(until_ms, now_ms + HELD_MS);
      if (Math.abs(now - top) > 1) scrollBy({ top: now - top, behavior: 'instant' });
    }
    if (now_ms > until_ms) moved.abort();
    else if (!signal.aborted) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}
