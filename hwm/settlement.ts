/**
 * What the results of a batch mean for each of its entries: the rules of I5 and of dead letters.
 * Pure functions.
 */
import { isSettledOutcome, type MutationResult } from '../contracts/mutation.ts';

/** Entries of one mutation, ascending; all of one key. */
export type Sent = { key: string; seqs: readonly number[] };

export type BatchVerdict = {
  applied: number;
  present: number;
  /** Entries of an earlier owner, behind rows of a later one. */
  superseded: { seq: number; key: string }[];
  /**
   * Entries that the database does not have, in Seq order; `dead` is a refused one, `parked` are
   * those that wait behind it.
   */
  blocked: { seq: number; key: string; state: 'dead' | 'parked'; reason: string | null }[];
};

/**
 * Settles a batch that took effect. When a refused write was folded from several entries, none of
 * them is a dead letter yet: they are parked and sent one by one, so that only the bad one is kept
 * back. Writes that were not sent because of a refused one are parked behind it.
 * @param sent the writes in the order of `results`
 * @param parked entries that were left out because their key is waiting
 */
export function settle(
  sent: readonly Sent[],
  results: readonly (MutationResult | null)[],
  parked: readonly { seq: number; key: string }[],
): BatchVerdict {
  const verdict: BatchVerdict = {
    applied: 0,
    present: 0,
    superseded: [],
    blocked: parked.map((one) => ({ ...one, state: 'parked', reason: null })),
  };
  sent.forEach(({ key, seqs }, index) => {
    const result = results[index];
    if (result?.Outcome === 'applied') verdict.applied += seqs.length;
    else if (result?.Outcome === 'superseded')
      verdict.superseded.push(...seqs.map((seq) => ({ seq, key })));
    else if (result && isSettledOutcome(result.Outcome)) verdict.present += seqs.length;
    else if (result && seqs.length === 1)
      verdict.blocked.push({
        seq: seqs[0] as number,
        key,
        state: 'dead',
        reason: reasonOf(result),
      });
    else for (const seq of seqs) verdict.blocked.push({ seq, key, state: 'parked', reason: null });
  });
  verdict.blocked.sort((a, b) => a.seq - b.seq);
  return verdict;
}

/** Keys with a refused write in a batch that did not take effect because of it. */
export function refusedKeys(
  sent: readonly Sent[],
  results: readonly (MutationResult | null)[],
): Set<string> {
  const keys = sent.filter((_, index) => {
    const result = results[index];
    return result && !isSettledOutcome(result.Outcome);
  });
  return new Set(keys.map((one) => one.key));
}

/** The sentence kept with a dead letter. */
export function reasonOf(result: MutationResult): string {
  return `${result.Outcome}: ${result.Reason ?? 'no reason given'}`;
}
