/** The rule of the mark row: which mutations of a repeated batch are skipped, whether a batch takes effect, and where the mark goes. */
import type { StoredMark } from '../contracts/capability.ts';
import { TidemarkError } from '../contracts/errors.ts';
import { isSettledOutcome, type MutationResult } from '../contracts/mutation.ts';
import type { ApplyBatch } from './engine.ts';

/** Mutations up to this Seq are in effect and skipped; -1 for none: a mark of another epoch does not count, nor does any below the mark. */
export function skipThrough(batch: ApplyBatch, stored: StoredMark | null): number {
  return stored !== null && !batch.isBelowMark && stored.Epoch === batch.epoch ? stored.Seq : -1;
}

/** @throws TidemarkError UNAVAILABLE when the database has not got what the batch builds on: it went back in time behind the sender's back */
export function insistOnMark({ afterSeq = 0, epoch }: ApplyBatch, stored: StoredMark | null): void {
  if (afterSeq === 0 || (stored?.Epoch === epoch && stored.Seq >= afterSeq)) return;
  throw new TidemarkError('UNAVAILABLE', `the batch builds on Seq ${afterSeq}, and the database is at ${stored?.Epoch === epoch ? stored.Seq : 'none'}: it went back in time; ask for its mark`);
}

/** Whole or not at all: one refused mutation keeps the batch from taking effect. Below the mark each is its own affair. */
export function takesEffect(batch: ApplyBatch, results: readonly MutationResult[]): boolean {
  return batch.isBelowMark || results.every((result) => isSettledOutcome(result.Outcome));
}

/** The mark row after a batch that took effect; the same object as `stored` when nothing is to be written. Never moves back within an epoch. */
export function markAfter(batch: ApplyBatch, stored: StoredMark | null): StoredMark | null {
  if (batch.isBelowMark) return stored;
  if (stored !== null && stored.Epoch === batch.epoch && stored.Seq >= batch.throughSeq) return stored;
  return { Epoch: batch.epoch, Seq: batch.throughSeq, UpdatedAt: batch.now };
}
