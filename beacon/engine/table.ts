/**
 * A table as rows are written to it: columns with the defaults remembered from its descriptor, and
 * the rule what each column takes.
 */
import type { Scalar } from '../../contracts/schema.ts';
import type { ColumnInfo, DefaultObject, IndexInfo, TableInfo } from './engine.ts';

export type Column = ColumnInfo & {
  /** Stored where the column is left out, or null cannot be. */
  fallback: Scalar;
  /** The database stores the fallback by itself when the column is left out. */
  isFallbackGiven: boolean;
};

export type Table = {
  name: string;
  columns: ReadonlyMap<string, Column>;
  identity: Column | null;
  uniqueKeys: readonly IndexInfo[];
};

/** A value its column cannot hold; the message names the column. */
export class Misfit extends Error {}

const emptyOf = { text: '', integer: 0, float: 0, boolean: 0, date: '', binary: '' } as const;

/** The table with its remembered defaults laid over those of its DDL. */
export function toTable(info: TableInfo, defaults: DefaultObject = {}): Table {
  const columns = new Map<string, Column>();
  for (const column of info.columns) columns.set(column.name, withFallback(column, defaults));
  return {
    name: info.name,
    columns,
    identity:
      [...columns.values()].find((column) => column.isIdentity) ??
      [...columns.values()].find((column) => column.isPrimaryKey) ??
      null,
    uniqueKeys: info.indexes.filter((index) => index.isUnique),
  };
}

function withFallback(info: ColumnInfo, defaults: DefaultObject): Column {
  const own: Scalar = info.defaultValue ?? (info.isNullable ? null : emptyOf[info.family]);
  const column: Column = {
    ...info,
    fallback: own,
    isFallbackGiven: info.isIdentity || info.isNullable || info.defaultText !== null,
  };
  const remembered = Object.hasOwn(defaults, info.name) ? defaults[info.name] : undefined;
  if (remembered === undefined || remembered === null || info.isIdentity) return column;
  const stored = toColumnValue(remembered, column);
  return {
    ...column,
    fallback: stored,
    isFallbackGiven: column.isFallbackGiven && info.defaultValue === stored,
  };
}

/**
 * The value as the column stores it: booleans as 0 and 1, numbers in text columns as text, objects
 * as JSON text, null as the default where null cannot be.
 * @throws Misfit when the column cannot hold it
 */
export function toColumnValue(value: unknown, column: Column): Scalar {
  if (value === null || value === undefined) return column.isNullable ? null : column.fallback;
  switch (column.family) {
    case 'integer':
      return toInteger(value, column);
    case 'float':
      return toFloat(value, column);
    case 'boolean':
      return toBoolean(value, column);
    default:
      return toText(value, column);
  }
}

function misfit(column: Column, wanted: string, value: unknown): Misfit {
  const shown =
    typeof value === 'string'
      ? JSON.stringify(value.slice(0, 40))
      : typeof value === 'object'
        ? 'an object'
        : String(value);
  return new Misfit(`column ${column.name} takes ${wanted}, not ${shown}`);
}

function toText(value: unknown, column: Column): string {
  const given =
    typeof value === 'string'
      ? value
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value);
  // Half a character cannot be stored: drivers replace it, and the row read back must compare
  // equal.
  const text = given.toWellFormed();
  if (
    column.charsMax !== null &&
    text.length > column.charsMax &&
    [...text].length > column.charsMax
  ) {
    throw new Misfit(
      `column ${column.name} holds at most ${column.charsMax} characters, not ${text.length}`,
    );
  }
  return text;
}

function toFloat(value: unknown, column: Column): number {
  const number =
    typeof value === 'string' && value.trim() !== ''
      ? Number(value)
      : typeof value === 'boolean'
        ? Number(value)
        : value;
  if (typeof number === 'number' && Number.isFinite(number)) return number;
  throw misfit(column, 'numbers', value);
}

function toInteger(value: unknown, column: Column): number {
  const number = toFloat(value, column);
  if (Number.isSafeInteger(number)) return number;
  throw misfit(column, 'integers within ±2^53', value);
}

function toBoolean(value: unknown, column: Column): number {
  if (value === true || value === 1 || value === '1' || value === 'true') return 1;
  if (value === false || value === 0 || value === '0' || value === 'false' || value === '')
    return 0;
  throw misfit(column, 'true or false', value);
}
