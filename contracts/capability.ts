/** Capability requests from worker to beacon: names, Settings and Outputs. */
import type { MutationResult, RowMutation } from './mutation.ts';
import type { SchemaDescriptor } from './schema.ts';
import type { Lane } from './subjects.ts';

export const capabilities = {
  batch: 'DataBeaconBatch',
  proxy: 'MeadowProxy',
  schema: 'DataBeaconSchema',
  management: 'DataBeaconManagement',
  access: 'DataBeaconAccess',
} as const;

/**
 * What a legacy beacon, which stores rows itself, offers for a lane: the domain actions themselves.
 */
export const legacyCapabilities = {
  queue: 'QueuePersistence',
  manifest: 'ManifestStore',
} as const satisfies Record<Lane, string>;

/**
 * The only path pattern a worker adds to the proxy's allowlist: the UV tables of any connection.
 */
export const persistencePaths = '^/?1\\.0/[^/]+/UV[A-Za-z0-9]*';

/** Body of `mesh.<BeaconID>.<Capability>.<Action>.<HubID>`, and of the same without a hub. */
export type CapabilityRequest = {
  Settings: Record<string, unknown>;
  RemoteUser?: string;
  TimeoutMs?: number;
};
export type CapabilityReply<Outputs> = { Outputs: Outputs; Log?: string[] };

/** The database a request is for. */
export type ConnectionSettings = { IDBeaconConnection: number };

/**
 * `DataBeaconBatch.Apply`: one transaction that includes the hub's mark row. If any mutation ends
 * in conflict or is rejected, nothing is committed and the mark stays. The worker then takes that
 * key out and sends the rest again. So a lost reply never hides a refusal.
 */
export type ApplySettings = ConnectionSettings & {
  HubID: string;
  Lane: Lane;
  /** Identifies the journal: a mark of another epoch does not count. */
  Epoch: string;
  /**
   * The sender's Term and the random id of its store. A Term below the mark row's, or an equal one
   * of another Owner, is refused with STALE_OWNER; a greater one is written with the batch. None
   * counts as 0.
   */
  Term?: number;
  Owner?: string;
  Mutations: RowMutation[];
  /** The mark after this batch. */
  ThroughSeq: number;
  /**
   * For entries released from behind a dead letter, whose Seqs are below the mark. They are applied
   * all the same, each with its own outcome, and the mark's Seq stays. If Epoch differs from
   * AfterEpoch, the mark row takes Epoch in the same transaction, so that an older copy of the
   * database can be recognised.
   */
  IsBelowMark?: boolean;
  /**
   * The mark the sender expects in the database. A database with an older mark was restored to an
   * earlier state and must refuse the batch: its ThroughSeq would hide the gap.
   */
  AfterSeq?: number;
  /**
   * Epoch of that mark; empty when the sender saw none. It makes the database refuse a late batch
   * of an earlier epoch, which would take the mark row back.
   */
  AfterEpoch?: string;
};
export type ApplyOutputs = {
  Results: MutationResult[];
  IsCommitted: boolean;
  Mark: StoredMark | null;
};

export type MarkSettings = ConnectionSettings & { HubID: string; Lane: Lane };
/** The mark row of the backend; without Term and Owner while no sender gave them (Term 0). */
export type StoredMark = {
  Epoch: string;
  Seq: number;
  UpdatedAt: string;
  Term?: number;
  Owner?: string;
};
/** `StoreID` identifies the database. */
export type MarkOutputs = { Mark: StoredMark | null; StoreID: string };

/** `MeadowProxy.Request`: any HTTP status is a successful request; the caller checks Status. */
export type ProxySettings = {
  Method: string;
  Path: string;
  Body?: string;
  RemoteUser?: string;
  Session?: unknown;
};
export type ProxyOutputs = { Status: number; Headers: Record<string, string>; Body: string };

export type EnsureSchemaSettings = ConnectionSettings & {
  SchemaName?: string;
  SchemaJSON: SchemaDescriptor;
};
export type EnsureSchemaOutputs = {
  Success: true;
  SchemaName: string;
  Engine: 'sqlite' | 'postgresql' | 'mysql' | 'mssql';
  TablesCreated: string[];
  /** Each is `Table.Column`. */
  ColumnsAdded: string[];
  IndicesCreated: string[];
  MigrationStatements: string[];
  SkippedDestructive: string[];
  Notes: string[];
  /** Identity of the database, created at the first EnsureSchema and kept in it. */
  StoreID: string;
};
/** What an EnsureSchema would run, and leave alone. */
export type SchemaPlan = Pick<
  EnsureSchemaOutputs,
  'SchemaName' | 'Engine' | 'MigrationStatements' | 'SkippedDestructive'
>;
export type IntrospectSchemaOutputs = {
  Success: true;
  SchemaName: string;
  Engine: string;
  Tables: { Scope: string; Exists: boolean; Columns: string[]; MissingColumns: string[] }[];
};

export type IntrospectOutputs = {
  TableCount: number;
  Tables: { TableName: string; ColumnCount: number; Columns: ColumnFacts[] }[];
};
export type ColumnFacts = {
  Name: string;
  NativeType: string;
  MaxLength: number | null;
  Nullable: boolean;
  IsPrimaryKey: boolean;
  IsAutoIncrement: boolean;
  DefaultValue: string | null;
  MeadowType: string;
};

export type EnableEndpointSettings = ConnectionSettings & { TableName: string };
/** EndpointBase is returned on every call, also when the endpoint was already enabled. */
export type EnableEndpointOutputs = {
  TableName: string;
  EndpointBase: string;
  ColumnCount: number;
  Message?: string;
};

export type UpdateProxyConfigSettings = {
  PathAllowlist?: string[];
  AllowWrites?: boolean;
  BodyBytesMax?: number;
  RequestTimeoutMs?: number;
};
export type UpdateProxyConfigOutputs = {
  Success: true;
  PatternsAdded: number;
  ActiveConfig: {
    AllowWrites: boolean;
    PathAllowlist: string[];
    BodyBytesMax: number;
    RequestTimeoutMs: number;
  };
};
