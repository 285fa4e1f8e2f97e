/** DataBeaconManagement: looking at databases, enabling endpoints, adding connections. */
import type {
  ColumnFacts,
  EnableEndpointOutputs,
  IntrospectOutputs,
} from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { type ColumnDescriptor, persistenceSchema } from '../../contracts/schema.ts';
import { databaseAt, typeNames } from '../databases/connection-config.ts';
import type { DatabaseConnection, Connections } from '../databases/connections.ts';
import { type ColumnInfo, mayHaveEndpoint } from '../engine/engine.ts';
import { tableAt, tableNameCharsMax, visibleTables } from '../databases/known-tables.ts';
import { type Settings, textAt } from '../settings.ts';
import { toTable } from '../engine/table.ts';
import { emptyRowOf } from '../endpoints/table-schema.ts';

const ownTypes: Record<string, string> = {
  CreateDate: 'CreateDate',
  UpdateDate: 'UpdateDate',
  DeleteDate: 'DeleteDate',
  Deleted: 'Deleted',
};
const familyTypes = {
  text: 'String',
  integer: 'Integer',
  float: 'Decimal',
  boolean: 'Boolean',
  date: 'DateTime',
  binary: 'Text',
} as const;

function meadowTypeOf(column: ColumnInfo): string {
  if (column.isIdentity) return 'AutoIdentity';
  const own = Object.hasOwn(ownTypes, column.name) ? ownTypes[column.name] : undefined;
  return (
    own ??
    (column.family === 'text' && column.charsMax === null ? 'Text' : familyTypes[column.family])
  );
}

function factsOf(column: ColumnInfo): ColumnFacts {
  return {
    Name: column.name,
    NativeType: column.nativeType,
    MaxLength: column.charsMax,
    Nullable: column.isNullable,
    IsPrimaryKey: column.isPrimaryKey,
    IsAutoIncrement: column.isIdentity,
    DefaultValue: column.defaultText,
    MeadowType: meadowTypeOf(column),
  };
}

const isOfAll = (name: string) => persistenceSchema.Tables.some(({ Scope }) => Scope === name);

/**
 * Every table but the beacon's own, or the one of `TableName`; for a hub those that all hubs have in
 * common.
 */
export async function introspect(
  connection: DatabaseConnection,
  settings: Settings,
  hub: string | null = null,
): Promise<IntrospectOutputs> {
  const tables =
    settings['TableName'] === undefined
      ? (await visibleTables(connection)).filter(({ name }) => hub === null || isOfAll(name))
      : [await tableAt(connection, settings)];
  return {
    TableCount: tables.length,
    Tables: tables.map((table) => ({
      TableName: table.name,
      ColumnCount: table.columns.length,
      Columns: table.columns.map(factsOf),
    })),
  };
}

const descriptorTypes = { ...familyTypes, float: 'Float', binary: 'String' } as const;

/**
 * A column as a descriptor has it, so that a package can be sent to EnsureSchema of another
 * database.
 */
function descriptorOf(column: ColumnInfo): ColumnDescriptor {
  const { name, family, charsMax } = column;
  const own = Object.hasOwn(ownTypes, name) ? ownTypes[name] : undefined;
  const type = column.isIdentity ? 'AutoIdentity' : (own ?? descriptorTypes[family]);
  return {
    Column: name,
    Type: type,
    Size: type === 'Integer' ? 'int' : charsMax === null ? 'Default' : String(charsMax),
  };
}

/** A table as meadow describes one. */
export async function introspectPackage(
  connection: DatabaseConnection,
  settings: Settings,
): Promise<{ Package: object }> {
  const info = await tableAt(connection, settings);
  const table = toTable(info, connection.defaults.get(info.name));
  return {
    Package: {
      Scope: info.name,
      DefaultIdentifier: table.identity?.name ?? '',
      Schema: info.columns.map(descriptorOf),
      DefaultObject: emptyRowOf(table),
    },
  };
}

/**
 * Idempotent; the base is there on every call.
 * @throws TidemarkError NOT_FOUND, also for the marks: a moved mark hides writes
 */
export async function enableEndpoint(
  connections: Connections,
  connection: DatabaseConnection,
  settings: Settings,
): Promise<EnableEndpointOutputs> {
  const table = await tableAt(connection, settings);
  if (!mayHaveEndpoint(table.name))
    throw new TidemarkError(
      'NOT_FOUND',
      `table ${table.name} is the beacon's to write and has no endpoint; ReadRecords reads it`,
    );
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
export function disableEndpoint(
  connections: Connections,
  connection: DatabaseConnection,
  settings: Settings,
): { TableName: string; Disabled: true } {
  const name = textAt(settings, 'TableName', tableNameCharsMax);
  connections.setEndpoint(connection, name, false);
  return { TableName: name, Disabled: true };
}

/**
 * Idempotent by name; the first one's database stays. What the database is reached with is never
 * answered.
 */
export async function createConnection(
  connections: Connections,
  settings: Settings,
): Promise<Record<string, unknown>> {
  const name = textAt(settings, 'Name', 64);
  const { url } = databaseAt(settings);
  const description =
    typeof settings['Description'] === 'string' ? settings['Description'].slice(0, 500) : '';
  const { connection, isNew } = await connections.create(name, url, description);
  return {
    IDBeaconConnection: connection.id,
    Name: name,
    Type: typeNames[connection.engine.kind],
    Created: isNew,
    Connected: isNew || (await connection.engine.check()).isConnected,
  };
}
