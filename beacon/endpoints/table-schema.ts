/**
 * What a table endpoint says about its table: a JSON Schema, an empty row, whether a body would
 * fit, and short rows.
 */
import { messageOf } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { identityColumnOf } from '../sql/conditions.ts';
import { type Column, type Table, toColumnValue } from '../engine/table.ts';

const jsonTypes = {
  text: 'string',
  integer: 'integer',
  float: 'number',
  boolean: 'boolean',
  date: 'string',
  binary: 'string',
} as const;

function propertyOf(column: Column): object {
  return {
    type: column.isNullable ? [jsonTypes[column.family], 'null'] : jsonTypes[column.family],
    ...(column.charsMax === null ? {} : { maxLength: column.charsMax }),
    // SQLite stores dates as text.
    ...(column.family === 'date' || /^(?:Create|Update|Delete)Date$/.test(column.name)
      ? { format: 'date-time' }
      : {}),
    ...(column.isIdentity ? { readOnly: true } : { default: column.fallback }),
  };
}

export function schemaOf(table: Table): object {
  const columns = [...table.columns.values()];
  return {
    title: table.name,
    type: 'object',
    properties: Object.fromEntries(columns.map((column) => [column.name, propertyOf(column)])),
    required: [],
    additionalProperties: false,
  };
}

/** A row with no values given. */
export function emptyRowOf(table: Table): object {
  return Object.fromEntries(
    [...table.columns.values()].map((column) => [
      column.name,
      column.isIdentity ? 0 : column.fallback,
    ]),
  );
}

/** Reports every field that has no column, or whose value does not fit. */
export function validate(table: Table, body: JsonObject): { Valid: boolean; Errors: string[] } {
  const errors = Object.entries(body).flatMap(([name, value]) => {
    const column = table.columns.get(name);
    if (!column) return [`table ${table.name} has no column ${name.slice(0, 80)}`];
    try {
      toColumnValue(value, column);
      return [];
    } catch (error) {
      return [messageOf(error)];
    }
  });
  return { Valid: errors.length === 0, Errors: errors };
}

/** Columns of a short row: ids, GUIDs, UpdateDate, and those requested. */
export function liteColumnsOf(table: Table, extra: readonly string[]): string[] {
  const own = [...table.columns.keys()].filter(
    (name) => name.startsWith('ID') || name.startsWith('GUID') || name === 'UpdateDate',
  );
  return [...new Set([identityColumnOf(table).name, ...own, ...extra])];
}

/** The title of a row in lists. */
export function titleOf(table: Table, row: Readonly<Record<string, unknown>>): string {
  return `${table.name} #${String(row[identityColumnOf(table).name])}`;
}

export function liteRowOf(
  table: Table,
  row: Readonly<Record<string, unknown>>,
  columns: readonly string[],
): object {
  return {
    Value: titleOf(table, row),
    ...Object.fromEntries(columns.map((name) => [name, row[name]])),
  };
}
