/**
 * The rule of the mark row: which mutations of a repeated batch are skipped, whether a batch takes
 * effect, and where the mark goes.
 */
import type { StoredMark } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isSettledOutcome, type MutationResult } from '../../contracts/mutation.ts';
import type { ApplyBatch } from './engine.ts';

/**
 * Mutations up to this Seq are in effect and skipped; -1 for none: a mark of another epoch does not
 * count, nor does any below the mark.
 */
export function skipThrough(batch: ApplyBatch, stored: StoredMark | null): number {
  return stored !== null && !batch.isBelowMark && stored.Epoch === batch.epoch ? stored.Seq : -1;
}

type BuiltBatch = Pick<
  ApplyBatch,
  'afterSeq' | 'afterEpoch' | 'epoch' | 'throughSeq' | 'isBelowMark' | 'mutations'
>;

/**
 * @throws TidemarkError UNAVAILABLE when the mark row is not what the batch builds on: the database
 * went back in time behind the sender's back, or the batch is late and another epoch has begun
 * since
 */
export function insistOnMark(batch: BuiltBatch, stored: StoredMark | null): void {
  if (isBuiltOn(batch, stored) && isEarned(batch, stored)) return;
  throw new TidemarkError(
    'UNAVAILABLE',
    `the batch builds on Seq ${batch.afterSeq ?? 0} of epoch ` +
      `${batch.afterEpoch ?? batch.epoch}, and the database is at ` +
      (`${stored ? `${stored.Seq} of ${stored.Epoch}` : 'none'}: it went back in time, or ` +
        'the batch is late; ask for its mark'),
  );
}

/**
 * Whether the mark may go where the batch says. Up to its last mutation it shows what it did; a mark
 * beyond that, or by a batch of nothing, is believed only of a sender who knows where the mark is.
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
  // Made ready before the first batch of its epoch was answered.
  if (stored.Epoch === epoch && afterEpoch !== epoch) return true;
  return stored.Epoch === afterEpoch && stored.Seq >= afterSeq;
}

/**
 * Whole or not at all: one refused mutation keeps the batch from taking effect. Below the mark each
 * is its own affair.
 */
export function takesEffect(batch: ApplyBatch, results: readonly MutationResult[]): boolean {
  return batch.isBelowMark || results.every((result) => isSettledOutcome(result.Outcome));
}

/**
 * The mark row after a batch that took effect; the same object as `stored` when nothing is to be
 * written. Never moves back within an epoch. A batch below the mark that begins an epoch leaves the
 * mark where it is: a copy of the database from before it shows the epoch before.
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
