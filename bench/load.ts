/** Sends prepared bodies with a bounded number in flight, and records the time of each answer. */

export type Load = { perSecond: number; seconds: number; p50Ms: number; p99Ms: number };

/**
 * Runs `count` sends, `inFlight` at a time; each resolves with its answer. A send that throws ends
 * the run.
 */
export async function atFullSpeed(
  count: number,
  inFlight: number,
  send: (index: number) => Promise<unknown>,
): Promise<Load> {
  const times = new Float64Array(count);
  let next = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < count) {
        const index = next++;
        const sent = performance.now();
        await send(index);
        times[index] = performance.now() - sent;
      }
    }),
  );
  return loadOf(times, started);
}

/**
 * Sends at an even rate, however long the answers take. Latency counts from the time a send was
 * due, so that a stall is not hidden.
 */
export async function atRate(
  count: number,
  perSecond: number,
  send: (index: number) => Promise<unknown>,
): Promise<Load> {
  const times = new Float64Array(count);
  const started = performance.now();
  const waiting: Promise<void>[] = [];
  for (let index = 0; index < count;) {
    const due = Math.min(count, Math.floor(((performance.now() - started) / 1000) * perSecond));
    for (; index < due; index++) {
      const at = index;
      const dueMs = started + (at / perSecond) * 1000;
      waiting.push(
        send(at).then(() => {
          times[at] = performance.now() - dueMs;
        }),
      );
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(waiting);
  return loadOf(times, started);
}

function loadOf(times: Float64Array, started: number): Load {
  const seconds = (performance.now() - started) / 1000;
  const sorted = times.toSorted();
  const at = (share: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return {
    perSecond: Math.round(times.length / seconds),
    seconds: round(seconds),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
