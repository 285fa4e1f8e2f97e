/**
 * Merges what the journal knows over what the backend returned: filter, order and position, as the
 * database would apply them.
 */
import type { Row, RowMutation, RowQuery } from '../contracts/mutation.ts';
import type { Scalar } from '../contracts/schema.ts';
import { isEmptyValue } from './fold.ts';

/**
 * Columns of one row as stored; more than the key may be missing where the journal knows it in
 * part.
 */
export type KnownRow = Record<string, Scalar>;

/** What the journal knows of a row after one more mutation. `null` when it knows nothing. */
export function learn(known: KnownRow | null, mutation: RowMutation): KnownRow {
  const row: KnownRow = { ...known, ...mutation.Key };
  if (mutation.Op === 'delete') return { ...row, Deleted: 1 };
  Object.assign(row, mutation.Set);
  for (const [name, value] of Object.entries(mutation.Fill ?? {})) {
    if (isEmptyValue(row[name])) row[name] = value;
  }
  for (const [name, members] of Object.entries(mutation.Merge ?? {})) {
    row[name] = JSON.stringify({ ...objectOf(row[name]), ...members });
  }
  return { ...row, Deleted: 0 };
}

function objectOf(text: Scalar | undefined): object {
  if (typeof text !== 'string' || text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

/**
 * A backend row with what the journal knows put over it; Extra is merged, as it is in the database.
 */
export function overlay(base: Row | null, known: KnownRow): KnownRow {
  if (!base) return known;
  const merged = { ...base, ...known };
  if (base['Extra'] && known['Extra'])
    merged['Extra'] = JSON.stringify({ ...objectOf(base['Extra']), ...objectOf(known['Extra']) });
  return merged;
}

/**
 * Strings by code point, as a database with binary collation does; numbers by value; null first.
 */
export function compareScalars(a: Scalar | undefined, b: Scalar | undefined): number {
  const left = a ?? null;
  const right = b ?? null;
  if (left === right) return 0;
  if (left === null) return -1;
  if (right === null) return 1;
  if (typeof left === 'string' && typeof right === 'string')
    return Buffer.compare(Buffer.from(left), Buffer.from(right)) < 0 ? -1 : 1;
  return Number(left) < Number(right) ? -1 : Number(left) > Number(right) ? 1 : 0;
}

/** Compares two rows in the order of a query. */
export function compareRows(order: RowQuery['Order']): (a: KnownRow, b: KnownRow) => number {
  return (a, b) => {
    for (const { Column, IsDescending } of order) {
      const by = compareScalars(a[Column], b[Column]);
      if (by !== 0) return IsDescending ? -by : by;
    }
    return 0;
  };
}

/**
 * Whether a row is in the answer of a query: not deleted, all terms hold, and behind its position.
 */
export function matches(query: RowQuery, row: KnownRow): boolean {
  if (row['Deleted'] === 1 || row['Deleted'] === true) return false;
  for (const { Column, Values } of query.Terms) {
    if (!Values.some((value) => compareScalars(value, row[Column]) === 0)) return false;
  }
  return !query.After || isBehind(query.Order, row, query.After);
}

function isBehind(order: RowQuery['Order'], row: KnownRow, position: readonly Scalar[]): boolean {
  for (const [index, { Column, IsDescending }] of order.entries()) {
    const by = compareScalars(row[Column], position[index] ?? null);
    if (by !== 0) return IsDescending ? by < 0 : by > 0;
  }
  return false;
}
