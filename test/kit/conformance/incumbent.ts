/**
 * A database as the incumbent's gateway leaves it, made by hand in each engine's own types: no hub,
 * no Seq, sizes and defaults of its own, unique on the hash alone.
 */
import type { EngineKind } from '../../../beacon/engine/engine.ts';
import { type ColumnDescriptor, persistenceSchema } from '../../../contracts/schema.ts';
import type { Place } from './backends.ts';

type Types = {
  id: string;
  string: (size: string) => string;
  text: string;
  integer: string;
  boolean: string;
  float: string;
  date: string;
};

const unicode = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci';
const types: Record<EngineKind, Types> = {
  sqlite: {
    id: 'INTEGER PRIMARY KEY AUTOINCREMENT',
    string: () => "TEXT NOT NULL DEFAULT ''",
    text: 'TEXT',
    integer: 'INTEGER NOT NULL DEFAULT 0',
    boolean: 'INTEGER NOT NULL DEFAULT 0',
    float: 'REAL',
    date: 'TEXT',
  },
  postgresql: {
    id: 'SERIAL PRIMARY KEY',
    string: (size) => `VARCHAR(${size}) NOT NULL DEFAULT ''`,
    text: 'TEXT',
    integer: 'INTEGER NOT NULL DEFAULT 0',
    boolean: 'BOOLEAN NOT NULL DEFAULT false',
    float: 'NUMERIC(10,2)',
    date: 'TIMESTAMP',
  },
  mysql: {
    id: 'INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY',
    string: (size) => `VARCHAR(${size}) ${unicode} NOT NULL DEFAULT ''`,
    text: `TEXT ${unicode}`,
    integer: 'INT NOT NULL DEFAULT 0',
    boolean: 'TINYINT NOT NULL DEFAULT 0',
    float: 'DECIMAL(10,2)',
    date: 'DATETIME',
  },
  mssql: {
    id: 'INT NOT NULL IDENTITY PRIMARY KEY',
    string: (size) => `NVARCHAR(${size}) NOT NULL DEFAULT ''`,
    text: 'NVARCHAR(MAX)',
    integer: 'INT NOT NULL DEFAULT 0',
    boolean: 'TINYINT NOT NULL DEFAULT 0',
    float: 'DECIMAL(10,2)',
    date: 'DATETIME2',
  },
};

/** Columns Tidemark added, by table; the base schema has none of them. */
export const addedColumns: Record<string, readonly string[]> = {
  UVQueueWorkItem: [
    'CreatedAt',
    'RequireAffinityMatch',
    'StalledAt',
    'HubID',
    'BridgeSeq',
    'Extra',
  ],
  UVQueueWorkItemEvent: ['RunID', 'HubID', 'BridgeSeq', 'Extra'],
  UVQueueWorkItemAttempt: [
    'DispatchedAt',
    'CompletedAt',
    'DurationMs',
    'ErrorMessage',
    'HubID',
    'BridgeSeq',
    'Extra',
  ],
  UVManifest: ['HubID', 'BridgeSeq', 'Extra'],
};
/** Free text that has a size there. */
const sizes: Record<string, string> = {
  HealthReason: '512',
  CancelReason: '512',
  OperationName: '500',
  StagingPath: '1024',
};
const indexes: Record<string, string[]> = {
  UVQueueWorkItem: [
    'UNIQUE IX_UVQueueWorkItem_Hash WorkItemHash',
    'IX_UVQueueWorkItem_Status Status',
    'IX_UVQueueWorkItem_RunID RunID',
    'IX_UVQueueWorkItem_Assigned AssignedBeaconID,Status',
    'IX_UVQueueWorkItem_Dispatch Status,Priority,EnqueuedAt',
  ],
  UVQueueWorkItemEvent: [
    'UNIQUE IX_UVQueueEvent_GUID EventGUID',
    'IX_UVQueueEvent_Hash WorkItemHash',
  ],
  UVQueueWorkItemAttempt: ['UNIQUE IX_UVQueueAttempt_HashNum WorkItemHash,AttemptNumber'],
  UVManifest: [
    'UNIQUE IX_UVManifest_Hash Hash',
    'IX_UVManifest_StatusStop Status,StopTime',
    'IX_UVManifest_OpHash OperationHash',
  ],
};

function clause(column: ColumnDescriptor, kind: EngineKind): string {
  const of = types[kind];
  const size = sizes[column.Column] ?? column.Size ?? 'Default';
  switch (column.Type) {
    case 'AutoIdentity':
      return `"${column.Column}" ${of.id}`;
    case 'String':
      return `"${column.Column}" ${size === 'Default' ? of.text : of.string(size)}`;
    case 'Float':
      return `"${column.Column}" ${of.float}`;
    case 'Boolean':
      return `"${column.Column}" ${of.boolean}`;
    case 'CreateDate':
    case 'UpdateDate':
      return `"${column.Column}" ${of.date}`;
    default:
      // Deleted is a number there.
      return `"${column.Column}" ${of.integer}`;
  }
}

/**
 * Makes its four tables with two work items, an event, an attempt and a manifest of a hub that was
 * there before.
 */
export async function makeIncumbent(kind: EngineKind, place: Place): Promise<void> {
  const statements = persistenceSchema.Tables.filter(
    (table) => table.Scope in addedColumns,
  ).flatMap((table) => [
    `CREATE TABLE "${table.Scope}" (${table.Schema.filter(
      (column) => !addedColumns[table.Scope]?.includes(column.Column),
    )
      .map((column) => clause(column, kind))
      .join(', ')})`,
    ...(indexes[table.Scope] ?? []).map((index) => {
      const [columns = '', name = '', unique = ''] = index.split(' ').toReversed();
      return `CREATE ${unique} INDEX "${name}" ON "${table.Scope}" (${columns
        .split(',')
        .map((column) => `"${column}"`)
        .join(', ')})`;
    }),
  ]);
  await place.query(
    [
      ...statements,
      'INSERT INTO "UVQueueWorkItem" ("WorkItemHash", "Status", "Settings", "Priority", ' +
        `"Health", "CreateDate") VALUES ('Old-1', 'Running', '{"a":1}', 4, 0.25, '2026-01-02 ` +
        `03:04:05'), ('Old-2', 'Complete', NULL, 0, NULL, NULL)`,
      'INSERT INTO "UVQueueWorkItemEvent" ("EventGUID", "WorkItemHash", "EventType") ' +
        `VALUES ('old-event', 'Old-1', 'enqueued')`,
      `INSERT INTO "UVQueueWorkItemAttempt" ("WorkItemHash", "AttemptNumber", "BeaconID") VALUES ('Old-1', 1, 'bcn')`,
      `INSERT INTO "UVManifest" ("Hash", "Status", "ManifestJSON") VALUES ('run-old', 'Waiting', '{}')`,
    ].join(';\n'),
  );
}
