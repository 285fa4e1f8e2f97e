/**
 * The rule of the rows: which of two writes of a row is the later one. The Term of the owner that
 * accepted a write counts before its Seq, whatever the clocks of the owners said.
 */
import type { MutationResult, RowMutation } from './mutation.ts';

/** The write a row was last written by; both 0 for a row that no bridge wrote. */
export type WrittenBy = { term: number; seq: number };

export const alreadyPresent: MutationResult = { Outcome: 'already-present' };
export const superseded: MutationResult = { Outcome: 'superseded' };

/** From a row as it was read; a table of before there were Terms has none. */
export function writtenBy(row: Readonly<Record<string, unknown>>): WrittenBy {
  return { term: Number(row['BridgeTerm'] ?? 0), seq: Number(row['BridgeSeq'] ?? 0) };
}

export function termOf({ Term = 0 }: RowMutation): number {
  return Term;
}

/**
 * Negative when the row is from before the write, 0 when it is from it, positive when from a later
 * one. A row without a Term comes from a beacon that keeps none, and only its Seq tells.
 */
export function compareWritten(row: WrittenBy, mutation: RowMutation): number {
  const term = row.term === 0 ? 0 : row.term - termOf(mutation);
  return term === 0 ? row.seq - mutation.Seq : term;
}

/** What becomes of a write to a row that has this one or a later one; null when it is to go in. */
export function outcomeBehind(mutation: RowMutation, row: WrittenBy): MutationResult | null {
  if (row.term > termOf(mutation)) return superseded;
  return row.term === termOf(mutation) && row.seq >= mutation.Seq ? alreadyPresent : null;
}
