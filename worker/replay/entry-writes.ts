/**
 * Entries as the writes of a delivery: translated, and folded as far as the carrier can take it.
 */
import type { Entry } from '../../bridges/entry.ts';
import { type Folded, foldBatch, type Keyed } from '../../bridges/fold.ts';
import { toMutation } from '../../bridges/lanes.ts';
import type { Carrier } from './carrier.ts';

export function keyed(entry: Entry): Keyed {
  return { mutation: toMutation(entry), key: entry.key };
}

export function alone(write: Keyed): Folded {
  return { ...write, seqs: [write.mutation.Seq] };
}

export function writesFor(
  carrier: Pick<Carrier, 'isAtomic' | 'isVerbatim'>,
  writes: readonly Keyed[],
): Folded[] {
  return carrier.isVerbatim ? writes.map(alone) : foldBatch(writes, carrier.isAtomic);
}
