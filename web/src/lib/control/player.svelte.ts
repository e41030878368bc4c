/** Plays a document's log: which moment is shown, and at what speed the next ones follow. */

import { played, playTime_ms, type Replay } from './replay';

const TICK_MS = 80;
/** A whole replay takes about this long, however long the log is. */
const WHOLE_MS = 12_000;

export type Speed = 'whole' | '1' | '4' | '16';
export const SPEEDS: readonly Speed[] = ['whole', '1', '4', '16'];

export class Player {
  /** How many facts the shown moment has; null: live. */
  moment = $state<number | null>(null);
  isPlaying = $state(false);
  speed = $state<Speed>('whole');
  #replay: Replay;
  #onPlayed: () => void;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `onPlayed` is called when what was played has come to the newest fact. */
  constructor(replay: Replay, onPlayed: () => void) {
    this.#replay = replay;
    this.#onPlayed = onPlayed;
  }

  /** As it is now. */
  live(): void {
    this.hold();
    this.moment = null;
  }

  show(moment: number): void {
    this.hold();
    this.moment = moment >= this.#replay.facts.length ? null : Math.max(moment, 1);
  }

  hold(): void {
    clearInterval(this.#timer);
    this.isPlaying = false;
  }

  /** From the moment that is shown; from the beginning where that is now. */
  play(): void {
    if (this.isPlaying || this.#replay.facts.length < 2) return;
    this.moment ??= 1;
    this.isPlaying = true;
    let [from, passed_ms, last_ms] = [this.moment, 0, performance.now()];
    this.#timer = setInterval(() => {
      const { facts } = this.#replay;
      const now_ms = performance.now();
      passed_ms += (now_ms - last_ms) * this.#factor();
      last_ms = now_ms;
      const moment = played(facts, from, passed_ms);
      if (moment >= facts.length) {
        this.live();
        this.#onPlayed();
      } else if (moment > from) {
        // Time that was played and is not used up by whole facts stays for the next tick.
        passed_ms -= playTime_ms(facts.slice(from - 1, moment));
        from = moment;
        this.moment = moment;
      }
    }, TICK_MS);
  }

  #factor(): number {
    return this.speed === 'whole' ? Math.max(playTime_ms(this.#replay.facts) / WHOLE_MS, 0.25) : Number(this.speed);
  }
}
