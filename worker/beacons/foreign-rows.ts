/**
 * Adapts to databeacons that are not ours: values that their filters cannot express, pages that
 * they cap, and the types in which their engines return values.
 */
import { matches } from '../../bridges/read-merge.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Row, RowQuery } from '../../contracts/mutation.ts';
import { type Scalar, type TableName, tableOf } from '../../contracts/schema.ts';

/**
 * They decode a path before they split it into stanzas, so `~` ends a value and `,` ends an item of
 * a list. A backslash is an escape in their LIKE.
 */
const unsayable = /[~\\]/;

/** Whether a filter cannot express a value. */
export function isUnsayable(value: Scalar | undefined): boolean {
  return typeof value === 'string' && unsayable.test(value);
}

/** A LIKE pattern that matches the value, and possibly others. */
export function patternOf(value: string): string {
  return value.replaceAll(/[~\\]/g, '_');
}

/** A bound for > or < that leaves no row out. Only DEL follows `~` in ASCII. */
export function boundOf(value: Scalar, isDescending: boolean): Scalar {
  if (typeof value !== 'string') return value;
  const at = value.search(unsayable);
  if (at < 0) return value;
  return value.slice(0, at) + (isDescending ? '\u007F' : '');
}

/** A page that is too large in bytes is read again with its row count divided by this. */
const smallerBy = 8;

/**
 * Reads pages until the limit is reached or no rows are left. Removes rows that matched only
 * because of a pattern or another collation.
 */
export async function pagesOf(
  query: RowQuery,
  ask: (query: RowQuery, begin: number, cap: number) => Promise<Row[]>,
): Promise<Row[]> {
  const exact = { ...query, Terms: query.Terms.filter((term) => term.Column !== 'Deleted') };
  const isAsked = (row: Row) =>
    matches(exact, exact.Terms.length < query.Terms.length ? { ...row, Deleted: 0 } : row);
  let cap = Math.min(limits.foreignPageRows, Math.max(query.Limit, 1));
  const kept: Row[] = [];
  for (let from = query, begin = 0; ;) {
    const answer = await ask(from, begin, cap).catch((error: unknown) => {
      if (error instanceof TidemarkError && error.code === 'TOO_LARGE' && cap > 1) return null;
      throw error;
    });
    if (answer === null) {
      cap = Math.ceil(cap / smallerBy);
      continue;
    }
    const page = answer.map((row) => normalized(query.Table, row));
    kept.push(...page.filter(isAsked));
    const last = page.at(-1);
    if (!last || page.length < cap || kept.length >= query.Limit) return kept.slice(0, query.Limit);
    const position = query.Order.map((term) => last[term.Column] ?? null);
    if (position.length === 0 || position.some((value) => value === null || isUnsayable(value)))
      begin += page.length;
    else {
      from = { ...query, After: position };
      begin = 0;
    }
  }
}

/**
 * Converts a row to the types our own beacons return: numbers instead of text in columns added
 * later, 0 and 1 for booleans, dates with a zone.
 */
function normalized(name: string, row: Row): Row {
  const table = tableOf(name as TableName);
  const clean: Row = {};
  for (const [column, value] of Object.entries(row))
    clean[column] = valueOf(table.columns.get(column)?.kind ?? 'text', column, value);
  return clean;
}

const dates = new Set(['CreateDate', 'UpdateDate']);

function valueOf(kind: string, column: string, value: Scalar): Scalar {
  if (value === null) return null;
  if (kind === 'boolean' || column === 'Deleted')
    return value === true || value === 'true' || Number(value) === 1 ? 1 : 0;
  if (dates.has(column))
    return typeof value === 'string' && /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/.test(value)
      ? isoDate(value)
      : value;
  const isNumber = kind === 'integer' || kind === 'float' || (kind === 'own' && column !== 'HubID');
  return isNumber && typeof value === 'string' && value !== '' && !Number.isNaN(Number(value))
    ? Number(value)
    : value;
}

function isoDate(text: string): string {
  const ms = Date.parse(`${text.replace(' ', 'T')}Z`);
  return Number.isNaN(ms) ? text : new Date(ms).toISOString();
}

/**
 * Converts a row to what they can store. Their drivers have no booleans, and they treat a Seq as a
 * float, which rounds it when it becomes text.
 */
export function storable(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      if (name === 'BridgeSeq') return [name, String(value)];
      return [name, typeof value === 'boolean' ? Number(value) : value];
    }),
  );
}
