/**
 * Projects what a hub sent onto the columns of a table: every value in the form the database
 * stores, the rest into Extra.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../contracts/json-value.ts';
import type { Row } from '../contracts/mutation.ts';
import {
  ownColumns,
  type Scalar,
  type SchemaColumn,
  type SchemaTable,
} from '../contracts/schema.ts';

/** Columns of the table, and the fields it has no column for. */
export type ProjectedFields = { columns: Row; extra: JsonObject };

/**
 * Whether a string stored as it is would come back from a JSON column as something else. One with a
 * NUL would not come at all where text has none; as JSON it is an escape like any other.
 */
function needsJson(text: string): boolean {
  if (text.includes('\u0000')) return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * One value as its column stores it; null in a column that cannot be null is the column's default.
 */
export function toStored(column: SchemaColumn, value: JsonValue): Scalar {
  if (value === null) return column.isNullable ? null : column.defaultValue;
  switch (column.kind) {
    case 'json':
      return typeof value === 'string' && !needsJson(value) ? value : JSON.stringify(value);
    case 'boolean':
      return value === true || value === 1;
    case 'integer':
    case 'float':
      return typeof value === 'number' ? value : Number(value);
    default:
      return typeof value === 'string'
        ? value
        : typeof value === 'object'
          ? JSON.stringify(value)
          : String(value);
  }
}

/**
 * The fields of a row as columns. Columns the bridge or the database own, and the natural key, are
 * left out: a hub that sends a row back as it read it must not overwrite them.
 */
export function project(table: SchemaTable, fields: JsonObject): ProjectedFields {
  const columns: Row = {};
  let extra: JsonObject = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (
      value === undefined ||
      ownColumns.has(name) ||
      name === table.idColumn ||
      table.key.includes(name)
    )
      continue;
    const column = table.columns.get(name);
    if (name === 'Extra' && isJsonObject(value)) extra = { ...extra, ...value };
    else if (column && name !== 'Extra') columns[name] = toStored(column, value);
    else extra = { ...extra, [name]: value };
  }
  return { columns, extra };
}

/**
 * Gives a column the value of another that the same write carries, where it does not carry its own.
 */
export function follow(columns: Row, target: string, source: string): void {
  const value = columns[source];
  if (value !== undefined && columns[target] === undefined) columns[target] = value;
}

/**
 * A stored row as a hub reads it: JSON parsed, booleans and numbers in one form whatever the
 * engine.
 */
export function present(table: SchemaTable, stored: Record<string, unknown>): JsonObject {
  const row: JsonObject = {};
  for (const name of Object.keys(stored)) {
    row[name] = presentValue(table.columns.get(name), stored[name]);
  }
  return row;
}

function presentValue(column: SchemaColumn | undefined, value: unknown): JsonValue {
  if (value === null || value === undefined) return null;
  switch (column?.kind) {
    case 'json':
      return typeof value === 'string' ? parsed(value) : (value as JsonValue);
    case 'boolean':
      return value === true || value === 1 || value === '1';
    case 'integer':
    case 'float':
      return Number(value);
    case 'own':
      return column.name === 'BridgeSeq' ||
        column.name.startsWith('ID') ||
        column.name === 'Deleted'
        ? Number(value)
        : (value as JsonValue);
    default:
      return value as JsonValue;
  }
}

function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

/** Defaults of a table's columns, for a row known only in part. */
export function defaultsOf(table: SchemaTable): Row {
  const row: Row = {};
  for (const column of table.columns.values()) {
    if (column.kind !== 'own') row[column.name] = column.defaultValue;
  }
  return row;
}
