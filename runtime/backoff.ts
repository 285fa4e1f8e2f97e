/** Exponential backoff with jitter and an upper bound. The one retry policy of both processes. */
import type { Clock } from './clock.ts';

export class Backoff {
  readonly #clock: Clock;
  readonly #firstMs: number;
  readonly #longestMs: number;
  #tries = 0;

  constructor(clock: Clock, bounds: { firstMs: number; longestMs: number }) {
    this.#clock = clock;
    this.#firstMs = bounds.firstMs;
    this.#longestMs = bounds.longestMs;
  }

  /**
   * The next delay: a random value between half the doubled delay and all of it, so that many
   * waiters do not retry at the same moment.
   */
  nextMs(): number {
    const full = Math.min(this.#longestMs, this.#firstMs * 2 ** Math.min(this.#tries++, 30));
    return full * (0.5 + this.#clock.random() / 2);
  }

  reset(): void {
    this.#tries = 0;
  }

  /** Sleeps for the next delay; returns early when the signal is aborted. */
  wait(signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(this.nextMs(), signal);
  }
}
