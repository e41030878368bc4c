/** The one polite status line: what has happened since, said at most every three seconds. */

import { spoken } from './messages';
import type { Document } from './types';
import { progressOf, sectionState } from './view';

const BETWEEN_MS = 3_000;

/** What a listener is told of the way from one document to the next; the empty string where it is nothing. */
export function newsBetween(was: Document, now: Document): string {
  if (was.run.type !== now.run.type) {
    if (now.run.type === 'Done') return spoken.complete;
    if (now.run.type === 'Paused') return spoken.stopped;
  }
  if (was.outline.length === 0 && now.outline.length > 0) return spoken.planned(now.outline.length);
  const news: string[] = [];
  for (const section of now.outline) {
    const [before, after] = [sectionState(was, section), sectionState(now, section)];
    if (before === after) continue;
    if (after === 'done') news.push(spoken.sectionDone(section.heading, progressOf(now)));
    if (after === 'failed') news.push(spoken.sectionFailed(section.heading));
    if (after === 'cancelled') news.push(spoken.sectionStopped(section.heading));
  }
  return news.join(' ');
}

export class Announcer {
  words = $state('');
  #told: Document | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #latest: Document | null = null;

  hear(document: Document): void {
    this.#latest = document;
    this.#told ??= document;
    this.#timer ??= setTimeout(() => this.#tell(), BETWEEN_MS);
  }

  #tell(): void {
    this.#timer = undefined;
    if (this.#told === null || this.#latest === null || this.#told === this.#latest) return;
    const news = newsBetween(this.#told, this.#latest);
    this.#told = this.#latest;
    if (news !== '') this.words = news;
  }
}
