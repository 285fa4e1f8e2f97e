/**
 * What a server database has of its own: how it is reached, how its errors read, its catalogue, and
 * its statements over many rows.
 */
import type { Kysely } from 'kysely';
import type { Scalar } from '../../../contracts/schema.ts';
import type { EngineKind, StatementFault, TableInfo } from '../../engine/engine.ts';
import type { Column, Table } from '../../engine/table.ts';

export type Query = { sql: string; parameters: readonly unknown[] };
export type QueryResult = { rows: Record<string, unknown>[]; changes: number };

/** A connection held for a piece of work, in a transaction or not. */
export interface Session {
  run(query: Query): Promise<QueryResult>;
}

/**
 * What an error says. `StatementFault`: this statement cannot be, the database is well. `again`: a
 * deadlock or the like, the same transaction may well go through. `away`: nothing is known, the
 * database cannot be used now.
 */
export type Fault = StatementFault | 'again' | 'away';

/**
 * Statements over many rows of one table; rows are values in the order of the columns, as
 * `toStored` gives them.
 */
export interface SetStatements {
  /** Rows of so many columns that one statement takes. */
  rowsMax(columns: number): number;
  /** Rows with these keys, locked until the end of the transaction. */
  read(
    table: Table,
    key: readonly Column[],
    columns: readonly Column[],
    keys: readonly (readonly Scalar[])[],
  ): Query;
  insert(table: Table, columns: readonly Column[], rows: readonly (readonly Scalar[])[]): Query;
  /**
   * Inserts the rows whose key is not there, and answers their keys; null where the database
   * cannot.
   */
  insertAbsent(
    table: Table,
    key: readonly Column[],
    columns: readonly Column[],
    rows: readonly (readonly Scalar[])[],
  ): Query | null;
  /**
   * Each row is the values of `by`, then of `columns`. `by` is the numbering column, or there is
   * one row.
   */
  update(
    table: Table,
    by: readonly Column[],
    columns: readonly Column[],
    rows: readonly (readonly Scalar[])[],
  ): Query;
}

/** Texts that set a savepoint and go back to it. */
export type Savepoint = { set: string; rollback: string };

export interface ServerDialect {
  readonly kind: EngineKind;
  readonly sets: SetStatements;
  readonly savepoint: Savepoint;
  /** Reads the identity of the database. */
  readonly storeId: Query;
  /** A pool; nothing is connected yet. `onLost` is called when an idle connection breaks. */
  open(onLost: () => void): Kysely<unknown>;
  /** Facts of the named tables, or of all. */
  introspect(session: Session, tables?: readonly string[]): Promise<TableInfo[]>;
  faultOf(error: unknown): Fault;
  /**
   * Keeps other migrations out, runs the work in a transaction where the database knows that for
   * tables, and lets them in again.
   */
  migrate(
    db: Kysely<unknown>,
    work: (session: Session, textCollation: string) => Promise<void>,
  ): Promise<void>;
  /**
   * Foreign SQL in a transaction of its own: what makes it one that cannot write or take longer,
   * and the one statement itself.
   */
  foreign(
    sql: string,
    limits: { rowsMax: number; timeoutMs: number },
  ): { before: readonly string[]; query: Query; after: readonly string[] };
}
