/** The only place that reads time, sets timers, or draws random numbers. */
import { randomUUID } from 'node:crypto';

/** Time as the process sees it; tests use a manual clock instead. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
  /** Milliseconds on a clock that never goes backwards. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** At least 0, below 1. */
  random(): number;
  /**
   * Runs once after `ms`; call the returned function to cancel. Does not keep the process alive.
   */
  timer(ms: number, run: () => void): () => void;
  /** Runs every `ms` until cancelled. Does not keep the process alive. */
  every(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    }),
  random: () => Math.random(),
  timer: (ms, run) => {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
};

/** Wall-clock milliseconds as ISO-8601, UTC. */
export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** A fresh random UUID, for nonces and store identities. */
export function newUuid(): string {
  return randomUUID();
}

/** Yields to the event loop, so that long work does not delay answers. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Runs once the event loop has read what has arrived. */
export function onNextTurn(run: () => void): void {
  setImmediate(run);
}
