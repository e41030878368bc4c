/** The document page's keys. All but Ctrl/⌘-K are silent while something is being typed, and when held with Ctrl, Alt or ⌘. */

import type { Reader } from './reader.svelte';
import type { Run } from './run.svelte';

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable], dialog') !== null;
}

function step(reader: Reader, by: number): void {
  const sections = reader.live.document?.outline ?? [];
  const at = sections.findIndex((section) => section.id === reader.section);
  const next = sections[Math.min(Math.max(at + by, 0), sections.length - 1)];
  if (next !== undefined) reader.showSection(next.id);
}

/** The cell that keys act on. */
const chosen = (reader: Reader) => reader.cell ?? reader.section;

function act(reader: Reader, what: 'rewrite' | 'stop'): void {
  const cell = chosen(reader);
  if (cell !== null && !reader.isReadOnly) void import('./doing').then((doing) => void doing[what](reader, cell));
}

export function documentKeys(reader: Reader, run: Run): (event: KeyboardEvent) => void {
  const does: Readonly<Record<string, () => unknown>> = {
    j: () => step(reader, 1),
    k: () => step(reader, -1),
    '.': () => run.toggle(),
    e: () => reader.isReadOnly || (reader.editor.cell = chosen(reader)),
    r: () => act(reader, 'rewrite'),
    '[': () => (reader.isOutlineOpen = !reader.isOutlineOpen),
    ']': () => (reader.isPanelOpen = !reader.isPanelOpen),
    '?': () => (reader.dialog = 'help'),
    Escape: () => escape(reader),
  };
  return (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      reader.dialog = reader.dialog === 'palette' ? null : 'palette';
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const act = Object.hasOwn(does, event.key) ? does[event.key] : undefined;
    if (act === undefined) return;
    if (event.key !== 'Escape') event.preventDefault();
    act();
  };
}

/** What was opened last is closed first: popover, then the drawers of a narrow screen, then what is lit. Else it stops what is chosen. */
function escape(reader: Reader): void {
  if (document.querySelector(':popover-open, dialog[open]') !== null) return; // The browser closes it.
  if (reader.pointed !== null) reader.pointed = null;
  else if (reader.editor.proposal !== null) reader.editor.dismiss();
  else if (matchMedia('(max-width: 1199px)').matches && reader.isPanelOpen) reader.isPanelOpen = false;
  else if (matchMedia('(max-width: 899px)').matches && reader.isOutlineOpen) reader.isOutlineOpen = false;
  else if (reader.chosen !== null) reader.chosen = null;
  else act(reader, 'stop');
}
