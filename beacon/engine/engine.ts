/**
 * The one seam to a database: everything engine-neutral stands on these six methods. Every method
 * is asynchronous.
 */
import type { ApplyOutputs } from '../../contracts/capability.ts';
import type { RowMutation } from '../../contracts/mutation.ts';
import type { Scalar } from '../../contracts/schema.ts';
import type { Lane } from '../../contracts/subjects.ts';

export type EngineKind = 'sqlite' | 'postgresql' | 'mysql' | 'mssql';

/** What a column holds, whatever its native type is called. */
export type ColumnFamily = 'text' | 'integer' | 'float' | 'boolean' | 'date' | 'binary';

export type ColumnInfo = {
  name: string;
  nativeType: string;
  family: ColumnFamily;
  /** Characters it holds; null without a bound. */
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
 * What a migration starts from. `storeId` is '' until the database was given one; `textCollation`
 * is what makes two texts equal only when they are the same, where the database needs to be told.
 */
export type DatabaseState = { tables: TableInfo[]; storeId: string; textCollation?: string };

/** Defaults of a table's descriptor, remembered since EnsureSchema. */
export type DefaultObject = Readonly<Record<string, Scalar>>;

export type ApplyBatch = {
  hubId: string;
  lane: Lane;
  epoch: string;
  throughSeq: number;
  isBelowMark: boolean;
  /** The mark the sender builds on; 0 when it does not know. */
  afterSeq?: number;
  /** Epoch of that mark, empty for none; undefined when the sender does not say. */
  afterEpoch?: string | undefined;
  mutations: readonly RowMutation[];
  /** Table -> remembered defaults. A new map after each change: caches compare it by identity. */
  defaults: ReadonlyMap<string, DefaultObject>;
  /** Time written into CreateDate, UpdateDate and the mark, ISO-8601. */
  now: string;
};

export type Statement = {
  sql: string;
  parameters: readonly unknown[];
  isWrite: boolean;
  /**
   * Read behind a write that changed something, where a write cannot answer the row itself: its
   * rows are the result's.
   */
  readBack?: Statement;
  /** A read that may take long: where a statement would keep the event loop, it is run aside. */
  isLong?: boolean;
  /** Foreign SQL: read-only, this many rows, ended after this time. */
  query?: { rowsMax: number; timeoutMs: number };
};
export type StatementResult = { rows: Record<string, unknown>[]; changes: number };

/** Why the database refused one statement while it is well itself. */
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
  /** Facts of the named tables, or of all; a table that is not there is left out. */
  introspect(tables?: readonly string[]): Promise<TableInfo[]>;
  /**
   * In one transaction that keeps out other migrations: reads the state, asks for the statements,
   * runs them.
   * @throws StatementFault
   */
  migrate(plan: (state: DatabaseState) => readonly string[]): Promise<void>;
  /**
   * All mutations and the mark row in one transaction, whole or not at all (see `mark-rule.ts`);
   * one outcome each.
   */
  apply(batch: ApplyBatch): Promise<ApplyOutputs>;
  /**
   * Runs statements in order, several in one transaction; a refused one is a StatementFault in its
   * place and the others still count.
   */
  execute(statements: readonly Statement[]): Promise<(StatementResult | StatementFault)[]>;
  /** Whether the database is there and the same one; opens it again if not. Never throws. */
  check(): Promise<EngineHealth>;
  close(): Promise<void>;
}

/** Table with the identity of the database, made by EnsureSchema. */
export const storeTable = 'UVBridgeStore';
export const markTable = 'UVBridgeMark';

/** True for tables that are the beacon's own business and have no endpoint. */
export function isBeaconTable(name: string): boolean {
  const folded = name.toLowerCase();
  return folded === storeTable.toLowerCase() || folded.startsWith('sqlite_');
}

/**
 * False for tables nobody may write but the beacon itself: besides its own, the marks, for a moved
 * mark hides writes.
 */
export function mayHaveEndpoint(name: string): boolean {
  return !isBeaconTable(name) && name.trim().toLowerCase() !== markTable.toLowerCase();
}
