/**
 * The rule of the mark row: which mutations of a repeated batch are skipped, whether a batch takes
 * effect, and where the mark goes.
 */
import type { StoredMark } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isSettledOutcome, type MutationResult } from '../../contracts/mutation.ts';
import type { ApplyBatch } from './engine.ts';

/**
 * Mutations up to this Seq have already taken effect and are skipped. -1 skips none: if the stored
 * mark is of another epoch, or the batch is below the mark.
 */
export function skipThrough(batch: ApplyBatch, stored: StoredMark | null): number {
  return stored !== null && !batch.isBelowMark && stored.Epoch === batch.epoch ? stored.Seq : -1;
}

type BuiltBatch = Pick<
  ApplyBatch,
  'afterSeq' | 'afterEpoch' | 'epoch' | 'throughSeq' | 'isBelowMark' | 'mutations'
>;

/**
 * @throws TidemarkError UNAVAILABLE when the mark row is not the one the batch expects: the
 * database went back in time unnoticed, or the batch is late and a newer epoch has begun
 */
export function insistOnMark(batch: BuiltBatch, stored: StoredMark | null): void {
  if (isBuiltOn(batch, stored) && isEarned(batch, stored)) return;
  throw new TidemarkError(
    'UNAVAILABLE',
    `the batch expects the mark at Seq ${batch.afterSeq ?? 0} of epoch ` +
      `${batch.afterEpoch ?? batch.epoch}, and the database is at ` +
      (`${stored ? `${stored.Seq} of ${stored.Epoch}` : 'none'}: it went back in time, or ` +
        'the batch is late; ask for its mark'),
  );
}

/**
 * Whether the mark may move to where the batch says. Up to its last mutation the batch proves that
 * it did the work. Beyond that, or with an empty batch, the sender is believed only if it knows the
 * current mark.
 */
function isEarned(batch: BuiltBatch, stored: StoredMark | null): boolean {
  const { afterSeq = 0, afterEpoch = '', epoch, throughSeq, mutations, isBelowMark } = batch;
  const isMoving = !isBelowMark && (stored?.Epoch !== epoch || throughSeq > stored.Seq);
  if (!isMoving || mutations.some(({ Seq }) => Seq >= throughSeq)) return true;
  return afterSeq === (stored?.Seq ?? 0) && afterEpoch === (stored?.Epoch ?? '');
}

function isBuiltOn(
  { afterSeq = 0, afterEpoch, epoch }: BuiltBatch,
  stored: StoredMark | null,
): boolean {
  if (afterEpoch === undefined)
    return afterSeq === 0 || (stored?.Epoch === epoch && stored.Seq >= afterSeq);
  if (stored === null) return afterEpoch === '';
  // The batch was encoded before the first of its epoch was answered.
  if (stored.Epoch === epoch && afterEpoch !== epoch) return true;
  return stored.Epoch === afterEpoch && stored.Seq >= afterSeq;
}

/**
 * All or nothing: a single refused mutation keeps the batch from taking effect. Below the mark
 * mutations are independent.
 */
export function takesEffect(batch: ApplyBatch, results: readonly MutationResult[]): boolean {
  return batch.isBelowMark || results.every((result) => isSettledOutcome(result.Outcome));
}

/**
 * The mark row after a batch that took effect; the same object as `stored` when nothing must be
 * written. Never moves back within an epoch. A batch below the mark that begins an epoch leaves Seq
 * as it is; an older copy of the database can then be recognised by its epoch.
 */
export function markAfter(batch: ApplyBatch, stored: StoredMark | null): StoredMark | null {
  if (batch.isBelowMark) {
    const isBegun =
      stored !== null && batch.epoch !== stored.Epoch && batch.afterEpoch === stored.Epoch;
    return isBegun ? { Epoch: batch.epoch, Seq: stored.Seq, UpdatedAt: batch.now } : stored;
  }
  if (stored !== null && stored.Epoch === batch.epoch && stored.Seq >= batch.throughSeq)
    return stored;
  return { Epoch: batch.epoch, Seq: batch.throughSeq, UpdatedAt: batch.now };
}
