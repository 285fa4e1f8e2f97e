/** DataBeaconManagement and DataBeaconAccess: looking at databases, enabling endpoints, adding connections. */
import type { ColumnFacts, EnableEndpointOutputs, IntrospectOutputs } from '../contracts/capability.ts';
import { TidemarkError } from '../contracts/errors.ts';
import { isJsonObject } from '../contracts/json-value.ts';
import { bounds } from './bounds.ts';
import { parseDatabaseUrl } from './config.ts';
import type { Connection, Connections } from './connections.ts';
import { type ColumnInfo, isBeaconTable, StatementFault, type TableInfo } from './engine.ts';
import { emptyFilter } from './filter.ts';
import { integerAt, refuse, type Settings, textAt } from './settings.ts';
import { countRows, selectRows } from './sql-builder.ts';
import { toTable } from './table.ts';

const nameCharsMax = 128;
const ownTypes: Record<string, string> = { CreateDate: 'CreateDate', UpdateDate: 'UpdateDate', DeleteDate: 'DeleteDate', Deleted: 'Deleted' };
const familyTypes = { text: 'String', integer: 'Integer', float: 'Decimal', boolean: 'Boolean', date: 'DateTime', binary: 'Text' } as const;

function meadowTypeOf(column: ColumnInfo): string {
  if (column.isIdentity) return 'AutoIdentity';
  const own = Object.hasOwn(ownTypes, column.name) ? ownTypes[column.name] : undefined;
  return own ?? (column.family === 'text' && column.charsMax === null ? 'Text' : familyTypes[column.family]);
}

function factsOf(column: ColumnInfo): ColumnFacts {
  return {
    Name: column.name, NativeType: column.nativeType, MaxLength: column.charsMax, Nullable: column.isNullable, IsPrimaryKey: column.isPrimaryKey,
    IsAutoIncrement: column.isIdentity, DefaultValue: column.defaultText, MeadowType: meadowTypeOf(column),
  };
}

/** Every table but the beacon's own, or the one of `TableName`. */
export async function introspect(connection: Connection, settings: Settings): Promise<IntrospectOutputs> {
  const tables = settings['TableName'] === undefined ? await visibleTables(connection) : [await tableAt(connection, settings)];
  return {
    TableCount: tables.length,
    Tables: tables.map((table) => ({ TableName: table.name, ColumnCount: table.columns.length, Columns: table.columns.map(factsOf) })),
  };
}

async function visibleTables(connection: Connection): Promise<TableInfo[]> {
  return (await connection.engine.introspect()).filter((table) => !isBeaconTable(table.name));
}

async function tableAt(connection: Connection, settings: Settings): Promise<TableInfo> {
  const name = textAt(settings, 'TableName', nameCharsMax);
  const [table] = isBeaconTable(name) ? [] : await connection.engine.introspect([name]);
  if (!table) throw new TidemarkError('NOT_FOUND', `Introspected table not found: ${name}. Connection ${connection.id} has no such table; run EnsureSchema first.`);
  return table;
}

/** Idempotent; the base is there on every call. */
export async function enableEndpoint(connections: Connections, connection: Connection, settings: Settings): Promise<EnableEndpointOutputs> {
  const table = await tableAt(connection, settings);
  const wasEnabled = connection.endpoints.has(table.name);
  if (!wasEnabled) connections.setEndpoint(connection, table.name, true);
  return {
    TableName: table.name,
    EndpointBase: `/1.0/${connection.routeHash}/${table.name}`,
    ColumnCount: table.columns.length,
    ...(wasEnabled ? { Message: 'Endpoint already enabled' } : {}),
  };
}

/** Acts at once. A table without an endpoint is as good as done. */
export function disableEndpoint(connections: Connections, connection: Connection, settings: Settings): { TableName: string; Disabled: true } {
  const name = textAt(settings, 'TableName', nameCharsMax);
  connections.setEndpoint(connection, name, false);
  return { TableName: name, Disabled: true };
}

