/**
 * The rule of the mark row: which mutations of a repeated batch are skipped, whether a batch takes
 * effect, and where the mark goes.
 */
import type { StoredMark } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import {
  isSettledOutcome,
  type MutationResult,
  type RowMutation,
} from '../../contracts/mutation.ts';
import { termOf } from '../../contracts/row-guard.ts';
import { bounds } from '../bounds.ts';
import type { ApplyBatch } from './engine.ts';

/**
 * Whether a mutation of the batch has taken effect before and is skipped: up to the mark of its
 * epoch and Term, unless the batch is below it; a copy of the sender's store may have moved the mark
 * of an earlier Term. One of an earlier owner's may have been superseded instead, and only its row
 * knows.
 */
export function skippedBy(
  batch: ApplyBatch,
  stored: StoredMark | null,
): (mutation: RowMutation) => boolean {
  const { term = 0, epoch, isBelowMark } = batch;
  const isOwn = stored !== null && stored.Epoch === epoch && (stored.Term ?? 0) === term;
  const through = isOwn && !isBelowMark ? stored.Seq : -1;
  return (mutation) => mutation.Seq <= through && termOf(mutation) >= term;
}

/**
 * A hub has one owner at a time: the one with the greatest Term that any database has seen. An
 * equal Term of another Owner is that of a store begun or copied beside it.
 * @throws TidemarkError STALE_OWNER for a sender that is not the owner any more
 */
export function insistOnOwner(
  { term = 0, owner = '' }: Pick<ApplyBatch, 'term' | 'owner'>,
  stored: StoredMark | null,
): void {
  const { Term = 0, Owner = '' } = stored ?? {};
  if (term > Term || (term === Term && (Term === 0 || owner === Owner))) return;
  throw new TidemarkError(
    'STALE_OWNER',
    `the batch is of Term ${term} and owner ${owner || 'none'}, and the hub belongs to Term ` +
      `${Term} of owner ${Owner || 'none'}`,
  );
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
 * written. Never moves back within an epoch, and takes on a greater Term. A batch below the mark
 * that begins an epoch leaves Seq as it is; an older copy of the database can then be recognised by
 * its epoch.
 */
export function markAfter(batch: ApplyBatch, stored: StoredMark | null): StoredMark | null {
  const { term = 0, owner = '', now } = batch;
  const place = placeAfter(batch, stored);
  const isNewOwner = place !== null && term > (stored?.Term ?? 0);
  if (place === null || (place === stored && !isNewOwner)) return stored;
  const { Epoch, Seq } = place;
  const mark = { Epoch, Seq, UpdatedAt: now };
  if (isNewOwner) return { ...mark, Term: term, Owner: owner };
  return stored?.Term ? { ...mark, Term: stored.Term, Owner: stored.Owner ?? '' } : mark;
}

/** Where the mark is after the batch: the same object as `stored` when it stays. */
function placeAfter(
  batch: ApplyBatch,
  stored: StoredMark | null,
): Pick<StoredMark, 'Epoch' | 'Seq'> | null {
  if (batch.isBelowMark) {
    const isBegun =
      stored !== null && batch.epoch !== stored.Epoch && batch.afterEpoch === stored.Epoch;
    return isBegun ? { Epoch: batch.epoch, Seq: stored.Seq } : stored;
  }
  if (stored !== null && stored.Epoch === batch.epoch && stored.Seq >= batch.throughSeq)
    return stored;
  return { Epoch: batch.epoch, Seq: batch.throughSeq };
}

/** A mark row as it was read: without Term and Owner while nobody has given any. */
export function markOfRow(row: Readonly<Record<string, unknown>>): StoredMark {
  const mark = {
    Epoch: String(row['Epoch']),
    Seq: Number(row['Seq']),
    UpdatedAt: String(row['UpdatedAt']),
  };
  const term = Number(row['Term'] ?? 0);
  return term > 0 ? { ...mark, Term: term, Owner: String(row['Owner'] ?? '') } : mark;
}

/**
 * A table of marks that a worker of before there were Terms made.
 * @throws TidemarkError UNAVAILABLE when the batch has a Term, and it cannot be kept
 */
export function insistOnTermColumns(hasTerm: boolean, { term = 0 }: ApplyBatch): void {
  if (hasTerm || term === 0) return;
  throw new TidemarkError(
    'UNAVAILABLE',
    'the table of marks has no column Term; run EnsureSchema again',
    { retryAfterMs: bounds.databaseRetryMs },
  );
}
