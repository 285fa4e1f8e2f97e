/**
 * What differs between server databases: connecting, the meaning of errors, the catalogue, and
 * statements over many rows.
 */
import type { Kysely } from 'kysely';
import type { Scalar } from '../../../contracts/schema.ts';
import type { EngineKind, StatementFault, TableInfo } from '../../engine/engine.ts';
import type { Column, Table } from '../../engine/table.ts';

export type Query = { sql: string; parameters: readonly unknown[] };
export type QueryResult = { rows: Record<string, unknown>[]; changes: number };

/** A connection held for a piece of work, with or without a transaction. */
export interface Session {
  run(query: Query): Promise<QueryResult>;
}

/**
 * The meaning of an error. `StatementFault`: this statement was refused, the database works.
 * `again`: a deadlock or the like, the same transaction may succeed. `away`: the outcome is
 * unknown, the database cannot be used now.
 */
export type Fault = StatementFault | 'again' | 'away';

/**
 * Statements over many rows of one table. Rows are values in the order of the columns, as
 * `toStored` returns them.
 */
export interface SetStatements {
  /** How many rows with that many columns fit into one statement. */
  rowsMax(columns: number): number;
  /** Reads the rows with these keys, and locks them until the transaction ends. */
  read(
    table: Table,
    key: readonly Column[],
    columns: readonly Column[],
    keys: readonly (readonly Scalar[])[],
  ): Query;
  insert(table: Table, columns: readonly Column[], rows: readonly (readonly Scalar[])[]): Query;
  /**
   * Inserts the rows whose key does not exist and returns their keys; null where the database
   * cannot do that.
   */
  insertAbsent(
    table: Table,
    key: readonly Column[],
    columns: readonly Column[],
    rows: readonly (readonly Scalar[])[],
  ): Query | null;
  /**
   * Each row is the values of `by`, then of `columns`. `by` is the identity column, or there is a
   * single row.
   */
  update(
    table: Table,
    by: readonly Column[],
    columns: readonly Column[],
    rows: readonly (readonly Scalar[])[],
  ): Query;
}

/** Statements that set a savepoint and roll back to it. */
export type Savepoint = { set: string; rollback: string };

export interface ServerDialect {
  readonly kind: EngineKind;
  readonly sets: SetStatements;
  readonly savepoint: Savepoint;
  /** Reads the identity of the database. */
  readonly storeId: Query;
  /** Creates a pool without connecting. `onLost` is called when an idle connection breaks. */
  open(onLost: () => void): Kysely<unknown>;
  /** Facts of the named tables, or of all. */
  introspect(session: Session, tables?: readonly string[]): Promise<TableInfo[]>;
  faultOf(error: unknown): Fault;
  /**
   * Excludes other migrations while the work runs, in a transaction if the database supports that
   * for DDL.
   */
  migrate(
    db: Kysely<unknown>,
    work: (session: Session, textCollation: string) => Promise<void>,
  ): Promise<void>;
  /**
   * Foreign SQL in a transaction of its own: the statements that make it read-only and limit its
   * time, and the query itself.
   */
  foreign(
    sql: string,
    limits: { rowsMax: number; timeoutMs: number },
  ): { before: readonly string[]; query: Query; after: readonly string[] };
}
