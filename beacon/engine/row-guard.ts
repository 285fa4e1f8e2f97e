/**
 * The rule of the rows: which of two writes of a row is the later one. The Term of the owner that
 * accepted a write counts before its Seq, whatever the clocks of the owners said.
 */
import { bounds } from '../bounds.ts';
import type { MutationResult, RowMutation } from '../../contracts/mutation.ts';

/** The write a row was last written by; both 0 for a row that no bridge wrote. */
export type WrittenBy = { term: number; seq: number };

export const alreadyPresent: MutationResult = { Outcome: 'already-present' };
const superseded: MutationResult = { Outcome: 'superseded' };

/** From a row as it was read; a table of before there were Terms has none. */
export function writtenBy(row: Readonly<Record<string, unknown>>): WrittenBy {
  return { term: Number(row['BridgeTerm'] ?? 0), seq: Number(row['BridgeSeq'] ?? 0) };
}

export function termOf({ Term = 0 }: RowMutation): number {
  return Term;
}

/** What becomes of a write to a row that has this one or a later one; null when it is to go in. */
export function outcomeBehind(mutation: RowMutation, row: WrittenBy): MutationResult | null {
  if (row.term > termOf(mutation)) return superseded;
  return row.term === termOf(mutation) && row.seq >= mutation.Seq ? alreadyPresent : null;
}

/**
 * What becomes of an insert whose row is there.
 * @param differing columns in which the row has other values
 */
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
