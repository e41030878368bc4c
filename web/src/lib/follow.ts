/** Follows the stream for a reader who has gone to its end, and never for one who has not. */

const NEAR_END_PX = 48;

function isAtEnd(): boolean {
  const { scrollHeight } = document.documentElement;
  return scrollY > 0 && innerHeight + scrollY >= scrollHeight - NEAR_END_PX;
}

export class Follower {
  #isFollowing = false;
  #height = 0;

  /** Call on every scroll. Growth alone moves nobody: only a reader's own scroll to the end begins to follow. */
  scrolled(): void {
    const { scrollHeight } = document.documentElement;
    if (scrollHeight === this.#height || isAtEnd()) this.#isFollowing = isAtEnd();
    this.#height = scrollHeight;
  }

  /** Call after the document has grown. */
  grown(): void {
    const isSelecting = !(getSelection()?.isCollapsed ?? true);
    if (this.#isFollowing && !isSelecting) scrollTo({ top: document.documentElement.scrollHeight });
    this.#height = document.documentElement.scrollHeight;
  }
}

/** The section that is being written and not in view; null where one is in view, or none is written. */
export function liveOutOfView(): HTMLElement | null {
  const streaming = [...document.querySelectorAll<HTMLElement>('section[data-state="streaming"]')];
  const isInView = streaming.some((section) => {
    const { top, bottom } = section.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  });
  return isInView ? null : (streaming[0] ?? null);
}
