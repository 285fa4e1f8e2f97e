/**
 * Legacy rows as stored: the fields sent, over the defaults of the persistence schema, so that
 * filters and orders see what a database would.
 */
import { isDeepStrictEqual } from 'node:util';
import type { JsonObject, JsonValue } from '../../contracts/body/json-value.ts';
import { type SchemaColumn, type SchemaTable, tableOf } from '../../contracts/schema.ts';

export const workItems = tableOf('UVQueueWorkItem');
export const attempts = tableOf('UVQueueWorkItemAttempt');
export const manifests = tableOf('UVManifest');

/** JSON columns are stored parsed. */
function defaultOf(column: SchemaColumn): JsonValue {
  const { kind, defaultValue } = column;
  return kind === 'json' && defaultValue === '{}' ? {} : defaultValue;
}

/** A row with all columns at their defaults. */
export function freshRow(table: SchemaTable): JsonObject {
  const row: JsonObject = {};
  for (const column of table.columns.values()) {
    if (column.kind !== 'own' && column.name !== 'Extra' && column.name !== 'ManifestJSON')
      row[column.name] = defaultOf(column);
  }
  return row;
}

/** Sets fields of a row; null in a column that is not nullable becomes its default. */
export function merged(table: SchemaTable, row: JsonObject | null, fields: JsonObject): JsonObject {
  const result: JsonObject = { ...(row ?? freshRow(table)) };
  for (const [name, value] of Object.entries(fields)) {
    const column = table.columns.get(name);
    result[name] = value === null && column && !column.isNullable ? defaultOf(column) : value;
  }
  return result;
}

/** Sets only fields that are missing or empty in the row. */
export function filled(table: SchemaTable, row: JsonObject, fields: JsonObject): JsonObject {
  const missing = Object.entries(fields).filter(([name]) =>
    [undefined, null, '', 0, false].includes(row[name] as null),
  );
  return merged(table, row, Object.fromEntries(missing));
}

/** The columns of a manifest that a list returns. */
export function summaryOf(manifest: JsonObject): JsonObject {
  const row = freshRow(manifests);
  return merged(
    manifests,
    row,
    Object.fromEntries(Object.entries(manifest).filter(([name]) => Object.hasOwn(row, name))),
  );
}

/** The fields in which a row differs from what was sent. */
export function differing(row: JsonObject, sent: JsonObject): string[] {
  return Object.keys(sent).filter((name) => !isDeepStrictEqual(row[name], sent[name]));
}
