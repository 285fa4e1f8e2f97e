/** Sending a write once more: which refusals are worth it, and how long to wait before. */
import { systemStamps } from '../../contracts/client/stamps.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';

const transient: ReadonlySet<string> = new Set([
  'UNAVAILABLE',
  'OVERLOADED',
  'STORAGE_FAILED',
  'CLOSED',
]);

/** Nobody has decided about the write yet. */
export function isTransient(error: unknown): error is TidemarkError {
  return error instanceof TidemarkError && transient.has(error.code);
}

/** Longer with every try, and at least what the worker asked for. */
export function delayMsOf(tries: number, { retryAfterMs }: TidemarkError): number {
  const full = Math.min(limits.backoffLongestMs, limits.backoffFirstMs * 2 ** Math.min(tries, 30));
  return Math.max(retryAfterMs ?? 0, full * (0.5 + systemStamps.random() / 2));
}
