/** The time on the page's clocks: one timer for all of them, twice a second, while the page is visible. */

const TICK_MS = 500;

class Clock {
  now_ms = $state(Date.now());

  constructor() {
    setInterval(() => {
      if (document.visibilityState === 'visible') this.now_ms = Date.now();
    }, TICK_MS);
  }
}

export const clock = new Clock();
