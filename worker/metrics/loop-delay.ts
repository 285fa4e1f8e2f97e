/**
 * How late the event loop was: what ran too long in one turn held up every answer for as long. Over
 * the last one to two windows, so that several who ask do not take it from one another.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { limits } from '../../contracts/limits.ts';
import type { Clock } from '../../runtime/clock.ts';

/** In seconds. */
export type Delay = { longest: number; usual: number };

const none: Delay = { longest: 0, usual: 0 };

export class LoopDelay {
  readonly #clock: Clock;
  readonly #histogram: ReturnType<typeof monitorEventLoopDelay>;
  #before: Delay = none;
  #stop: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#histogram = monitorEventLoopDelay({ resolution: limits.loopDelayResolutionMs });
  }

  start(): void {
    this.#histogram.enable();
    this.#stop = this.#clock.every(limits.loopDelayWindowMs, () => {
      this.#before = this.#now();
      this.#histogram.reset();
    });
  }

  stop(): void {
    this.#stop();
    this.#histogram.disable();
  }

  /** The longest delay, and the one that ninety-nine of a hundred turns are below. */
  get(): Delay {
    const now = this.#now();
    return {
      longest: Math.max(now.longest, this.#before.longest),
      usual: Math.max(now.usual, this.#before.usual),
    };
  }

  #now(): Delay {
    if (this.#histogram.count === 0) return none;
    return {
      longest: secondsOf(this.#histogram.max),
      usual: secondsOf(this.#histogram.percentile(99)),
    };
  }
}

/** What is measured is how long the loop took to come back to a timer, the time of that included. */
function secondsOf(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - limits.loopDelayResolutionMs / 1e3);
}
