/**
 * Time of a simulated world, moved by hand; and each process's view of it, which ends with the
 * process.
 */
import { type Clock, nextTurn } from '../../../runtime/clock.ts';
import type { Dice } from './dice.ts';
import { everyOn, sleepOn } from '../timer-clock.ts';

type Timer = { atMs: number; order: number; run: () => void };

export class SimClock {
  #elapsedMs = 0;
  #wallOffsetMs = Date.UTC(2026, 0, 1);
  #order = 0;
  readonly #timers = new Set<Timer>();

  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** Wall clock; whole milliseconds. */
  get wallMs(): number {
    return Math.floor(this.#elapsedMs + this.#wallOffsetMs);
  }

  /** The wall clock is set; what elapses is not touched. */
  shiftWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  timer(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#elapsedMs + Math.max(0, ms), order: this.#order++, run };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /**
   * Moves time on and runs what falls due, in order; what follows from it runs before the next
   * timer.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms;
    for (;;) {
      await nextTurn();
      await nextTurn();
      const next = this.#next(endMs);
      if (!next) break;
      this.#timers.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
      next.run();
    }
    this.#elapsedMs = endMs;
  }

  #next(endMs: number): Timer | null {
    let first: Timer | null = null;
    for (const timer of this.#timers) {
      if (timer.atMs > endMs) continue;
      if (
        !first ||
        timer.atMs < first.atMs ||
        (timer.atMs === first.atMs && timer.order < first.order)
      )
        first = timer;
    }
    return first;
  }
}

/** The clock of one process: when the process dies, nothing it waited for comes any more. */
export class ProcessClock implements Clock {
  readonly #clock: SimClock;
  readonly #dice: Dice;
  readonly #startedMs: number;
  #isDead = false;

  constructor(clock: SimClock, dice: Dice) {
    this.#clock = clock;
    this.#dice = dice;
    this.#startedMs = clock.elapsedMs;
  }

  kill(): void {
    this.#isDead = true;
  }

  nowMs(): number {
    return this.#clock.wallMs;
  }

  monotonicMs(): number {
    return this.#clock.elapsedMs - this.#startedMs;
  }

  random(): number {
    return this.#isDead ? 0.5 : this.#dice.real();
  }

  timer(ms: number, run: () => void): () => void {
    if (this.#isDead) return () => undefined;
    return this.#clock.timer(ms, () => {
      if (!this.#isDead) run();
    });
  }

  every(ms: number, run: () => void): () => void {
    return everyOn((wait, then) => this.timer(wait, then), ms, run);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn((wait, then) => this.timer(wait, then), ms, signal);
  }
}
