/** Work that is waited for only so long. */
import type { Clock } from './clock.ts';

/**
 * What `work` comes to; or, when it is not done after `deadlineMs`, what `onLate` returns or throws.
 * Late work goes on, and whether it fails then is nobody's concern any more.
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
