/**
 * Whether the database has the row an entry should have left.
 *
 * A row is right when its BridgeSeq is the newest entry's and it holds what that entry set, or when
 * a later write passed over it. Sending again mends rows that are missing or older. One that
 * somebody changed under the same BridgeSeq is reported only: the database takes it for the row it
 * has.
 */
import type { Entry } from '../../../bridges/entry.ts';
import { toMutation } from '../../../bridges/lanes.ts';
import { compareScalars, type KnownRow } from '../../../bridges/read-merge.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import type { RowMutation, RowQuery } from '../../../contracts/mutation.ts';
import type { Lane } from '../../../contracts/subjects.ts';
import type { BackendRows } from '../operation.ts';

export type Finding = { entry: Entry; kind: 'missing' | 'older' | 'changed'; what: string };

/** @returns null for a row that is right */
export async function checkRow(
  entry: Entry,
  lane: Lane,
  backend: BackendRows,
): Promise<Finding | null> {
  const mutation = toMutation(entry);
  const rows = await backend(lane, rowQuery(mutation));
  if (!rows)
    throw new TidemarkError(
      'UNAVAILABLE',
      `the database of lane ${lane} is away; run it again when it is there, it goes on from here`,
    );
  const [row] = rows;
  const what = `${entry.action} ${entry.key}, Seq ${entry.seq}`;
  if (!row) return mutation.Op === 'delete' ? null : { entry, kind: 'missing', what };
  const bridgeSeq = Number(row['BridgeSeq']);
  if (mutation.Op !== 'insert' && bridgeSeq < entry.seq) return { entry, kind: 'older', what };
  if (mutation.Op !== 'insert' && bridgeSeq > entry.seq) return null;
  const columns = Object.entries(mutation.Op === 'delete' ? { Deleted: 1 } : mutation.Set)
    .filter(([name, value]) => !isSame(value, row[name]))
    .map(([name]) => name);
  return columns.length === 0
    ? null
    : { entry, kind: 'changed', what: `${what}: ${columns.join(', ')}` };
}

/** The row of a mutation, soft-deleted or not: naming Deleted shows both. */
function rowQuery(mutation: RowMutation): RowQuery {
  const terms = Object.entries(mutation.Key).map(([Column, value]) => ({
    Column,
    Values: [value],
  }));
  const [last = ''] = Object.keys(mutation.Key).slice(-1);
  return {
    Table: mutation.Table,
    Terms: [...terms, { Column: 'Deleted', Values: [0, 1] }],
    Order: [{ Column: last, IsDescending: false }],
    Limit: 1,
  };
}

/** Databases answer booleans as numbers and numbers as text as they like. */
function isSame(expected: KnownRow[string], found: KnownRow[string] | undefined): boolean {
  const plain = (value: KnownRow[string] | undefined) =>
    typeof value === 'boolean' ? Number(value) : (value ?? null);
  const [one, other] = [plain(expected), plain(found)];
  if (compareScalars(one, other) === 0) return true;
  return (
    one !== null && other !== null && typeof one !== typeof other && String(one) === String(other)
  );
}
