/**
 * Checks whether the database has the row an entry should have left.
 *
 * A row is right when its BridgeSeq is that of the newest entry and it holds the values that entry
 * set, or when a later write has replaced it. Sending again repairs rows that are missing or older.
 * A row changed by somebody else under the same BridgeSeq is only reported: the database takes it
 * for up to date and would not write it.
 */
import type { Entry } from '../../../bridges/entry.ts';
import { toMutation } from '../../../bridges/lanes.ts';
import { compareScalars, type KnownRow } from '../../../bridges/read-merge.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import type { RowMutation, RowQuery } from '../../../contracts/mutation.ts';
import { compareWritten, writtenBy } from '../../../contracts/row-guard.ts';
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
      `the database of lane ${lane} is away; run this again when it is back, it continues from here`,
    );
  const [row] = rows;
  const what = `${entry.action} ${entry.key}, Seq ${entry.seq}`;
  if (!row) return mutation.Op === 'delete' ? null : { entry, kind: 'missing', what };
  const order = mutation.Op === 'insert' ? 0 : compareWritten(writtenBy(row), mutation);
  if (order < 0) return { entry, kind: 'older', what };
  if (order > 0) return null;
  const columns = Object.entries(mutation.Op === 'delete' ? { Deleted: 1 } : mutation.Set)
    .filter(([name, value]) => !isSame(value, row[name]))
    .map(([name]) => name);
  return columns.length === 0
    ? null
    : { entry, kind: 'changed', what: `${what}: ${columns.join(', ')}` };
}

/** A query for a mutation's row. The term on Deleted makes it find soft-deleted rows too. */
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

/** Databases may return booleans as numbers, and numbers as text. */
function isSame(expected: KnownRow[string], found: KnownRow[string] | undefined): boolean {
  const plain = (value: KnownRow[string] | undefined) =>
    typeof value === 'boolean' ? Number(value) : (value ?? null);
  const [one, other] = [plain(expected), plain(found)];
  if (compareScalars(one, other) === 0) return true;
  return (
    one !== null && other !== null && typeof one !== typeof other && String(one) === String(other)
  );
}
