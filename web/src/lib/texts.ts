/** The lexed text of every cell: what is growing block by block, what is finished as a whole, what is old until the new begins. */

import { GrowingText, lexed, type Lexed } from './markdown';
import type { Cell } from './types';
import { textOf } from './view';

export interface Shown extends Lexed {
  /** What was lexed. */
  text: string;
  /** Of a try that failed: it stays, paler, until the next one has its first words. */
  isOld: boolean;
}

interface Kept {
  cell: Cell;
  growing: GrowingText | null;
  shown: Shown;
}

export const NOTHING: Shown = { text: '', blocks: [], markers: [], isOld: false };

export class Texts {
  #kept = new Map<string, Kept>();

  of(cell: string): Shown {
    return this.#kept.get(cell)?.shown ?? NOTHING;
  }

  /** Lexes one cell's text, if there is more of it; says whether anything is to be shown anew. */
  update(cell: Cell): boolean {
    const was = this.#kept.get(cell.id);
    if (was?.cell === cell) return false;
    const now = kept(cell, was);
    this.#kept.set(cell.id, now);
    return now.shown !== was?.shown;
  }
}

function kept(cell: Cell, was: Kept | undefined): Kept {
  const text = textOf(cell);
  const isBetween = cell.state.type === 'Retrying' || (cell.state.type === 'Writing' && cell.ink?.text === '');
  if (text === '') {
    const shown = isBetween && was !== undefined ? { ...was.shown, isOld: true } : NOTHING;
    return { cell, growing: null, shown };
  }
  const isWriting = cell.state.type === 'Writing';
  if (was !== undefined && was.shown.text === text && (was.growing !== null) === isWriting) {
    const shown = was.shown.isOld === isBetween ? was.shown : { ...was.shown, isOld: isBetween };
    return { ...was, cell, shown };
  }
  const growing = isWriting ? (was?.growing ?? new GrowingText()) : null;
  return { cell, growing, shown: { ...(growing?.update(text) ?? lexed(text)), text, isOld: isBetween } };
}
