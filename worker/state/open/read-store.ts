/**
 * Reads the state of a data directory from outside its worker. Never makes, migrates or locks
 * anything, and explains why a file cannot be read.
 */
import { statSync } from 'node:fs';
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import { type Connection, openReadOnly, SqliteError } from '../connection.ts';
import { type FaultView, lastFaults } from '../guard/fault-log.ts';
import { minimum, versionOf } from '../schema/migrate.ts';
import { schemaVersion } from '../schema/migrations.ts';
import { pathsOf, type StatePaths } from '../paths.ts';

type Value = string | number;

/**
 * A store as a program without the lock can read it. Each call is a transaction of its own, because
 * an open one would keep the worker from folding in its log; `atOnce` reads several things at one
 * moment. All methods throw STORAGE_FAILED when the file cannot be read.
 */
export class ReadStore {
  readonly version: number;
  readonly #db: Connection;
  readonly #paths: StatePaths;

  constructor(db: Connection, version: number, paths: StatePaths) {
    this.#db = db;
    this.version = version;
    this.#paths = paths;
  }

  all<Row>(sql: string, ...values: Value[]): Row[] {
    return this.#read(() => this.#db.prepare<Value[], Row>(sql).all(...values));
  }

  /** The first column of the first row; undefined when there is no row. */
  value(sql: string, ...values: (Value | Record<string, Value>)[]): unknown {
    return this.#read(() =>
      this.#db
        .prepare(sql)
        .pluck()
        .get(...values),
    );
  }

  /** The last faults of the local state; null when the schema keeps none. */
  faults(): FaultView[] | null {
    return this.version < 2 ? null : this.#read(() => lastFaults(this.#db));
  }

  /** Everything that `look` reads is of one moment. Keep it short. */
  atOnce<T>(look: () => T): T {
    return this.#read(() => this.#db.transaction(look)());
  }

  close(): void {
    this.#db.close();
  }

  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw error instanceof SqliteError ? explained(error, this.#paths) : error;
    }
  }
}

/**
 * @throws TidemarkError NOT_THERE (missing, empty), NEWER_SCHEMA (this program may not even read
 * it), STORAGE_FAILED with the reason otherwise
 */
export function openForReading(dataDir: string): ReadStore {
  const paths = pathsOf(dataDir);
  assertFile(paths);
  let db: Connection | null = null;
  try {
    db = openReadOnly(paths.db);
    const version = versionOf(db);
    assertReadable(db, version, paths.db);
    return new ReadStore(db, version, paths);
  } catch (error) {
    db?.close();
    throw error instanceof TidemarkError ? error : explained(error, paths);
  }
}

function assertFile({ db: path, wal }: StatePaths): void {
  let found;
  try {
    found = statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw failed(
      `${path} cannot be looked at: ${messageOf(cause)}; run this as the user of the worker`,
      cause,
    );
  }
  if (!found)
    throw new TidemarkError(
      'NOT_THERE',
      `there is no ${path}; is --data the directory of a worker that ran?`,
    );
  if (!found.isFile()) throw failed(`${path} is no file; move it away, and start the worker`);
  if (found.size === 0 && !statSync(wal, { throwIfNoEntry: false })?.size)
    throw new TidemarkError(
      'NOT_THERE',
      `${path} is empty: a worker's start was cut off, or the file was; start the worker`,
    );
}

function assertReadable(db: Connection, version: number, path: string): void {
  const tables = new Set(
    db
      .prepare<[], string>("select name from sqlite_schema where type in ('table', 'view')")
      .pluck()
      .all(),
  );
  if (version === 0 && tables.size === 0)
    throw failed(`${path} has no schema yet; start the worker once`);
  if (!tables.has('meta') || !tables.has('entry'))
    throw failed(`${path} is another program's database; give --data the directory of a worker`);
  if (version > schemaVersion && minimum(db, 'min_reader', version) > schemaVersion) {
    throw new TidemarkError(
      'NEWER_SCHEMA',
      `${path} has schema ${version}, this program reads up to ${schemaVersion}; use the newer program`,
    );
  }
}

function explained(error: unknown, { db: path, stateDir }: StatePaths): TidemarkError {
  const code = error instanceof SqliteError ? error.code : '';
  if (code === 'SQLITE_NOTADB')
    return failed(
      `${path} is no database; the worker's next start sets it aside and says what can be brought back`,
      error,
    );
  if (code.startsWith('SQLITE_CORRUPT'))
    return failed(
      `${path} is damaged; the worker's next start brings back what can be read`,
      error,
    );
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN')) {
    return failed(
      `${path} cannot be read without the right to write in ${stateDir} while no worker ` +
        'runs; run this as the user of the worker',
      error,
    );
  }
  return failed(`cannot read ${path}: ${messageOf(error)}`, error);
}

function failed(message: string, cause?: unknown): TidemarkError {
  return new TidemarkError('STORAGE_FAILED', message, { cause });
}
