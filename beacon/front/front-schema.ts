/** EnsureSchema for a fronted server: its HTTP can look at tables and not make any, so what is there is checked and what is not is said. */
import type { EnsureSchemaOutputs, IntrospectSchemaOutputs } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/json-value.ts';
import type { Log } from '../../runtime/log.ts';
import { addColumnStatement, createIndexStatement, createTableStatement } from '../ddl.ts';
import type { EngineKind } from '../engine.ts';
import { decodeDescriptor } from '../schema-settings.ts';
import { connectionAt, type Settings } from '../settings.ts';
import type { FrontClient } from './front-client.ts';

const kinds: Record<string, EngineKind> = { sqlite: 'sqlite', postgresql: 'postgresql', postgres: 'postgresql', mysql: 'mysql', mariadb: 'mysql', mssql: 'mssql' };

/** The engine of a connection by the server's name for it. */
export function engineOf(type: unknown): EngineKind {
  return kinds[String(type).toLowerCase()] ?? 'sqlite';
}

type Found = { outputs: IntrospectSchemaOutputs; missing: string[]; descriptor: ReturnType<typeof decodeDescriptor>; kind: EngineKind };

async function look(client: FrontClient, settings: Settings): Promise<Found> {
  const id = connectionAt(settings);
  const descriptor = decodeDescriptor(settings);
  await client.manage('POST', `/beacon/connection/${id}/introspect`);
  const { Connection } = await client.manage('GET', `/beacon/connection/${id}`).catch((): Record<string, unknown> => ({}));
  const kind = engineOf(isJsonObject(Connection) ? Connection['Type'] : '');
  const missing: string[] = [];
  const tables: IntrospectSchemaOutputs['Tables'] = [];
  for (const table of descriptor.Tables) {
    const columns = await columnsOf(client, id, table.Scope);
    const absent = columns === null ? [] : table.Schema.map(({ Column }) => Column).filter((name) => !columns.includes(name));
    if (columns === null) missing.push(table.Scope);
    missing.push(...absent.map((name) => `${table.Scope}.${name}`));
    tables.push({ Scope: table.Scope, Exists: columns !== null, Columns: columns ?? [], MissingColumns: absent });
  }
  const name = typeof settings['SchemaName'] === 'string' ? settings['SchemaName'] : 'unnamed';
  return { outputs: { Success: true, SchemaName: name, Engine: kind, Tables: tables }, missing, descriptor, kind };
}

/** Names of a table's columns; null when there is no such table. */
async function columnsOf(client: FrontClient, connection: number, table: string): Promise<string[] | null> {
  try {
    const { Columns: columns } = await client.manage('GET', `/beacon/connection/${connection}/table/${encodeURIComponent(table)}`);
    return Array.isArray(columns) ? columns.flatMap((column) => (isJsonObject(column) ? [String(column['Name'])] : [])) : null;
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'INVALID_MESSAGE') return null;
    throw error;
  }
}

export async function frontIntrospectSchema(client: FrontClient, settings: Settings): Promise<IntrospectSchemaOutputs> {
  return (await look(client, settings)).outputs;
}

/** Succeeds when every table and column is there. @throws TidemarkError CONFLICT naming what is not; the statements that would make it are logged */
export async function frontEnsureSchema(client: FrontClient, settings: Settings, log: Log): Promise<Omit<EnsureSchemaOutputs, 'StoreID'>> {
  const { outputs, missing, descriptor, kind } = await look(client, settings);
  if (missing.length > 0) {
    log.warn({ statements: statementsFor(outputs.Tables, descriptor, kind) }, 'tables or columns are missing, and a retold-databeacon makes none over HTTP; these statements do');
    const few = missing.slice(0, 5).join(', ');
    throw new TidemarkError('CONFLICT', `EnsureSchema: ${client.label} has no HTTP route that makes tables, and ${missing.length} tables or columns are missing (${few}${missing.length > 5 ? ', ...' : ''}): `
      + 'make them with the statements in the log, or let `tidemark beacon --db` migrate that database once');
  }
  const { SchemaName, Engine } = outputs;
  return {
    Success: true, SchemaName, Engine: Engine as EngineKind, TablesCreated: [], ColumnsAdded: [], IndicesCreated: [], MigrationStatements: [], SkippedDestructive: [],
    Notes: ['every table and column is there already; indexes cannot be seen over HTTP'],
  };
}

function statementsFor(tables: IntrospectSchemaOutputs['Tables'], descriptor: Found['descriptor'], kind: EngineKind): string[] {
  return descriptor.Tables.flatMap((table) => {
    const found = tables.find((one) => one.Scope === table.Scope);
    if (!found?.Exists) return [createTableStatement(kind, table, ''), ...(table.Indexes ?? []).map((index) => createIndexStatement(kind, table, index))];
    return table.Schema.filter(({ Column }) => found.MissingColumns.includes(Column)).map((column) => addColumnStatement(kind, table, column, ''));
  });
}
