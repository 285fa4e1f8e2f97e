/**
 * The incumbent's EnsureSchema over SQLite: tables of its own types, columns added as nullable
 * text, and a second run that reports what it did not do.
 */
import type Database from 'better-sqlite3';
import type {
  ColumnDescriptor,
  SchemaDescriptor,
  TableDescriptor,
} from '../../../contracts/schema.ts';
import type { QuirkyColumn } from './quirky-beacon-table.ts';

export function quirkyColumns(database: Database.Database, table: string): QuirkyColumn[] {
  return (
    database.pragma(`table_info("${table}")`) as {
      name: string;
      type: string;
      notnull: number;
      pk: number;
    }[]
  ).map(({ name, type, notnull, pk }) => ({
    name,
    type,
    isNotNull: notnull === 1,
    isKey: pk === 1,
  }));
}

function clauseOf(column: ColumnDescriptor): string {
  const isBound = column.Nullable === false;
  switch (column.Type) {
    case 'AutoIdentity':
      return `"${column.Column}" INTEGER PRIMARY KEY AUTOINCREMENT`;
    case 'Integer':
    case 'Boolean':
    case 'Deleted':
      return `"${column.Column}" INTEGER NOT NULL DEFAULT 0`;
    case 'Float':
      return `"${column.Column}" REAL`;
    case 'String':
      return `"${column.Column}" TEXT${isBound || column.Size !== 'Default' ? " NOT NULL DEFAULT ''" : ''}`;
    default:
      // A type it does not know, a big integer too, becomes text.
      return `"${column.Column}" TEXT${isBound ? " NOT NULL DEFAULT ''" : ''}`;
  }
}

function createIndexes(database: Database.Database, table: TableDescriptor): void {
  for (const { Name, Columns, Unique } of table.Indexes ?? []) {
    database.exec(
      `CREATE ${Unique ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS "${Name}" ON "${table.Scope}" ` +
        `(${Columns.map((column) => `"${column}"`).join(', ')})`,
    );
  }
}

/** Statements one by one, without a transaction. */
export function quirkyEnsureSchema(
  database: Database.Database,
  schemaName: string,
  descriptor: SchemaDescriptor,
): object {
  const outputs = {
    Success: true,
    SchemaName: schemaName,
    Engine: 'sqlite',
    TablesCreated: [] as string[],
    ColumnsAdded: [] as string[],
    IndicesCreated: [] as string[],
    MigrationStatements: [] as string[],
    SkippedDestructive: [] as string[],
    Notes: [] as string[],
  };
  for (const table of descriptor.Tables) {
    const columns = quirkyColumns(database, table.Scope);
    if (columns.length === 0) {
      database.exec(
        `CREATE TABLE IF NOT EXISTS "${table.Scope}" (${table.Schema.map(clauseOf).join(', ')})`,
      );
      outputs.TablesCreated.push(table.Scope);
    } else {
      for (const { Column } of table.Schema.filter(
        ({ Column }) => !columns.some(({ name }) => name === Column),
      )) {
        database.exec(`ALTER TABLE "${table.Scope}" ADD COLUMN "${Column}" TEXT`);
        outputs.ColumnsAdded.push(`${table.Scope}.${Column}`);
      }
      // Sizes are lost here, so that nearly every column looks altered; indexes of one column look
      // missing.
      outputs.SkippedDestructive.push(
        ...table.Schema.map(({ Column }) => `alter-column:${table.Scope}.${Column}`),
      );
      const noise = (table.Indexes ?? []).filter(({ Columns }) => Columns.length === 1);
      outputs.IndicesCreated.push(...noise.map(({ Name }) => Name));
      outputs.MigrationStatements.push(
        ...noise.map(
          ({ Name, Columns }) => `CREATE INDEX "${Name}" ON "${table.Scope}" ("${Columns[0]}")`,
        ),
      );
    }
    createIndexes(database, table);
  }
  if (outputs.SkippedDestructive.length > 0)
    outputs.Notes.push(`left out ${outputs.SkippedDestructive.length} destructive changes`);
  return outputs;
}
