/** How a document's watches stand: asked for now and then while there are any, as it is in no event. */

import { watchesOf, type Watch } from './watches';

const POLL_MS = 3_000;

export class Watching {
  all = $state.raw<readonly Watch[]>([]);
  #documentId: string;

  constructor(documentId: string) {
    this.#documentId = documentId;
  }

  /** Until what it returns is called. */
  open(): () => void {
    void this.refresh();
    const timer = setInterval(() => {
      if (this.all.length > 0 && document.visibilityState === 'visible') void this.refresh();
    }, POLL_MS);
    return () => clearInterval(timer);
  }

  async refresh(): Promise<void> {
    // One that is away tells of itself elsewhere; what was known stays.
    this.all = await watchesOf(this.#documentId).catch(() => this.all);
  }

  /** The watch that a source follows. */
  of(source: string): Watch | undefined {
    return this.all.find((watch) => watch.sources.includes(source));
  }
}
