/** Retries: which refusals are worth one, the delay between attempts, and when to give up. */
import { TidemarkError } from '../errors.ts';
import type { Stamps } from './stamps.ts';

export type RetryOptions = {
  /** Delay before the first retry; it doubles with each further one. */
  firstMs: number;
  /** Longest delay between two attempts. */
  longestMs: number;
  /** A call that has not succeeded after this long fails with the last error. */
  giveUpMs: number;
};

const transient: ReadonlySet<string> = new Set(['UNAVAILABLE', 'OVERLOADED', 'STORAGE_FAILED']);

/**
 * Runs an attempt until it succeeds, fails for good, or `giveUpMs` has passed. `RetryAfterMs` of a
 * refusal is the minimum delay.
 * @throws TidemarkError the last one
 */
export async function retrying<T>(
  attempt: () => Promise<T>,
  options: RetryOptions,
  stamps: Stamps,
): Promise<T> {
  const giveUpAtMs = stamps.nowMs() + options.giveUpMs;
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TidemarkError) || !transient.has(error.code)) throw error;
      const full = Math.min(options.longestMs, options.firstMs * 2 ** Math.min(tries, 30));
      const delayMs = Math.max(error.retryAfterMs ?? 0, full * (0.5 + stamps.random() / 2));
      if (stamps.nowMs() + delayMs > giveUpAtMs) throw error;
      await stamps.sleep(delayMs);
    }
  }
}
