/**
 * One open SQLite file with everything that must die with it: prepared statements, table facts, and
 * the identity of the file.
 */
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database, Statement } from 'better-sqlite3';
import { bounds } from '../../bounds.ts';
import { storeTable, type TableInfo } from '../../engine/engine.ts';
import { introspectTable } from './introspect.ts';

/**
 * Makes the folder of a file, with those above it. Node's own way of doing so never ends where one
 * can be neither found nor made, as below /proc.
 */
export function makeFolderOf(path: string): void {
  const folder = dirname(path);
  if (existsSync(folder)) return;
  makeFolderOf(folder);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** What tells two files of one name apart; '' when there is none. */
export function databaseFileIdentity(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found ? `${found.dev}:${found.ino}` : '';
}

export class SqliteHandle {
  readonly db: Database;
  readonly path: string;
  readonly #identity: string;
  /** Identities of the files SQLite keeps beside it. */
  readonly #beside: ReadonlyMap<string, string>;
  readonly #schemaVersion: Statement;
  readonly #statements = new Map<string, Statement>();
  readonly #tables = new Map<string, TableInfo | null>();
  #version = -1;
  #isSyncChecked = false;

  constructor(db: Database, path: string) {
    this.db = db;
    this.path = path;
    this.#identity = databaseFileIdentity(path);
    this.#schemaVersion = db.prepare('PRAGMA schema_version').pluck();
    // The first read makes the log and its index.
    this.#schemaVersion.get();
    this.#beside = new Map(
      [`${path}-wal`, `${path}-shm`].map((file) => [file, databaseFileIdentity(file)]),
    );
  }

  /**
   * False once the file was deleted or another one lies at its path: what is written here then is
   * lost.
   */
  isCurrent(): boolean {
    return this.#identity !== '' && databaseFileIdentity(this.path) === this.#identity;
  }

  /**
   * Closes the file. When it is no longer at its path, SQLite leaves its log there, and would read
   * it into whatever file comes next under that name: so it goes, unless it is another file's.
   */
  close(): void {
    const isCurrent = this.isCurrent();
    this.db.close();
    if (isCurrent) return;
    for (const [file, identity] of this.#beside)
      if (identity !== '' && databaseFileIdentity(file) === identity) rmSync(file, { force: true });
  }

  /** A statement prepared once; the oldest goes when there are too many. */
  prepare(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known) return known;
    if (this.#statements.size >= bounds.statementsMax) {
      for (const oldest of this.#statements.keys()) {
        this.#statements.delete(oldest);
        break;
      }
    }
    const statement = this.db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  /**
   * Number that changes with the schema, whoever changed it. Table facts of an older one are
   * forgotten here.
   */
  schemaVersion(): number {
    const version = this.#schemaVersion.get() as number;
    if (version !== this.#version) {
      this.#tables.clear();
      this.#version = version;
    }
    return version;
  }

  /** Facts of a table as of the last `schemaVersion()`; null when there is none. */
  table(name: string): TableInfo | null {
    let facts = this.#tables.get(name);
    if (facts === undefined) {
      facts = introspectTable(this.db, name);
      if (this.#tables.size >= bounds.tablesMax) this.#tables.clear();
      this.#tables.set(name, facts);
    }
    return facts;
  }

  /** Identity of the database; '' until EnsureSchema gave it one. */
  storeId(): string {
    this.schemaVersion();
    if (this.table(storeTable) === null) return '';
    const id = this.prepare(`SELECT StoreID FROM "${storeTable}" LIMIT 1`).pluck().get();
    return typeof id === 'string' ? id : '';
  }

  /**
   * Once, after the first write: a build of SQLite may fall back to NORMAL when a file turns to
   * WAL. The checkpoint syncs what was written before it was noticed.
   */
  checkSync(): void {
    if (this.#isSyncChecked) return;
    this.#isSyncChecked = true;
    if (this.db.pragma('synchronous', { simple: true }) === 2) return;
    this.db.pragma('synchronous = FULL');
    this.db.pragma('wal_checkpoint(PASSIVE)');
  }
}
