/**
 * Rows and filters of databeacons that are not ours: values their filter text cannot hold, pages
 * they cap, forms their engines leave values in.
 */
import { matches } from '../../bridges/read-merge.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Row, RowQuery } from '../../contracts/mutation.ts';
import { type Scalar, type TableName, tableOf } from '../../contracts/schema.ts';

/**
 * They decode a path before they cut it into stanzas, so that `~` ends a value and `,` an item of a
 * list; a backslash escapes in their LIKE.
 */
const unsayable = /[~\\]/;

/** Whether a value cannot stand in a filter. */
export function isUnsayable(value: Scalar | undefined): boolean {
  return typeof value === 'string' && unsayable.test(value);
}

/** A LIKE pattern that finds the value, and perhaps others beside it. */
export function patternOf(value: string): string {
  return value.replaceAll(/[~\\]/g, '_');
}

/** A bound for > or < that leaves nothing out: `~` is the last but one of ASCII. */
export function boundOf(value: Scalar, isDescending: boolean): Scalar {
  if (typeof value !== 'string') return value;
  const at = value.search(unsayable);
  if (at < 0) return value;
  return value.slice(0, at) + (isDescending ? '\u007F' : '');
}

/** A page whose rows are too large together is asked for again in so many parts. */
const smallerBy = 8;

/**
 * Pages until the limit is reached or nothing more comes, without rows that only a pattern or
 * another collation let through.
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
 * A row in the form our own beacons give: numbers where a column added later holds text, 0 and 1,
 * dates with their zone.
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
 * A row as they can store it: their drivers know no booleans, and round a Seq where it becomes
 * text, for to them it is a float.
 */
export function storable(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      if (name === 'BridgeSeq') return [name, String(value)];
      return [name, typeof value === 'boolean' ? Number(value) : value];
    }),
  );
}
