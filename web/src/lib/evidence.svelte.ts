/** The passages of a document's sources, asked for once each, when a reader first wants to see one. */

import { SvelteMap } from 'svelte/reactivity';
import { passagesOf } from './api';
import type { Document, Passage, Passages } from './types';
import { own } from './fold';

export type Read = { type: 'reading' } | { type: 'read'; passages: Passages } | { type: 'unavailable' };

export class Evidence {
  #documentId: string;
  #read = new SvelteMap<string, Read>();
  /** Of which version each was asked for. */
  #digests = new Map<string, string>();

  constructor(documentId: string) {
    this.#documentId = documentId;
  }

  of(source: string): Read | undefined {
    return this.#read.get(source);
  }

  passage(source: string, number: number): Passage | undefined {
    const read = this.#read.get(source);
    return read?.type === 'read' ? read.passages.passages.find((one) => one.number === number) : undefined;
  }

  /** Asks for a source's passages, unless they are here or on their way, or the source is still being read. */
  want(document: Document, source: string): void {
    const known = this.#read.get(source)?.type;
    const digest = own(document.sources, source)?.digest ?? null;
    const isOther = this.#digests.get(source) !== digest; // It was replaced by another version.
    if (digest === null || (!isOther && (known === 'read' || known === 'reading'))) return;
    this.#digests.set(source, digest);
    if (known !== 'read') this.#read.set(source, { type: 'reading' });
    const take = (read: Read) => this.#digests.get(source) === digest && this.#read.set(source, read);
    passagesOf(this.#documentId, source).then(
      (passages) => take({ type: 'read', passages }),
      () => take({ type: 'unavailable' }),
    );
  }
}
