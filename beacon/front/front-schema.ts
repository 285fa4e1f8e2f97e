/**
 * EnsureSchema for a fronted server. Its HTTP can inspect tables but not create any, so this checks
 * them and reports what is missing.
 */
import type {
  EnsureSchemaOutputs,
  IntrospectSchemaOutputs,
  SchemaPlan,
} from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import type { Log } from '../../runtime/log.ts';
import type { EngineKind } from '../engine/engine.ts';
import { decodeDescriptor } from '../capabilities/schema-settings.ts';
import { connectionAt, type Settings } from '../settings.ts';
import type { FrontClient } from './front-client.ts';
import { type ColumnMisfit, misfitsOf, statementsFor } from './front-ddl.ts';
import { type FrontTables, objectsAt } from './front-tables.ts';

export type FrontOptions = {
  client: FrontClient;
  tables: FrontTables;
  log: Log;
  /** What was said of each connection: workers ask again every few seconds. */
  said: Map<number, string>;
};

const kinds: Record<string, EngineKind> = {
  sqlite: 'sqlite',
  postgresql: 'postgresql',
  postgres: 'postgresql',
  mysql: 'mysql',
  mariadb: 'mysql',
  mssql: 'mssql',
};

/** Maps the server's name for an engine to ours. */
export function engineOf(type: unknown): EngineKind {
  return kinds[String(type).toLowerCase()] ?? 'sqlite';
}

type Found = {
  outputs: IntrospectSchemaOutputs;
  missing: string[];
  misfits: ColumnMisfit[];
  descriptor: ReturnType<typeof decodeDescriptor>;
  kind: EngineKind;
};

async function look(
  { client, tables }: Pick<FrontOptions, 'client' | 'tables'>,
  settings: Settings,
): Promise<Found> {
  const id = connectionAt(settings);
  const descriptor = decodeDescriptor(settings);
  // The server remembers dropped tables; this answer lists those that exist.
  const there = new Set(
    objectsAt(await tables.introspect(id), 'Tables').map((table) => table['TableName']),
  );
  const { Connection } = await client
    .manage('GET', `/beacon/connection/${id}`)
    .catch((): Record<string, unknown> => ({}));
  const kind = engineOf(isJsonObject(Connection) ? Connection['Type'] : '');
  const missing: string[] = [];
  const misfits: ColumnMisfit[] = [];
  const seen: IntrospectSchemaOutputs['Tables'] = [];
  for (const table of descriptor.Tables) {
    const columns = there.has(table.Scope) ? await tables.columns(id, table.Scope) : null;
    const names = columns?.map(({ name }) => name) ?? [];
    const absent =
      columns === null
        ? []
        : table.Schema.map(({ Column }) => Column).filter((name) => !names.includes(name));
    if (columns === null) missing.push(table.Scope);
    missing.push(...absent.map((name) => `${table.Scope}.${name}`));
    misfits.push(...misfitsOf(kind, table, columns ?? []));
    seen.push({
      Scope: table.Scope,
      Exists: columns !== null,
      Columns: names,
      MissingColumns: absent,
    });
  }
  const name = typeof settings['SchemaName'] === 'string' ? settings['SchemaName'] : 'unnamed';
  return {
    outputs: { Success: true, SchemaName: name, Engine: kind, Tables: seen },
    missing,
    misfits,
    descriptor,
    kind,
  };
}

export async function frontIntrospectSchema(
  parts: FrontOptions,
  settings: Settings,
): Promise<IntrospectSchemaOutputs> {
  return (await look(parts, settings)).outputs;
}

/**
 * Succeeds when every table and column exists.
 * @throws TidemarkError CONFLICT naming what is missing, and the command that prints the statements
 * which create it
 */
export async function frontEnsureSchema(
  parts: FrontOptions,
  settings: Settings,
): Promise<Omit<EnsureSchemaOutputs, 'StoreID'>> {
  const { client, log, said } = parts;
  const connection = connectionAt(settings);
  const { outputs, missing, misfits } = await look(parts, settings);
  const command = `tidemark beacon plan ${client.label} --connection ${connection}`;
  const warn = (what: string) => {
    if (said.get(connection) === what) return;
    said.set(connection, what);
    log.warn({ connection }, `${what}: run the statements that "${command}" prints`);
  };
  if (missing.length > 0) {
    const which = `${missing.length} tables or columns are missing (${few(missing)})`;
    warn(`a retold-databeacon cannot create tables over HTTP, and ${which}`);
    throw new TidemarkError(
      'CONFLICT',
      `EnsureSchema: ${client.label} has no HTTP route that creates tables, and ${which}: ` +
        `create them with the statements that "${command}" prints`,
    );
  }
  if (misfits.length > 0)
    warn(
      'a retold-databeacon cannot store every value in ' + few(misfits.map(({ column }) => column)),
    );
  else said.delete(connection);
  const { SchemaName, Engine } = outputs;
  return {
    Success: true,
    SchemaName,
    Engine: Engine as EngineKind,
    TablesCreated: [],
    ColumnsAdded: [],
    IndicesCreated: [],
    MigrationStatements: [],
    SkippedDestructive: [],
    Notes: [
      'every table and column exists; indexes cannot be checked over HTTP',
      ...misfits.map(({ column, why }) => `${column}: ${why}`),
    ],
  };
}

/**
 * The statements that create what is missing in a database behind the server, and mend columns
 * that cannot store every value; runs none of them.
 */
export async function frontPlan(
  parts: Pick<FrontOptions, 'client' | 'tables'>,
  settings: Settings,
): Promise<SchemaPlan> {
  const { outputs, misfits, descriptor, kind } = await look(parts, settings);
  const made = await statementsFor(parts.client, connectionAt(settings), {
    tables: outputs.Tables,
    descriptor,
    kind,
  });
  return {
    SchemaName: outputs.SchemaName,
    Engine: kind,
    MigrationStatements: [...made, ...misfits.map(({ statement }) => statement)],
    SkippedDestructive: [],
  };
}

function few(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ', ...' : ''}`;
}
