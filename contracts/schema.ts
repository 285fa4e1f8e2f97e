/**
 * Typed access to `persistence-schema.json`, which describes the tables that hold every hub's rows.
 */
import descriptor from './persistence-schema.json' with { type: 'json' };

/**
 * One column of a descriptor. `Size` is a number of characters as text, `Default` (unbounded text)
 * or `int`.
 */
export type ColumnDescriptor = { Column: string; Type: string; Size?: string; Nullable?: boolean };
export type IndexDescriptor = { Name: string; Columns: string[]; Unique?: boolean };
export type Scalar = string | number | boolean | null;

export type TableDescriptor = {
  Scope: string;
  DefaultIdentifier?: string;
  Domain?: string;
  Schema: ColumnDescriptor[];
  DefaultObject?: Record<string, Scalar>;
  Indexes?: IndexDescriptor[];
};

/** What `DataBeaconSchema.EnsureSchema` takes as `SchemaJSON`. */
export type SchemaDescriptor = { SchemaName?: string; Version?: number; Tables: TableDescriptor[] };

export const persistenceSchema: SchemaDescriptor = descriptor;

/** Columns that hold JSON as text: hubs write any value and read it back parsed. */
export const jsonColumns: ReadonlySet<string> = new Set([
  'Settings',
  'Payload',
  'Result',
  'ManifestJSON',
  'Extra',
]);

/** Columns that only the bridge and the database fill; values a hub sends for them are ignored. */
export const ownColumns: ReadonlySet<string> = new Set([
  'HubID',
  'BridgeSeq',
  'BridgeTerm',
  'CreateDate',
  'UpdateDate',
  'Deleted',
]);

/**
 * `text` is unbounded, `sized` bounded text, `json` JSON as text, `own` a column of the bridge or
 * the database.
 */
export type ColumnKind = 'text' | 'sized' | 'json' | 'integer' | 'float' | 'boolean' | 'own';

export type SchemaColumn = {
  name: string;
  kind: ColumnKind;
  /** Characters a sized column can hold; 0 for no bound. */
  charsMax: number;
  /** Whether null can be stored; otherwise null means the default. */
  isNullable: boolean;
  defaultValue: Scalar;
};

export type SchemaTable = {
  name: string;
  idColumn: string;
  /** Columns of the unique natural key, HubID first where it is part of it. */
  key: readonly string[];
  columns: ReadonlyMap<string, SchemaColumn>;
};

function kindOf(column: ColumnDescriptor): ColumnKind {
  if (ownColumns.has(column.Column) || column.Type === 'AutoIdentity') return 'own';
  if (jsonColumns.has(column.Column)) return 'json';
  switch (column.Type) {
    case 'Integer':
    case 'BigInteger':
      return 'integer';
    case 'Float':
      return 'float';
    case 'Boolean':
      return 'boolean';
    default:
      return column.Size === 'Default' ? 'text' : 'sized';
  }
}

/** Unbounded text, floats and dates can be null; sized text, integers and booleans cannot. */
export function isNullableColumn(column: ColumnDescriptor): boolean {
  if (column.Nullable !== undefined) return column.Nullable;
  switch (column.Type) {
    case 'String':
      return column.Size === 'Default';
    case 'Float':
    case 'JSON':
    case 'CreateDate':
    case 'UpdateDate':
      return true;
    default:
      return false;
  }
}

function toTable(table: TableDescriptor): SchemaTable {
  const columns = new Map<string, SchemaColumn>();
  for (const column of table.Schema) {
    const kind = kindOf(column);
    columns.set(column.Column, {
      name: column.Column,
      kind,
      charsMax: kind === 'sized' ? Number(column.Size) : 0,
      isNullable: isNullableColumn(column),
      defaultValue: table.DefaultObject?.[column.Column] ?? null,
    });
  }
  return {
    name: table.Scope,
    idColumn: table.DefaultIdentifier ?? `ID${table.Scope}`,
    key: table.Indexes?.find((index) => index.Unique)?.Columns ?? [],
    columns,
  };
}

const tables = new Map(persistenceSchema.Tables.map((table) => [table.Scope, toTable(table)]));

/**
 * Text columns with a bounded size: those in keys and indexes, and those that hold one of a few
 * words.
 */
export const sizedColumns: ReadonlySet<string> = new Set(
  [...tables.values()].flatMap(({ columns }) =>
    [...columns.values()].filter(({ kind }) => kind === 'sized').map(({ name }) => name),
  ),
);

export type TableName =
  | 'UVQueueWorkItem'
  | 'UVQueueWorkItemEvent'
  | 'UVQueueWorkItemAttempt'
  | 'UVManifest'
  | 'UVBridgeMark';

/** A table of the persistence schema by name. */
export function tableOf(name: TableName): SchemaTable {
  const table = tables.get(name);
  if (!table) throw new RangeError(`no table ${name} in the persistence schema`);
  return table;
}

/** The tables of a lane, in the order their endpoints are enabled. */
export const laneTables = {
  queue: ['UVQueueWorkItem', 'UVQueueWorkItemEvent', 'UVQueueWorkItemAttempt'],
  manifest: ['UVManifest'],
} as const satisfies Record<string, readonly TableName[]>;
