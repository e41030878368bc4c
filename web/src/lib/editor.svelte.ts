/** What the reader is about to change: previewed first where it costs anything, and never lost where somebody else was first. */

import type { Change, Preview, Wish } from './changes';

/** Loaded when something is first to be changed. */
const wire = () => import('./changes');

export type Proposal =
  | { type: 'preview'; wish: Wish; preview: Preview }
  | { type: 'conflict'; wish: Wish; version: number; changes: readonly Change[] }
  | { type: 'trouble'; words: readonly string[] };

export class Editor {
  /** What stands before the reader, to be decided. */
  proposal = $state.raw<Proposal | null>(null);
  isBusy = $state(false);
  /** The cell whose text is being edited by hand. */
  cell = $state<string | null>(null);
  /** Where the caret stood in it before a reload; taken once. */
  caret: readonly [number, number] | null = null;
  #documentId: string;

  constructor(documentId: string) {
    this.#documentId = documentId;
  }

  /** The cells that a change would touch, for all views to outline. */
  get touched(): ReadonlySet<string> {
    return this.proposal?.type === 'preview' ? new Set(this.proposal.preview.cells.map((one) => one.cell)) : NONE;
  }

  /** Asks first what it would come to; what costs nothing, or only the one cell that it is about, is done at once. */
  async propose(wanted: Wish, only?: string): Promise<boolean> {
    return this.#try(wanted, async () => {
      const { change, preview } = await wire();
      const found = await preview(this.#documentId, wanted);
      if (found.cells.every((one) => one.cell === only)) {
        await change(this.#documentId, wanted);
        return true;
      }
      this.proposal = { type: 'preview', wish: wanted, preview: found };
      return false;
    });
  }

  /** Without asking. True where it is done. */
  async do(wanted: Wish): Promise<boolean> {
    return this.#try(wanted, async () => {
      const { change } = await wire();
      await change(this.#documentId, wanted);
      return true;
    });
  }

  /** Yes to what is proposed; `isLater`: change it, and leave what that makes stale readable until an update is asked for. */
  async accept(isLater = false): Promise<boolean> {
    const { proposal } = this;
    if (proposal === null || proposal.type === 'trouble') return false;
    const wanted = proposal.type === 'conflict' ? { ...proposal.wish, version: proposal.version } : proposal.wish;
    return this.#try(wanted, async () => {
      const { change, wish } = await wire();
      if (isLater) await change(this.#documentId, wish.policy('', { updates: 'manual' }));
      await change(this.#documentId, wanted);
      return true;
    });
  }

  dismiss(): void {
    this.proposal = null;
  }

  async #try(wanted: Wish, does: () => Promise<boolean>): Promise<boolean> {
    this.isBusy = true;
    this.proposal = null;
    try {
      return await does();
    } catch (error) {
      this.proposal = (await wire()).troubleOf(error, wanted);
      return false;
    } finally {
      this.isBusy = false;
    }
  }
}

const NONE: ReadonlySet<string> = new Set();
