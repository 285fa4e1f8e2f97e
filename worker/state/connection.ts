/**
 * Opens SQLite files for the worker: for writing with its pragmas, for the lock, and read-only. No
 * other file of the worker imports better-sqlite3.
 */
import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import { TidemarkError } from '../../contracts/errors.ts';

export type Connection = Database.Database;

/** The class of SQLite's own errors, to tell them from others. */
export const SqliteError = Database.SqliteError;

const pragmas = [
  'journal_mode = wal',
  'synchronous = full',
  'foreign_keys = on',
  'trusted_schema = off',
  'cell_size_check = on',
  'mmap_size = 0',
  'cache_size = -32000',
  'wal_autocheckpoint = 2000',
  'journal_size_limit = 67108864',
] as const;

/**
 * What these pragmas must answer when they are read back. `synchronous` is read back in
 * `insistOnSync`, because better-sqlite3 changes it at the first write.
 */
const answers: readonly (readonly [pragma: string, answer: unknown])[] = [
  ['journal_mode', 'wal'],
  ['foreign_keys', 1],
  ['trusted_schema', 0],
  ['cell_size_check', 1],
  ['mmap_size', 0],
];

/** Older versions of SQLite may damage a log that is reset while another process reads it. */
const leastSqlite = [3, 51, 3] as const;

/**
 * Opens a file for writing, and sets the pragmas that each connection needs.
 * @throws what SQLite throws; TidemarkError STORAGE_FAILED when a pragma does not hold
 */
export function openWritable(path: string): Connection {
  assertSqlite();
  const db = new Database(path, { timeout: 5_000 });
  // This pragma works only before the first table exists. Later it would only write into the file,
  // which may belong to another program.
  if (Number(db.pragma('page_count', { simple: true })) === 0)
    db.pragma('auto_vacuum = incremental');
  for (const pragma of pragmas) db.pragma(pragma);
  for (const [pragma, answer] of answers) {
    const given: unknown = db.pragma(pragma, { simple: true });
    if (given === answer || (pragma === 'mmap_size' && given === undefined)) continue;
    db.close();
    throw new TidemarkError(
      'STORAGE_FAILED',
      `${path} answers ${pragma}=${String(given)} instead of ${String(answer)}; is it on a local disk?`,
    );
  }
  return db;
}

function assertSqlite(): void {
  const memory = new Database(':memory:');
  const version = String(memory.prepare('select sqlite_version()').pluck().get());
  memory.close();
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const [a, b, c] = leastSqlite;
  if (major * 1e6 + minor * 1e3 + patch < a * 1e6 + b * 1e3 + c)
    throw new TidemarkError(
      'CONFIG_INVALID',
      `SQLite ${version} is older than ${leastSqlite.join('.')}; install the better-sqlite3 of the lock file`,
    );
}

/** A connection without our pragmas that does not wait for locks. */
export function openLockFile(path: string): Connection {
  return new Database(path, { timeout: 0 });
}

/** Opens an SQLite file read-only. @throws TidemarkError NOT_THERE when there is none */
export function openReadOnly(path: string): Connection {
  if (!existsSync(path)) throw new TidemarkError('NOT_THERE', `there is no ${path}`);
  return new Database(path, { readonly: true, fileMustExist: true, timeout: 2_000 });
}
