/** What the reader can do about a run: stop it, go on, take it away. Shown as done at once, and as refused if it was. */

import { Problem, resumeDocument, stopDocument, type Format } from './api';
import type { LiveDocument } from './live.svelte';
import { page, problem } from './messages';
import type { Reader } from './reader.svelte';
import { isMissing } from './view';

export type Can = 'stop' | 'resume' | 'again' | null;

export class Run {
  trouble = $state('');
  isBusy = $state(false);
  #wasStopAsked = $state(false);
  #live: LiveDocument;
  #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
    this.#live = reader.live;
  }

  get can(): Can {
    const document = this.#live.document;
    if (this.#reader.isReadOnly) return null;
    switch (document?.run.type) {
      case 'Running':
        return 'stop';
      case 'Paused':
        return document.run.reason === 'plan_ready' ? null : 'resume'; // Its plan has a button of its own.
      case 'Abandoned':
        return 'resume';
      case 'Done':
        return Object.values(document.cells).some(isMissing) ? 'again' : null;
      default:
        return null;
    }
  }

  get isStopping(): boolean {
    return this.#wasStopAsked && this.#live.document?.run.type === 'Running';
  }

  /** What stands in the plan is to be written. */
  start(): Promise<void> {
    return this.#do(() => resumeDocument(this.#live.id));
  }

  toggle(): void {
    if (this.isBusy || this.can === null) return;
    if (this.can === 'stop') {
      this.#wasStopAsked = true;
      void this.#do(() => stopDocument(this.#live.id));
    } else {
      this.#wasStopAsked = false;
      void this.#do(() => resumeDocument(this.#live.id));
    }
  }

  export(format: Format, section?: string): void {
    void this.#do(async () => {
      const { take } = await import('./taking');
      await take(this.#live.id, this.#live.document?.title ?? '', format, section);
    });
  }

  async #do(wish: () => Promise<void>): Promise<void> {
    this.isBusy = true;
    this.trouble = '';
    try {
      await wish();
    } catch (error) {
      this.#wasStopAsked = false;
      const isRefused = error instanceof Problem && (error.status === 401 || error.status === 403);
      this.trouble = isRefused ? page.readOnly : problem(error instanceof Error ? error.message : '');
    } finally {
      this.isBusy = false;
    }
  }
}
