/**
 * Statements that an operator runs for a fronted server: they create tables in types its library
 * can write, and alter columns of other types.
 */
import type { IntrospectSchemaOutputs } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { SchemaDescriptor, TableDescriptor } from '../../contracts/schema.ts';
import {
  addColumnStatement,
  charsMaxOf,
  createIndexStatement,
  createTableStatement,
} from '../sql/ddl.ts';
import type { EngineKind } from '../engine/engine.ts';
import type { FrontClient } from './front-client.ts';
import { type FrontColumn, objectsAt } from './front-tables.ts';

/** A column that cannot store every value, the reason, and the statement that fixes it. */
export type ColumnMisfit = { column: string; why: string; statement: string };

/**
 * In the order `tidemark beacon --db` prefers them: keys are equal only if identical, including
 * trailing blanks.
 */
const collations = ['utf8mb4_nopad_bin', 'utf8mb4_0900_bin', 'utf8mb4_bin'];

export function misfitsOf(
  kind: EngineKind,
  table: TableDescriptor,
  found: readonly FrontColumn[],
): ColumnMisfit[] {
  return table.Schema.flatMap((column): ColumnMisfit[] => {
    const { nativeType = '', charsMax = null } =
      found.find(({ name }) => name === column.Column) ?? {};
    const name = `${table.Scope}.${column.Column}`;
    if (kind === 'postgresql' && column.Type === 'Deleted' && nativeType === 'boolean') {
      const alter = `ALTER COLUMN "${column.Column}"`;
      return [
        {
          column: name,
          why: 'the server writes a number into Deleted, so a removed row cannot be restored',
          statement:
            `ALTER TABLE "${table.Scope}" ${alter} DROP DEFAULT, ${alter} TYPE integer USING ` +
            `"${column.Column}"::integer, ${alter} SET DEFAULT 0`,
        },
      ];
    }
    const isShort =
      kind === 'mysql' &&
      column.Type === 'String' &&
      charsMaxOf(column) === null &&
      /^(?:tiny)?text$/.test(nativeType);
    return isShort
      ? [
          {
            column: name,
            why: `it holds ${charsMax ?? 65_535} bytes; a write with longer text becomes a dead letter`,
            statement: `ALTER TABLE \`${table.Scope}\` MODIFY COLUMN \`${column.Column}\` longtext`,
          },
        ]
      : [];
  });
}

type Wanted = {
  tables: IntrospectSchemaOutputs['Tables'];
  descriptor: SchemaDescriptor;
  kind: EngineKind;
};

/** Statements that create what is missing. */
export async function statementsFor(
  client: FrontClient,
  connection: number,
  { tables, descriptor, kind }: Wanted,
): Promise<string[]> {
  const collation = kind === 'mysql' ? await collationOf(client, connection) : '';
  return descriptor.Tables.map((table) => writable(kind, table)).flatMap((table) => {
    const found = tables.find((one) => one.Scope === table.Scope);
    if (!found?.Exists)
      return [
        createTableStatement(kind, table, collation),
        ...(table.Indexes ?? []).map((index) => createIndexStatement(kind, table, index)),
      ];
    return table.Schema.filter(({ Column }) => found.MissingColumns.includes(Column)).map(
      (column) => addColumnStatement(kind, table, column, collation),
    );
  });
}

/** The server writes 0 and 1 into Deleted, which a boolean in PostgreSQL does not accept. */
function writable(kind: EngineKind, table: TableDescriptor): TableDescriptor {
  if (kind !== 'postgresql') return table;
  return {
    ...table,
    Schema: table.Schema.map((column) =>
      column.Type === 'Deleted' ? { ...column, Type: 'Integer' } : column,
    ),
  };
}

async function collationOf(client: FrontClient, connection: number): Promise<string> {
  const sql =
    'select collation_name as name from information_schema.collations where ' +
    `collation_name in (${collations.map((name) => `'${name}'`).join(', ')})`;
  try {
    const rows = objectsAt(
      await client.manage('POST', `/beacon/connection/${connection}/query`, undefined, {
        SQL: sql,
      }),
      'Rows',
    );
    return collations.find((name) => rows.some((row) => row['name'] === name)) ?? 'utf8mb4_bin';
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error;
    // Every server has this one.
    return 'utf8mb4_bin';
  }
}
