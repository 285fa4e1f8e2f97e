/** The only place that reads time, sets timers, or draws random numbers. */
import { randomUUID } from 'node:crypto';

/** Time as the process sees it; tests put a manual one in its place. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
  /** Milliseconds that never step back. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** 0 <= n < 1. */
  random(): number;
  /** Runs once after `ms`; the returned function cancels. Does not keep the process alive. */
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

/** Lets the event loop take a turn, so that long work does not hold up answers. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Runs once the event loop has read what arrived meanwhile. */
export function onNextTurn(run: () => void): void {
  setImmediate(run);
}
