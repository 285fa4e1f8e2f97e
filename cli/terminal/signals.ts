/** SIGTERM and SIGINT as two abort signals: the first stops in order, the second at once. */
import { systemClock } from '../../runtime/clock.ts';

/**
 * A launcher may pass on an interrupt we already got from the terminal; two within this time are
 * the same one.
 */
const sameMs = 300;

export type Stopping = { stop: AbortSignal; kill: AbortSignal };

export function onStopSignals(): Stopping {
  const stop = new AbortController();
  const kill = new AbortController();
  let firstMs = 0;
  const onSignal = () => {
    const nowMs = systemClock.monotonicMs();
    if (!stop.signal.aborted) {
      firstMs = nowMs;
      stop.abort();
    } else if (nowMs - firstMs > sameMs) kill.abort();
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal);
  return { stop: stop.signal, kill: kill.signal };
}
