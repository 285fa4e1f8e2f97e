/**
 * Legacy rows as they are kept: what was sent, over the defaults of the persistence schema, so that
 * filters and orders see what a database would.
 */
import { isDeepStrictEqual } from 'node:util';
import type { JsonObject, JsonValue } from '../../contracts/json-value.ts';
import { type SchemaColumn, type SchemaTable, tableOf } from '../../contracts/schema.ts';

export const workItems = tableOf('UVQueueWorkItem');
export const attempts = tableOf('UVQueueWorkItemAttempt');
export const manifests = tableOf('UVManifest');

/** JSON columns are kept parsed. */
function defaultOf(column: SchemaColumn): JsonValue {
  const { kind, defaultValue } = column;
  return kind === 'json' && defaultValue === '{}' ? {} : defaultValue;
}

/** A row about which nothing was said yet. */
export function freshRow(table: SchemaTable): JsonObject {
  const row: JsonObject = {};
  for (const column of table.columns.values()) {
    if (column.kind !== 'own' && column.name !== 'Extra' && column.name !== 'ManifestJSON')
      row[column.name] = defaultOf(column);
  }
  return row;
}

/** A row with fields put over it; null in a column that cannot be null is its default. */
export function merged(table: SchemaTable, row: JsonObject | null, fields: JsonObject): JsonObject {
  const result: JsonObject = { ...(row ?? freshRow(table)) };
  for (const [name, value] of Object.entries(fields)) {
    const column = table.columns.get(name);
    result[name] = value === null && column && !column.isNullable ? defaultOf(column) : value;
  }
  return result;
}

/** A row with fields put only where it has nothing. */
export function filled(table: SchemaTable, row: JsonObject, fields: JsonObject): JsonObject {
  const missing = Object.entries(fields).filter(([name]) =>
    [undefined, null, '', 0, false].includes(row[name] as null),
  );
  return merged(table, row, Object.fromEntries(missing));
}

/** What a list shows of a manifest. */
export function summaryOf(manifest: JsonObject): JsonObject {
  const row = freshRow(manifests);
  return merged(
    manifests,
    row,
    Object.fromEntries(Object.entries(manifest).filter(([name]) => Object.hasOwn(row, name))),
  );
}

/** Fields in which a row says something else than what was sent. */
export function differing(row: JsonObject, sent: JsonObject): string[] {
  return Object.keys(sent).filter((name) => !isDeepStrictEqual(row[name], sent[name]));
}
