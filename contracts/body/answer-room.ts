/**
 * Answers to a list of writes fit the message that brings them: whether they will is known before
 * anything is stored, and reasons are shortened rather than an answer refused afterwards.
 */
import { TidemarkError } from '../errors.ts';

/** Bytes of the longest result without its Reason, in either encoding, and of what is around all. */
export const resultBytes = { write: 208, mutation: 64 } as const;
const aroundBytes = 512;
/** A character in UTF-8, or as JSON escapes it. */
const charBytesMax = 6;

/**
 * Called before anything is stored.
 * @throws TidemarkError TOO_LARGE when the results cannot be answered
 */
export function insistOnAnswer(count: number, eachBytes: number, roomBytes: number): void {
  if (count * eachBytes + aroundBytes <= roomBytes) return;
  const most = Math.max(1, Math.floor((roomBytes - aroundBytes) / eachBytes));
  throw new TidemarkError(
    'TOO_LARGE',
    `${count} writes: their answer may not fit into ${roomBytes} bytes, so nothing was stored; ` +
      `send at most ${most}, or take answers in pieces`,
  );
}

/** The results with reasons as long as there is room for; the same list where all fit. */
export function fittingReasons<T extends object>(
  results: readonly T[],
  eachBytes: number,
  roomBytes: number,
): readonly T[] {
  const free = roomBytes - aroundBytes - results.length * eachBytes;
  const reasons = results.map(reasonOf).filter((reason) => reason !== '');
  const needed = reasons.reduce((sum, reason) => sum + reason.length * charBytesMax, 0);
  if (needed <= free) return results;
  const chars = Math.max(0, Math.floor(free / charBytesMax / reasons.length));
  return results.map((result) =>
    reasonOf(result).length <= chars
      ? result
      : { ...result, Reason: reasonOf(result).slice(0, chars).toWellFormed() },
  );
}

function reasonOf(result: object): string {
  return 'Reason' in result && typeof result.Reason === 'string' ? result.Reason : '';
}
