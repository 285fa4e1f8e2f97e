/** Bounds how long a caller waits for work. */
import type { Clock } from './clock.ts';

/**
 * The result of `work`, or of `onLate` when the deadline passes first. Late work continues; its
 * result or error is ignored.
 */
export async function withDeadline<T, Late>(
  work: Promise<T>,
  clock: Pick<Clock, 'timer'>,
  deadlineMs: number,
  onLate: () => Late,
): Promise<T | Late> {
  const late = Promise.withResolvers<void>();
  const cancel = clock.timer(deadlineMs, late.resolve);
  try {
    return await Promise.race([work, late.promise.then(onLate)]);
  } finally {
    cancel();
  }
}
