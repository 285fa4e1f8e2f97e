/**
 * Entries as the writes of a delivery: translated, and folded as far as the carrier can take it.
 */
import type { Entry } from '../../bridges/entry.ts';
import { type Folded, foldBatch, type Keyed } from '../../bridges/fold.ts';
import { toMutation } from '../../bridges/lanes.ts';
import type { Carrier } from './carrier.ts';

export function toKeyedWrite(entry: Entry): Keyed {
  return { mutation: toMutation(entry), key: entry.key };
}

export function unfolded(write: Keyed): Folded {
  return { ...write, seqs: [write.mutation.Seq] };
}

export function writesFor(
  carrier: Pick<Carrier, 'isAtomic' | 'isVerbatim'>,
  writes: readonly Keyed[],
): Folded[] {
  return carrier.isVerbatim ? writes.map(unfolded) : foldBatch(writes, carrier.isAtomic);
}
