/** The lexed text of every cell: what is growing block by block, what is finished as a whole, what is old until the new begins. */

import { GrowingText, lexed, type Lexed } from './markdown';
import type { Cell, Document } from './types';
import { textOf } from './view';

export interface Shown extends Lexed {
  /** Of a try that failed: it stays, paler, until the next one has its first words. */
  isOld: boolean;
}

interface Kept {
  cell: Cell;
  growing: GrowingText | null;
  shown: Shown;
}

const NOTHING: Shown = { blocks: [], markers: [], isOld: false };

export class Texts {
  #kept = new Map<string, Kept>();

  of(cell: string): Shown {
    return this.#kept.get(cell)?.shown ?? NOTHING;
  }

  /** Lexes what has changed, and says which cells that was. */
  update(document: Document): string[] {
    const changed: string[] = [];
    for (const cell of Object.values(document.cells)) {
      const was = this.#kept.get(cell.id);
      if (was?.cell === cell) continue;
      this.#kept.set(cell.id, kept(cell, was));
      changed.push(cell.id);
    }
    return changed;
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
  if (was !== undefined && textOf(was.cell) === text && (was.growing !== null) === isWriting) {
    return { ...was, cell, shown: { ...was.shown, isOld: isBetween } };
  }
  const growing = isWriting ? (was?.growing ?? new GrowingText()) : null;
  return { cell, growing, shown: { ...(growing?.update(text) ?? lexed(text)), isOld: isBetween } };
}
