/**
 * Parses the filter of a legacy list and checks it against the table's columns. A filter that
 * cannot be honoured is refused, never ignored.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { ownColumns, type Scalar, type SchemaTable } from '../../contracts/schema.ts';
import { integerAt, objectAt, refuse, type Settings } from '../settings.ts';
import type { Wanted } from './provider.ts';

const orderShape = /^(-?)([A-Za-z]\w*)(?:\s+(asc|desc))?$/i;

/** Members of a filter that are not columns. */
const others: ReadonlySet<string> = new Set(['Limit', 'OrderBy', 'Full']);

type Listing = { table: SchemaTable; orderBy: string; key: string; limit: number };

function columnOf({ table }: Listing, name: string, path: string): string {
  if (table.columns.has(name) && !ownColumns.has(name)) return name;
  throw new TidemarkError(
    'INVALID_MESSAGE',
    `${path}: ${JSON.stringify(name)} is not a column of ${table.name}`,
  );
}

/**
 * Ties are broken by the key, in the same direction, so that a limited list always ends at the same
 * row.
 */
function orderOf(listing: Listing, given: unknown): Wanted['order'] {
  const text = given === undefined || given === null || given === '' ? listing.orderBy : given;
  const [, minus, name, direction] =
    typeof text === 'string' ? (orderShape.exec(text.trim()) ?? []) : [];
  if (name === undefined)
    throw refuse('Settings.Filter.OrderBy', '"Col", "-Col" or "Col DESC"', given);
  const isDescending = (minus === '-') !== (direction?.toLowerCase() === 'desc');
  return [columnOf(listing, name, 'Settings.Filter.OrderBy'), listing.key].map((field) => ({
    field,
    isDescending,
  }));
}

function valuesOf(value: unknown, path: string): Scalar[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  if (
    values.every(
      (one) => typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean',
    ) &&
    values.length <= limits.listRowsMax
  )
    return values;
  throw refuse(path, `a value, or a list of at most ${limits.listRowsMax}`, value);
}

/** The number of rows to return; 0 or nothing means `instead`. */
export function limitOf(settings: Settings, instead: number): number {
  return Math.min(
    integerAt(settings, 'Limit', 0, Number.MAX_SAFE_INTEGER, instead) || instead,
    limits.listRowsMax,
  );
}

/** @throws TidemarkError INVALID_MESSAGE */
export function wantedOf(listing: Listing, settings: Settings): Wanted & { isFull: boolean } {
  const filter = objectAt(settings['Filter'] ?? {}, 'Settings.Filter');
  const terms = Object.entries(filter)
    .filter(([name]) => !others.has(name))
    .map(([name, value]) => {
      const path = `Settings.Filter.${name}`;
      return { field: columnOf(listing, name, path), values: valuesOf(value, path) };
    });
  return {
    terms,
    order: orderOf(listing, filter['OrderBy']),
    limit: limitOf(filter, listing.limit),
    isFull: filter['Full'] === true,
  };
}
