/**
 * The schema manager: introspects, compares, adds what is missing (never removes), in one
 * transaction that excludes other migrations.
 */
import type { EnsureSchemaOutputs, IntrospectSchemaOutputs } from '../../contracts/capability.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import type { SchemaDescriptor } from '../../contracts/schema.ts';
import { newUuid } from '../../runtime/clock.ts';
import {
  addColumnStatement,
  createIndexStatement,
  createStoreStatements,
  createTableStatement,
} from '../sql/ddl.ts';
import {
  type DatabaseState,
  type Engine,
  type EngineKind,
  StatementFault,
} from '../engine/engine.ts';
import { diffTable, type TableDiff } from '../sql/schema-diff.ts';

/** The statements of a migration, and its answer. */
export type TableMigration = { statements: string[]; outputs: EnsureSchemaOutputs };

/**
 * Plans the additions that bring a database up to the descriptor. `freshId` is used when the
 * database has no identity yet.
 */
export function planMigration(
  kind: EngineKind,
  schemaName: string,
  descriptor: SchemaDescriptor,
  state: DatabaseState,
  freshId: string,
): TableMigration {
  const outputs: EnsureSchemaOutputs = {
    Success: true,
    SchemaName: schemaName,
    Engine: kind,
    TablesCreated: [],
    ColumnsAdded: [],
    IndicesCreated: [],
    MigrationStatements: [],
    SkippedDestructive: [],
    Notes: [],
    StoreID: state.storeId || freshId,
  };
  for (const table of descriptor.Tables)
    addTable(kind, diffTable(table, state.tables), outputs, state.textCollation);
  const skipped = outputs.SkippedDestructive.length;
  if (skipped > 0)
    outputs.Notes.push(
      `${skipped} difference${skipped === 1 ? '' : 's'} left alone: a migration only adds`,
    );
  if (state.storeId === '') {
    outputs.MigrationStatements.push(...createStoreStatements(kind, freshId));
    outputs.Notes.push('the database was given an identity');
  }
  return { statements: outputs.MigrationStatements, outputs };
}

function addTable(
  kind: EngineKind,
  diff: TableDiff,
  outputs: EnsureSchemaOutputs,
  collation = '',
): void {
  const { table } = diff;
  if (diff.existing === null) {
    outputs.TablesCreated.push(table.Scope);
    outputs.MigrationStatements.push(createTableStatement(kind, table, collation));
  } else {
    for (const column of diff.columns) {
      outputs.ColumnsAdded.push(`${table.Scope}.${column.Column}`);
      outputs.MigrationStatements.push(addColumnStatement(kind, table, column, collation));
    }
  }
  for (const index of diff.indexes) {
    outputs.IndicesCreated.push(index.Name);
    outputs.MigrationStatements.push(createIndexStatement(kind, table, index));
  }
  outputs.SkippedDestructive.push(...diff.skipped);
}

/**
 * Brings the database up to the descriptor.
 * @throws TidemarkError CONFLICT when its rows do not allow it, UNAVAILABLE when it fails
 */
export async function ensureSchema(
  engine: Engine,
  schemaName: string,
  descriptor: SchemaDescriptor,
): Promise<EnsureSchemaOutputs> {
  let outputs: EnsureSchemaOutputs | null = null;
  const freshId = newUuid();
  try {
    await engine.migrate((state) => {
      const migration = planMigration(engine.kind, schemaName, descriptor, state, freshId);
      outputs = migration.outputs;
      return migration.statements;
    });
  } catch (cause) {
    if (!(cause instanceof StatementFault)) throw cause;
    // MySQL and MariaDB commit each statement that changes tables by itself.
    const state =
      engine.kind === 'mysql'
        ? 'earlier statements took effect; the next run goes on from there'
        : 'nothing was changed';
    throw new TidemarkError(
      'CONFLICT',
      `EnsureSchema: the database refused a statement: ${messageOf(cause)}; ${state}`,
      { cause },
    );
  }
  if (outputs === null)
    throw new TidemarkError('INTERNAL', 'EnsureSchema: the engine planned nothing');
  return outputs;
}

/**
 * What `ensureSchema` would do now; changes nothing.
 * @throws TidemarkError UNAVAILABLE
 */
export async function planSchema(
  engine: Engine,
  schemaName: string,
  descriptor: SchemaDescriptor,
): Promise<EnsureSchemaOutputs> {
  let outputs: EnsureSchemaOutputs | null = null;
  await engine.migrate((state) => {
    ({ outputs } = planMigration(engine.kind, schemaName, descriptor, state, newUuid()));
    return [];
  });
  if (outputs === null)
    throw new TidemarkError('INTERNAL', 'PlanSchema: the engine planned nothing');
  return outputs;
}

/** Which tables and columns of the descriptor exist. */
export async function introspectSchema(
  engine: Engine,
  schemaName: string,
  descriptor: SchemaDescriptor,
): Promise<IntrospectSchemaOutputs> {
  const tables = await engine.introspect(descriptor.Tables.map((table) => table.Scope));
  return {
    Success: true,
    SchemaName: schemaName,
    Engine: engine.kind,
    Tables: descriptor.Tables.map((table) => {
      const { existing, columns } = diffTable(table, tables);
      return {
        Scope: table.Scope,
        Exists: existing !== null,
        Columns: existing?.columns.map((column) => column.name) ?? [],
        MissingColumns: columns.map((column) => column.Column),
      };
    }),
  };
}
