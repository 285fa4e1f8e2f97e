/** What becomes of an insert whose row is there already. */
import type { MutationResult, RowMutation } from '../../contracts/mutation.ts';
import { alreadyPresent, superseded, termOf, type WrittenBy } from '../../contracts/row-guard.ts';
import { bounds } from '../bounds.ts';

/** @param differing columns in which the row has other values */
export function outcomeOfRepeat(
  mutation: RowMutation,
  row: WrittenBy,
  differing: () => readonly string[],
): MutationResult {
  if (row.term === termOf(mutation) && row.seq === mutation.Seq) return alreadyPresent;
  const names = differing();
  if (names.length === 0) return alreadyPresent;
  if (row.term > termOf(mutation)) return superseded;
  return {
    Outcome: 'conflict',
    Reason:
      `the row of ${mutation.Table} already there has other values in ${names.join(', ')}`.slice(
        0,
        bounds.reasonCharsMax,
      ),
  };
}
