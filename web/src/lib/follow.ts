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
    if (!this.#isFollowing || !(getSelection()?.isCollapsed ?? true)) return;
    scrollTo({ top: document.documentElement.scrollHeight });
  }
}
