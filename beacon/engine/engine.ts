/**
 * The seam to a database: all engine-neutral code uses these six methods. Every method is
 * asynchronous.
 */
import type { ApplyOutputs } from '../../contracts/capability.ts';
import type { RowMutation } from '../../contracts/mutation.ts';
import type { Scalar } from '../../contracts/schema.ts';
import type { Lane } from '../../contracts/subjects.ts';

export type EngineKind = 'sqlite' | 'postgresql' | 'mysql' | 'mssql';

/** The kind of values in a column, whatever its native type is called. */
export type ColumnFamily = 'text' | 'integer' | 'float' | 'boolean' | 'date' | 'binary';

export type ColumnInfo = {
  name: string;
  nativeType: string;
  family: ColumnFamily;
  /** Maximum characters; null without a bound. */
  charsMax: number | null;
  isNullable: boolean;
  isPrimaryKey: boolean;
  /** Numbered by the database. */
  isIdentity: boolean;
  /** The default as the database writes it; null when there is none. */
  defaultText: string | null;
  /** The default as a value; undefined when there is none or it is an expression. */
  defaultValue: Scalar | undefined;
};

export type IndexInfo = { name: string; columns: string[]; isUnique: boolean };
export type TableInfo = { name: string; columns: ColumnInfo[]; indexes: IndexInfo[] };

/**
 * What a migration starts from. `storeId` is '' until the database has an identity. `textCollation`
 * makes only identical texts equal, for databases that must be given a collation.
 */
export type DatabaseState = { tables: TableInfo[]; storeId: string; textCollation?: string };

/** Defaults from a table's descriptor, stored at EnsureSchema. */
export type DefaultObject = Readonly<Record<string, Scalar>>;

export type ApplyBatch = {
  hubId: string;
  lane: Lane;
  epoch: string;
  /** Term of the sending store and its random id; 0 and '' when it gives none. */
  term?: number;
  owner?: string;
  throughSeq: number;
  isBelowMark: boolean;
  /** The mark the sender expects; 0 when it does not know. */
  afterSeq?: number;
  /** Epoch of that mark, empty for none; undefined when the sender does not give it. */
  afterEpoch?: string | undefined;
  mutations: readonly RowMutation[];
  /** Table -> stored defaults. A new map after each change: caches compare it by identity. */
  defaults: ReadonlyMap<string, DefaultObject>;
  /** Time written into CreateDate, UpdateDate and the mark, ISO-8601. */
  now: string;
};

export type Statement = {
  sql: string;
  parameters: readonly unknown[];
  isWrite: boolean;
  /**
   * Reads the row after a write that changed something, for databases whose writes cannot return
   * it; its rows become the result.
   */
  readBack?: Statement;
  /** A read that may run long; an engine that would block the event loop runs it elsewhere. */
  isLong?: boolean;
  /** Foreign SQL: read-only, with at most this many rows, and stopped after this time. */
  query?: { rowsMax: number; timeoutMs: number };
};
export type StatementResult = { rows: Record<string, unknown>[]; changes: number };

/** The database works but refused this statement. */
export class StatementFault extends Error {
  readonly kind: 'unique' | 'misfit' | 'other';
  /** The driver's own code. */
  readonly code: string;

  constructor(kind: 'unique' | 'misfit' | 'other', code: string, message: string) {
    super(message);
    this.name = 'StatementFault';
    this.kind = kind;
    this.code = code;
  }
}

/** `isConnected` says whether the database can be used now. */
export type EngineHealth = { isConnected: boolean; storeId: string; reason: string };

/**
 * A database. Each method but `check` and `close` throws TidemarkError UNAVAILABLE when the
 * database itself fails; nothing was changed then.
 */
export interface Engine {
  readonly kind: EngineKind;
  /** Facts of the named tables, or of all; missing tables are left out. */
  introspect(tables?: readonly string[]): Promise<TableInfo[]>;
  /**
   * Reads the state, gets the statements from `plan` and runs them, in one transaction that
   * excludes other migrations.
   * @throws StatementFault
   */
  migrate(plan: (state: DatabaseState) => readonly string[]): Promise<void>;
  /**
   * Applies all mutations and the mark row in one transaction, all or nothing (see `mark-rule.ts`);
   * one outcome each.
   */
  apply(batch: ApplyBatch): Promise<ApplyOutputs>;
  /**
   * Runs statements in order, several in one transaction. A refused statement gives a
   * StatementFault in its place; the others still take effect.
   */
  execute(statements: readonly Statement[]): Promise<(StatementResult | StatementFault)[]>;
  /** Whether the database is reachable and still the same; reopens it if not. Never throws. */
  check(): Promise<EngineHealth>;
  close(): Promise<void>;
}

/** Table that holds the identity of the database, created by EnsureSchema. */
export const storeTable = 'UVBridgeStore';
export const markTable = 'UVBridgeMark';

/** Whether a table is internal to the beacon, and so has no endpoint. */
export function isBeaconTable(name: string): boolean {
  const folded = name.toLowerCase();
  return folded === storeTable.toLowerCase() || folded.startsWith('sqlite_');
}

/**
 * False for tables that only the beacon may write: its own, and that of the marks, because a moved
 * mark hides writes.
 */
export function mayHaveEndpoint(name: string): boolean {
  return !isBeaconTable(name) && name.trim().toLowerCase() !== markTable.toLowerCase();
}
