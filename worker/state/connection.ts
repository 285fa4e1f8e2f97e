/** Connections to SQLite files of the worker: the one that writes, with its pragmas, and read-only ones. Home of better-sqlite3 in the worker. */
import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import { TidemarkError } from '../../contracts/errors.ts';

export type Connection = Database.Database;

/** For telling SQLite's own errors from others. */
export const SqliteError = Database.SqliteError;

const pragmas = ['journal_mode = wal', 'synchronous = full', 'foreign_keys = on', 'trusted_schema = off', 'cell_size_check = on', 'mmap_size = 0', 'cache_size = -32000',
  'wal_autocheckpoint = 2000', 'journal_size_limit = 67108864'] as const;

/** Opens for writing and sets what a connection forgets. @throws what SQLite throws; TidemarkError STORAGE_FAILED without WAL */
export function openWritable(path: string): Connection {
  const db = new Database(path, { timeout: 5_000 });
  // Takes effect only before the first table is made.
  db.pragma('auto_vacuum = incremental');
  for (const pragma of pragmas) db.pragma(pragma);
  const mode: unknown = db.pragma('journal_mode', { simple: true });
  if (mode !== 'wal') throw new TidemarkError('STORAGE_FAILED', `${path} answers journal mode ${String(mode)} instead of wal; is it on a local disk?`);
  return db;
}

/** A plain connection without waiting, for the lock. */
export function openLockFile(path: string): Connection {
  return new Database(path, { timeout: 0 });
}

/** A read-only view of an SQLite file. @throws TidemarkError NOT_THERE when there is none */
export function openReadOnly(path: string): Connection {
  if (!existsSync(path)) throw new TidemarkError('NOT_THERE', `there is no ${path}`);
  return new Database(path, { readonly: true, fileMustExist: true, timeout: 2_000 });
}
