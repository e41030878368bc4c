/** Which sections are in the window, or near it: asked of the browser, which knows without measuring anything anew. */

/** Text is drawn at its full pace within this distance of the window, so that nobody catches it behind. */
const NEAR = '50% 0px';

export class Sight {
  /** Ids of the elements that stand in the window itself. */
  inView = $state.raw<ReadonlySet<string>>(new Set());
  #onNear = new Map<Element, (isNear: boolean) => void>();
  #near: IntersectionObserver;
  #in: IntersectionObserver;

  constructor() {
    this.#near = new IntersectionObserver(
      (entries) => entries.forEach((entry) => this.#onNear.get(entry.target)?.(entry.isIntersecting)),
      { rootMargin: NEAR },
    );
    this.#in = new IntersectionObserver((entries) => {
      const inView = new Set(this.inView);
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) inView.add(target.id);
        else inView.delete(target.id);
      }
      this.inView = inView;
    });
  }

  /** Until the returned function is called; `onNear` is told each time the element comes near or goes away. */
  watch(element: Element, onNear: (isNear: boolean) => void): () => void {
    this.#onNear.set(element, onNear);
    this.#near.observe(element);
    this.#in.observe(element);
    return () => {
      this.#near.unobserve(element);
      this.#in.unobserve(element);
      this.#onNear.delete(element);
      this.inView = new Set([...this.inView].filter((id) => id !== element.id));
    };
  }
}
