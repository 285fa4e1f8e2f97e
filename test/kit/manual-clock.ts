/**
 * A clock that stands still until a test moves it: the `Clock` of runtime/clock.ts without any real
 * time in it.
 */
import type { Clock } from '../../runtime/clock.ts';
import { everyOn, sleepOn } from './timer-clock.ts';

type Timer = { atMs: number; order: number; run: () => void };

export class ManualClock implements Clock {
  #nowMs: number;
  readonly #startMs: number;
  readonly #timers = new Set<Timer>();
  #order = 0;
  #seed: number;

  constructor(nowMs = Date.UTC(2026, 0, 1), seed = 1) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs;
    this.#seed = seed;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  /** A repeatable number from 0 to below 1 (mulberry32). */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** Falls due at a whole millisecond, as the time of day has no parts of one. */
  timer(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.ceil(ms), order: this.#order++, run };
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

  /** Timers that wait. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Moves time on and runs what falls due, in order; promises settle between two timers. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await settled();
      const next = this.#next(endMs);
      if (!next) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
    this.#nowMs = endMs;
    await settled();
  }

  #next(endMs: number): Timer | undefined {
    const due = [...this.#timers].filter((timer) => timer.atMs <= endMs);
    return due.sort((one, other) => one.atMs - other.atMs || one.order - other.order)[0];
  }
}

/** Lets promise callbacks run, a few deep. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
