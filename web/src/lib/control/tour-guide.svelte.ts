/** Walks the tour: which step it is, since when, and which were seen. It outlives a change of document, within this tab. */

import { demos, startDemo } from '../creating';
import type { Fact } from '../types';
import { lengthenSource, turnDials } from './api';
import type { Note } from './operations';
import type { ControlRoom } from './room.svelte';
import { CELLS_TO_KNOW, ERRORS, TOUR, wasSeen, type Heard, type Replayed, type TourStep } from './tour';
import { words } from './words';

const KEY = 'scriptorium:tour';
/** Slow enough that there is time to break things: about fifteen tokens a second. */
const SLOW = { token_interval_ms: 70, token_interval_p99_ms: 200 };
/** Where a fault strikes within an answer: soon after its first words, so that nobody waits for it. */
const STRIKE_AT = 0.1;
/** A table's cells are short; its first tokens are what one waits for. */
const STEADY = { first_token_ms: 600, first_token_p99_ms: 900, token_interval_ms: 15, token_interval_p99_ms: 60 };
/**
 * Many calls are later than any that a writer has seen of the model so far, and others are not: a second call is worth its while.
 * Were all of them late, the model would be left for the next one before any race is decided.
 */
const LATE = { first_token_ms: 700, first_token_p99_ms: 3_000 };

interface Kept {
  isOpen: boolean;
  index: number;
  seen: readonly TourStep[];
  /** This document is a table whose model shall slow down once enough is known of it. */
  slowsDown: string | null;
}

function kept(): Kept {
  const found = sessionStorage.getItem(KEY);
  const nothing: Kept = { isOpen: false, index: 0, seen: [], slowsDown: null };
  return found === null ? nothing : { ...nothing, ...(JSON.parse(found) as Partial<Kept>) };
}

export class Tour {
  isOpen = $state(false);
  index = $state(0);
  seen = $state.raw<ReadonlySet<TourStep>>(new Set());
  #room: ControlRoom;
  #slowsDown: string | null;
  #before: Fact[] = [];
  #since: Heard[] = [];
  #completed = 0;

  constructor(room: ControlRoom) {
    this.#room = room;
    const { isOpen, index, seen, slowsDown } = kept();
    this.isOpen = isOpen;
    this.index = index;
    this.seen = new Set(seen);
    this.#slowsDown = slowsDown;
    this.#point();
  }

  get step(): TourStep {
    return TOUR[this.index] ?? 'errors';
  }

  toggle(): void {
    this.isOpen = !this.isOpen;
    this.#begin();
  }

  show(index: number): void {
    this.index = Math.min(Math.max(index, 0), TOUR.length - 1);
    this.#begin();
  }

  hear(event: Fact | Note | Replayed): void {
    if (event.type === 'CellCompleted') this.#slowDown(++this.#completed);
    if (!this.isOpen) return;
    this.#since.push(event);
    if (!this.seen.has(this.step) && wasSeen(this.step, { before: this.#before, since: this.#since })) {
      this.seen = new Set([...this.seen, this.step]);
      this.#keep();
    }
  }

  /** Does the step's deed for whoever presents. */
  async act(): Promise<void> {
    const room = this.#room;
    switch (this.step) {
      case 'errors':
        // Calls that run already are not struck: it takes a document whose calls begin now.
        return this.demo(0, { ...SLOW, faults: ERRORS, strike_at: STRIKE_AT });
      case 'kill':
        return room.toBusiest('kill');
      case 'tab':
        window.open(`/d/${room.id}`, '_blank');
        return;
      case 'hedge':
        return this.demo(1, STEADY, true);
      case 'edit':
        return this.#isTable ? this.#edit() : this.demo(1, STEADY);
      case 'replay':
        room.player.live();
        room.player.play();
    }
  }

  /** A demo of its own, slow enough to be shown: its page in a new tab, its control room here. */
  async demo(which = 0, dials: Record<string, number> = SLOW, slowsDown = false): Promise<void> {
    // Opened while the click still counts as one; it gets its address when there is one.
    const tab = window.open('', '_blank');
    await this.#room.doing(async () => {
      const offered = await demos();
      const wanted = offered[which] ?? offered[0];
      if (wanted === undefined) return words.noDemos;
      await turnDials(this.#room.id, { dials, reset: true });
      const { id } = await startDemo(wanted.name);
      this.#slowsDown = slowsDown ? id : null;
      this.#keep();
      if (tab !== null) tab.location.href = `/d/${id}`;
      location.assign(`/control/${id}`);
      return '';
    });
  }

  get #isTable(): boolean {
    return (this.#room.live?.outline ?? []).some((section) => section.columns.length > 0);
  }

  /** The last source gets one more paragraph: its row of the table is written anew, and what sums it up. */
  #edit(): Promise<void> {
    return this.#room.doing(async () => {
      const [source, given] = Object.entries(this.#room.live?.sources ?? {}).at(-1) ?? [];
      if (source === undefined || given === undefined) return words.noSource;
      await lengthenSource(this.#room.id, source, given.given.name, words.oneMoreParagraph(new Date()));
      return words.sourceChanged(given.given.name);
    });
  }

  #slowDown(completed: number): void {
    if (completed !== CELLS_TO_KNOW || this.#slowsDown !== this.#room.id) return;
    this.#slowsDown = null;
    this.#keep();
    void this.#room.turn(LATE);
  }

  #begin(): void {
    this.#before = this.#room.replay.facts.map((fact) => fact.event);
    this.#since = [];
    this.#point();
    this.#keep();
  }

  /** Among a hundred rows a hedge is looked for: only those are shown that did not go straight. */
  #point(): void {
    this.#room.rowsShown = this.isOpen && this.step === 'hedge' ? 'detours' : 'all';
  }

  #keep(): void {
    const now: Kept = { isOpen: this.isOpen, index: this.index, seen: [...this.seen], slowsDown: this.#slowsDown };
    sessionStorage.setItem(KEY, JSON.stringify(now));
  }
}
