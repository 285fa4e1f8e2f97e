/**
 * One open SQLite file with everything that lives as long as it: prepared statements, table facts,
 * and the identity of the file.
 */
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database, Statement } from 'better-sqlite3';
import { bounds } from '../../bounds.ts';
import { storeTable, type TableInfo } from '../../engine/engine.ts';
import { introspectTable } from './introspect.ts';

/**
 * Creates the folder of a file, with its parents. Node's own recursive mkdir never returns where a
 * folder can neither be found nor created, as below /proc.
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

/** Identifies a file, whatever its name; '' when there is none. */
export function databaseFileIdentity(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found ? `${found.dev}:${found.ino}` : '';
}

export class SqliteHandle {
  readonly db: Database;
  readonly path: string;
  readonly #identity: string;
  /** Identities of the files that SQLite keeps next to it. */
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
    // The first read creates the WAL and its index.
    this.#schemaVersion.get();
    this.#beside = new Map(
      [`${path}-wal`, `${path}-shm`].map((file) => [file, databaseFileIdentity(file)]),
    );
  }

  /**
   * False once the file was deleted or replaced: anything written through this handle is then lost.
   */
  isCurrent(): boolean {
    return this.#identity !== '' && databaseFileIdentity(this.path) === this.#identity;
  }

  /**
   * Closes the file. If it is no longer at its path, SQLite leaves its WAL there and would read it
   * into the next file of that name; so the WAL is removed, unless it belongs to another file.
   */
  close(): void {
    const isCurrent = this.isCurrent();
    this.db.close();
    if (isCurrent) return;
    for (const [file, identity] of this.#beside)
      if (identity !== '' && databaseFileIdentity(file) === identity) rmSync(file, { force: true });
  }

  /** Returns a cached prepared statement; evicts the oldest when there are too many. */
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
   * A number that changes with the schema, whoever changed it. Discards table facts of an older
   * schema.
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

  /** Identity of the database; '' before EnsureSchema. */
  storeId(): string {
    this.schemaVersion();
    if (this.table(storeTable) === null) return '';
    const id = this.prepare(`SELECT StoreID FROM "${storeTable}" LIMIT 1`).pluck().get();
    return typeof id === 'string' ? id : '';
  }

  /**
   * Called once after the first write: some builds of SQLite fall back to NORMAL when a file
   * switches to WAL. The checkpoint syncs what was written until then.
   */
  checkSync(): void {
    if (this.#isSyncChecked) return;
    this.#isSyncChecked = true;
    if (this.db.pragma('synchronous', { simple: true }) === 2) return;
    this.db.pragma('synchronous = FULL');
    this.db.pragma('wal_checkpoint(PASSIVE)');
  }
}
