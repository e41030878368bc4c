/** Follows the stream for a reader who has gone to its end, and never for one who has not. */

const NEAR_END_PX = 48;

function isAtEnd(): boolean {
  const { scrollHeight } = document.documentElement;
  return scrollY > 0 && innerHeight + scrollY >= scrollHeight - NEAR_END_PX;
}

export class Follower {
  #isFollowing = false;

  /** Call on every scroll: a reader who goes to the end follows, one who leaves it does not. Growth alone moves nobody. */
  scrolled(): void {
    this.#isFollowing = isAtEnd();
  }

  /** Call after the document has grown. Measures nothing unless it must: that would cost a layout each time. */
  grown(): void {
    const isSelecting = !(getSelection()?.isCollapsed ?? true);
    if (this.#isFollowing && !isSelecting) scrollTo({ top: document.documentElement.scrollHeight });
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
