/** Walks the tour: which step it is, since when, and which were seen. */

import { demos, startDemo } from '../creating';
import type { Fact } from '../types';
import { turnDials } from './api';
import type { Note } from './operations';
import type { ControlRoom } from './room.svelte';
import { ERRORS, TOUR, wasSeen, type TourStep } from './tour';

const OPEN = 'scriptorium:tour';
/** Slow enough that there is time to break things: about seven tokens a second. */
const SLOW = { token_interval_ms: 140, token_interval_p99_ms: 400 };

export class Tour {
  isOpen = $state(sessionStorage.getItem(OPEN) === 'yes');
  index = $state(0);
  seen = $state.raw<ReadonlySet<TourStep>>(new Set());
  #room: ControlRoom;
  #before: Fact[] = [];
  #since: (Fact | Note)[] = [];

  constructor(room: ControlRoom) {
    this.#room = room;
  }

  get step(): TourStep {
    return TOUR[this.index] ?? 'errors';
  }

  toggle(): void {
    this.isOpen = !this.isOpen;
    sessionStorage.setItem(OPEN, this.isOpen ? 'yes' : 'no');
    this.#begin();
  }

  show(index: number): void {
    this.index = Math.min(Math.max(index, 0), TOUR.length - 1);
    this.#begin();
  }

  hear(event: Fact | Note): void {
    if (!this.isOpen) return;
    this.#since.push(event);
    if (!this.seen.has(this.step) && wasSeen(this.step, { before: this.#before, since: this.#since })) {
      this.seen = new Set([...this.seen, this.step]);
    }
  }

  /** Does the step's deed for whoever presents. */
  async act(): Promise<void> {
    const room = this.#room;
    switch (this.step) {
      case 'errors':
        // Calls that run already are not struck: it takes a document whose calls begin now.
        return this.demo({ faults: ERRORS });
      case 'kill':
        return room.actOnBusiest('kill');
      case 'bus':
        return room.act('restart', 'nats-server');
      case 'stop':
        return room.stop();
      case 'resume':
        return room.resume();
      case 'tab':
        window.open(`/d/${room.id}`, '_blank');
    }
  }

  /** A demo of its own, slow enough to be shown: its page in a new tab, its control room here. */
  async demo(dials: Record<string, number> = {}): Promise<void> {
    // Opened while the click still counts as one; it gets its address when there is one.
    const tab = window.open('', '_blank');
    const [first] = await demos();
    if (first === undefined) return;
    await turnDials(this.#room.id, { dials: { ...SLOW, ...dials } });
    const { id } = await startDemo(first.name);
    if (tab !== null) tab.location.href = `/d/${id}`;
    location.assign(`/control/${id}`);
  }

  #begin(): void {
    this.#before = this.#room.replay.facts.map((fact) => fact.event);
    this.#since = [];
  }
}
