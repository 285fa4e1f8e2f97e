/**
 * Merges journal entries into the rows the backend returned, with the filter, order and position
 * the database would apply.
 */
import type { Row, RowMutation, RowQuery } from '../contracts/mutation.ts';
import type { Scalar } from '../contracts/schema.ts';
import { isEmptyValue } from './fold.ts';

/** The columns the journal knows of one row, in stored form. It may know only part of the row. */
export type KnownRow = Record<string, Scalar>;

/**
 * Applies one more mutation to what is known of a row. `known` is null when nothing is known yet.
 */
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

/** Puts the journal's columns over a backend row. Extra is merged, as the database does. */
export function overlay(base: Row | null, known: KnownRow): KnownRow {
  if (!base) return known;
  const merged = { ...base, ...known };
  if (base['Extra'] && known['Extra'])
    merged['Extra'] = JSON.stringify({ ...objectOf(base['Extra']), ...objectOf(known['Extra']) });
  return merged;
}

/** Null first, strings by code point as in a binary collation, everything else as numbers. */
export function compareScalars(a: Scalar | undefined, b: Scalar | undefined): number {
  const left = a ?? null;
  const right = b ?? null;
  if (left === right) return 0;
  if (left === null) return -1;
  if (right === null) return 1;
  if (typeof left === 'string' && typeof right === 'string') return compareTexts(left, right);
  return Number(left) < Number(right) ? -1 : Number(left) > Number(right) ? 1 : 0;
}

/** Below these the units of a JavaScript string are in the order of code points. */
const highUnits = /[\ud800-\uffff]/;

function compareTexts(left: string, right: string): -1 | 1 {
  if (!highUnits.test(left) && !highUnits.test(right)) return left < right ? -1 : 1;
  return Buffer.compare(Buffer.from(left), Buffer.from(right)) < 0 ? -1 : 1;
}

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
 * Whether a query returns this row: it is not deleted, meets every term and comes after the
 * position.
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
