/**
 * A clock on which a month passes in minutes: the time of day runs ahead of what elapses, and both
 * move only by hand. What a step of work takes is real all the same, since steps bound themselves
 * by it.
 */
import { type Clock, nextTurn } from '../../../runtime/clock.ts';
import { Dice } from '../simulator/dice.ts';
import { everyOn, sleepOn } from '../timer-clock.ts';

type Timer = { atMs: number; order: number; run: () => void };

export class CompressedClock implements Clock {
  readonly #dice: Dice;
  readonly #timers = new Set<Timer>();
  #wallMs = Date.UTC(2026, 0, 1);
  #elapsedMs = 0;
  #order = 0;

  constructor(seed: number) {
    this.#dice = new Dice(seed);
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs + performance.now();
  }

  random(): number {
    return this.#dice.real();
  }

  timer(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#elapsedMs + Math.max(0, ms), order: this.#order++, run };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  every(ms: number, run: () => void): () => void {
    return everyOn((wait, then) => this.timer(wait, then), ms, run);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn((wait, then) => this.timer(wait, then), ms, signal);
  }

  /**
   * Lets `ms` elapse, and `wallMs` of the day. As in a process that was busy, what should have run
   * several times meanwhile runs once; each in a turn of its own.
   */
  async advance(ms: number, wallMs: number): Promise<void> {
    this.#elapsedMs += ms;
    this.#wallMs += Math.round(wallMs);
    const due = [...this.#timers]
      .filter((timer) => timer.atMs <= this.#elapsedMs)
      .toSorted((one, other) => one.atMs - other.atMs || one.order - other.order);
    for (const timer of due) {
      if (!this.#timers.delete(timer)) continue;
      timer.run();
      await nextTurn();
    }
  }
}
