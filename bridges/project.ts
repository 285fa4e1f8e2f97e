/**
 * Maps the fields a hub sent to the columns of a table, with values in stored form. Fields without
 * a column go into Extra.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../contracts/body/json-value.ts';
import type { Row } from '../contracts/mutation.ts';
import {
  ownColumns,
  type Scalar,
  type SchemaColumn,
  type SchemaTable,
} from '../contracts/schema.ts';

/** A row split into columns of the table and fields that have no column. */
export type ProjectedFields = { columns: Row; extra: JsonObject };

/**
 * Whether a text must be encoded to survive a JSON column: it is itself valid JSON and would be
 * returned as another value, or it has a NUL, which some databases cannot store as text.
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
 * Converts a value to what its column stores. A null becomes the default where the column is not
 * nullable.
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
 * Splits a row into columns and Extra. Columns owned by the bridge or the database, and the natural
 * key, are left out, so that a hub can send a row back as it read it without overwriting them.
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

/** Copies one column's value to another where the write did not set the other itself. */
export function follow(columns: Row, target: string, source: string): void {
  const value = columns[source];
  if (value !== undefined && columns[target] === undefined) columns[target] = value;
}

/**
 * Converts a stored row to what a hub reads: JSON parsed, and booleans and numbers in one form for
 * every engine.
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
        column.name === 'BridgeTerm' ||
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

const defaults = new Map<SchemaTable, Readonly<Row>>();

/** Column defaults, for a row of which only part is known. */
export function defaultsOf(table: SchemaTable): Readonly<Row> {
  const known = defaults.get(table);
  if (known) return known;
  const row: Row = {};
  defaults.set(table, row);
  for (const column of table.columns.values()) {
    if (column.kind !== 'own') row[column.name] = column.defaultValue;
  }
  return row;
}