/** Idempotent by name; the first one's database stays. */
export async function createConnection(connections: Connections, settings: Settings): Promise<Record<string, unknown>> {
  const name = textAt(settings, 'Name', 64);
  const type = textAt(settings, 'Type', 32);
  if (type.toLowerCase() !== 'sqlite') throw refuse('Settings.Type', 'SQLite, the only engine of this version', type);
  const description = typeof settings['Description'] === 'string' ? settings['Description'].slice(0, 500) : '';
  const { connection, isNew } = connections.create(name, sqliteUrlAt(settings['Config']), description);
  const health = await connection.engine.check();
  return {
    IDBeaconConnection: connection.id, Name: name, Type: 'SQLite', Created: isNew, Connected: health.isConnected,
    ...(health.isConnected ? {} : { ConnectError: health.reason }),
  };
}

/** Meadow's `{SQLiteFilePath}`, as an object or as JSON text, or a URL. */
function sqliteUrlAt(config: unknown): string {
  let given = config;
  if (typeof config === 'string' && config.trimStart().startsWith('{')) {
    try {
      given = JSON.parse(config);
    } catch {
      throw refuse('Settings.Config', 'an object, its JSON text, or sqlite:<path>', 'text that is not JSON');
    }
  }
  const file = isJsonObject(given) ? given['SQLiteFilePath'] : given;
  if (typeof file !== 'string' || file === '') throw refuse('Settings.Config.SQLiteFilePath', 'the path of the database file', file);
  try {
    return `sqlite:${parseDatabaseUrl(file.startsWith('sqlite:') ? file : `sqlite:${file}`).path}`;
  } catch {
    throw refuse('Settings.Config.SQLiteFilePath', 'the path of a SQLite file', file);
  }
}

/** Where the databases are stays here: Config is masked. */
export async function listConnections(connections: Connections): Promise<{ Connections: Record<string, unknown>[] }> {
  const types = { sqlite: 'SQLite', postgresql: 'PostgreSQL', mysql: 'MySQL', mssql: 'MSSQL' } as const;
  const presences = await connections.presence();
  return {
    Connections: connections.all().map(({ id, name, engine, routeHash }, at) => {
      const isConnected = presences[at]?.Connected === true;
      return {
        IDBeaconConnection: id, Name: name, Type: types[engine.kind], Config: '{}', Status: isConnected ? 'OK' : 'Failed',
        Connected: isConnected, StoreID: presences[at]?.StoreID ?? '', RouteHash: routeHash,
      };
    }),
  };
}

async function rowsOf(connection: Connection, statement: ReturnType<typeof countRows>): Promise<Record<string, unknown>[]> {
  const [result] = await connection.engine.execute([statement]);
  if (result instanceof StatementFault) throw new TidemarkError('INTERNAL', result.message, { cause: result });
  return result?.rows ?? [];
}

export async function listTables(connection: Connection): Promise<{ Tables: { TableName: string; EndpointsEnabled: boolean; RowCountEstimate: number }[] }> {
  const tables = [];
  for (const info of await visibleTables(connection)) {
    const filter = emptyFilter();
    filter.columns.add('Deleted');
    const [row] = await rowsOf(connection, countRows(connection.engine.kind, toTable(info), filter));
    tables.push({ TableName: info.name, EndpointsEnabled: connection.endpoints.has(info.name), RowCountEstimate: Number(row?.['Count'] ?? 0) });
  }
  return { Tables: tables };
}

/** Rows in the order of their numbers, soft-deleted ones left out. */
export async function readRecords(connection: Connection, settings: Settings): Promise<{ Records: Record<string, unknown>[]; Count: number }> {
  const table = toTable(await tableAt(connection, settings));
  const page = {
    begin: integerAt(settings, 'Begin', 0, Number.MAX_SAFE_INTEGER, 0),
    cap: integerAt(settings, 'Cap', 1, bounds.pageRowsMax, bounds.readRecordsDefault),
  };
  const records = await rowsOf(connection, selectRows(connection.engine.kind, table, emptyFilter(), page));
  return { Records: records, Count: records.length };
}
