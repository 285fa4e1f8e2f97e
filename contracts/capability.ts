/** Capability requests, worker -> beacon: names, Settings and Outputs. */
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
 * What a beacon without databases offers for a lane: the domain actions themselves, rows and all.
 */
export const legacyCapabilities = {
  queue: 'QueuePersistence',
  manifest: 'ManifestStore',
} as const satisfies Record<Lane, string>;

/**
 * The one pattern of paths a worker has let through the proxy: the UV tables of any connection, and
 * nothing else.
 */
export const persistencePaths = '^/?1\\.0/[^/]+/UV[A-Za-z0-9]*';

/** Body of `mesh.<BeaconID>.<Capability>.<Action>.<HubID>`, and of the same without a hub. */
export type CapabilityRequest = {
  Settings: Record<string, unknown>;
  RemoteUser?: string;
  TimeoutMs?: number;
};
export type CapabilityReply<Outputs> = { Outputs: Outputs; Log?: string[] };

/** The database a request is about. */
export type ConnectionSettings = { IDBeaconConnection: number };

/**
 * `DataBeaconBatch.Apply`: one transaction together with the hub's mark row. If any mutation ends
 * in conflict or rejected, nothing is committed and the mark stays: the worker takes the key out
 * and sends the rest again. A lost reply thus never hides a refusal.
 */
export type ApplySettings = ConnectionSettings & {
  HubID: string;
  Lane: Lane;
  /** Tells journals apart: marks of another epoch do not count. */
  Epoch: string;
  Mutations: RowMutation[];
  /** The mark after this batch. */
  ThroughSeq: number;
  /**
   * Entries released from behind a dead letter lie below the mark on purpose: not skipped, the
   * mark's Seq stays, each is its own affair. With an Epoch other than AfterEpoch the mark row
   * takes that Epoch in the same transaction, so that a copy from before is told apart.
   */
  IsBelowMark?: boolean;
  /**
   * The mark the sender knows the database to have. One that shows an older mark went back in time
   * since, and must not take the batch: the gap would be hidden behind its ThroughSeq.
   */
  AfterSeq?: number;
  /**
   * Epoch of that mark; empty when the sender saw none. A batch of an earlier epoch that arrives
   * late names one that is not there any more, and must not take the mark row back.
   */
  AfterEpoch?: string;
};
export type ApplyOutputs = {
  Results: MutationResult[];
  IsCommitted: boolean;
  Mark: StoredMark | null;
};

export type MarkSettings = ConnectionSettings & { HubID: string; Lane: Lane };
/** The mark row of the backend. `StoreID` is the identity of the database. */
export type StoredMark = { Epoch: string; Seq: number; UpdatedAt: string };
export type MarkOutputs = { Mark: StoredMark | null; StoreID: string };

/** `MeadowProxy.Request`: any HTTP status is a successful request; the caller looks at Status. */
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
  /** `Table.Column` each. */
  ColumnsAdded: string[];
  IndicesCreated: string[];
  MigrationStatements: string[];
  SkippedDestructive: string[];
  Notes: string[];
  /** Identity of the database, made at the first EnsureSchema and kept in it. */
  StoreID: string;
};
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
/** EndpointBase is there on every call, also when the endpoint was enabled before. */
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
