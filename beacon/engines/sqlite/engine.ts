/**
 * SQLite as an engine: the file is made with its folder, synced at every commit, and watched, for a
 * file can be deleted or replaced under us.
 */
import { closeSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { ApplyOutputs } from '../../../contracts/capability.ts';
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import { bounds } from '../../bounds.ts';
import {
  type ApplyBatch,
  type DatabaseState,
  type Engine,
  type EngineHealth,
  type Statement,
  StatementFault,
  type StatementResult,
  type TableInfo,
} from '../../engine/engine.ts';
import { SqliteApplier } from './apply.ts';
import { fileUnavailable, isBroken, toStatementFault } from './faults.ts';
import { makeFolderOf, SqliteHandle } from './handle.ts';
import { introspectTable, tableNames } from './introspect.ts';
import { SqliteQueries } from './query.ts';

/**
 * "TIDE", the `application_id` of a worker's journal: what is written into one of those by another
 * program is damage.
 */
export const journalId = 0x54494445;

/** Opens a SQLite file for us: made with its folder when missing, WAL, synced at each commit. */
export function openSqliteFile(path: string): Database.Database {
  makeFolderOf(path);
  closeSync(openSync(path, 'a', 0o600));
  const db = new Database(path, { timeout: bounds.busyMs });
  try {
    if (db.pragma('application_id', { simple: true }) === journalId)
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `${path} is the journal of a worker, and no database to be had`,
      );
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma(`cache_size = -${Math.round(bounds.cacheBytes / 1024)}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Bounds of a statement of our own that may take long. */
const longQuery = { rowsMax: bounds.pageRowsMax, timeoutMs: bounds.queryMs };

type Open = { handle: SqliteHandle; applier: SqliteApplier };

export class SqliteEngine implements Engine {
  readonly kind = 'sqlite';
  readonly #path: string;
  /** Called when the file was found replaced, so that presence can say so at once. */
  readonly #onReplaced: () => void;
  readonly #assertMayOpen: (path: string) => void;
  readonly #queries: SqliteQueries;
  #open: Open | null = null;
  #isClosed = false;

  /** @param assertMayOpen throws for a file that is not to be opened; asked before each opening */
  constructor(
    path: string,
    onReplaced: () => void = () => undefined,
    assertMayOpen: (path: string) => void = () => undefined,
  ) {
    this.#assertMayOpen = assertMayOpen;
    this.#path = path;
    this.#onReplaced = onReplaced;
    this.#queries = new SqliteQueries(path);
  }

  introspect(tables?: readonly string[]): Promise<TableInfo[]> {
    return this.#use(({ handle }) => {
      const names = tables ?? tableNames(handle.db);
      return names.flatMap((name) => introspectTable(handle.db, name) ?? []);
    });
  }

  migrate(plan: (state: DatabaseState) => readonly string[]): Promise<void> {
    return this.#use((open) =>
      this.#transact(open, ({ handle }) => {
        const tables = tableNames(handle.db).flatMap(
          (name) => introspectTable(handle.db, name) ?? [],
        );
        for (const sql of plan({ tables, storeId: handle.storeId() })) handle.db.exec(sql);
      }),
    );
  }

  apply(batch: ApplyBatch): Promise<ApplyOutputs> {
    return this.#use((open) =>
      this.#transact(
        open,
        () => open.applier.apply(batch),
        (outputs) => outputs.IsCommitted,
      ),
    );
  }

  execute(statements: readonly Statement[]): Promise<(StatementResult | StatementFault)[]> {
    const [only] = statements;
    if (only?.query || only?.isLong === true) return this.#query(only, only.query ?? longQuery);
    return this.#use((open) => {
      if (!statements.some((statement) => statement.isWrite))
        return statements.map((statement) => runStatement(open.handle, statement));
      return this.#transact(open, () =>
        statements.map((statement) => runStatement(open.handle, statement)),
      );
    });
  }

  /** Foreign SQL, and what may take long, goes to a process of its own, and never on our handle. */
  async #query(
    statement: Statement,
    query: NonNullable<Statement['query']>,
  ): Promise<(StatementResult | StatementFault)[]> {
    if (this.#isClosed) throw new TidemarkError('UNAVAILABLE', `database ${this.#path} is closed`);
    try {
      this.#current();
      return [await this.#queries.run(statement, query)];
    } catch (error) {
      if (error instanceof StatementFault) return [error];
      throw fileUnavailable(this.#path, error);
    }
  }

  async check(): Promise<EngineHealth> {
    try {
      return { isConnected: true, storeId: this.#current().handle.storeId(), reason: '' };
    } catch (error) {
      if (isBroken(error)) this.#drop();
      return {
        isConnected: false,
        storeId: '',
        reason: messageOf(fileUnavailable(this.#path, error)),
      };
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#queries.close();
    this.#drop();
  }

  async #use<T>(work: (open: Open) => T): Promise<T> {
    try {
      return work(this.#current());
    } catch (error) {
      if (isBroken(error)) this.#drop();
      throw toStatementFault(error) ?? fileUnavailable(this.#path, error);
    }
  }

  #current(): Open {
    if (this.#isClosed) throw new TidemarkError('UNAVAILABLE', `database ${this.#path} is closed`);
    if (this.#open && !this.#open.handle.isCurrent()) {
      this.#drop();
      this.#onReplaced();
    }
    if (this.#open === null) {
      this.#assertMayOpen(this.#path);
      const handle = new SqliteHandle(openSqliteFile(this.#path), this.#path);
      this.#open = { handle, applier: new SqliteApplier(handle) };
    }
    return this.#open;
  }

  /** Closed before the path is opened again: the log of the old file must not meet the new one. */
  #drop(): void {
    const open = this.#open;
    this.#open = null;
    open?.handle.close();
  }

  /**
   * One transaction, begun as a writer; what went to a file that is no longer at the path does not
   * count.
   */
  #transact<T>(
    open: Open,
    work: (open: Open) => T,
    takesEffect: (result: T) => boolean = () => true,
  ): T {
    const { db } = open.handle;
    db.exec('BEGIN IMMEDIATE');
    try {
      const result = work(open);
      if (!takesEffect(result)) {
        db.exec('ROLLBACK');
        return result;
      }
      if (!open.handle.isCurrent()) throw this.#replaced();
      db.exec('COMMIT');
      open.handle.checkSync();
      if (!open.handle.isCurrent()) throw this.#replaced();
      return result;
    } catch (error) {
      // A full disk or a failing one has already rolled back.
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  #replaced(): TidemarkError {
    this.#onReplaced();
    return new TidemarkError(
      'UNAVAILABLE',
      `database ${this.#path}: the file was deleted or replaced, nothing was kept`,
      { retryAfterMs: bounds.databaseRetryMs },
    );
  }
}

function runStatement(
  handle: SqliteHandle,
  statement: Statement,
): StatementResult | StatementFault {
  try {
    const prepared = handle.prepare(statement.sql);
    if (!prepared.reader) return { rows: [], changes: prepared.run(statement.parameters).changes };
    const rows: Record<string, unknown>[] = [];
    let chars = 0;
    for (const row of prepared.iterate(statement.parameters) as Iterable<Record<string, unknown>>) {
      for (const name in row) chars += typeof row[name] === 'string' ? row[name].length : 8;
      if (chars > bounds.answerBytesMax)
        throw new TidemarkError(
          'TOO_LARGE',
          `the rows are over ${bounds.answerBytesMax} bytes; ask for fewer`,
        );
      rows.push(row);
    }
    return { rows, changes: rows.length };
  } catch (error) {
    const fault = toStatementFault(error);
    if (fault === null) throw error;
    return fault;
  }
}
