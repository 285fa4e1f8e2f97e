/**
 * One writer: an SQLite lock held for life, which the operating system frees when the process dies,
 * however it dies.
 */
import { chmodSync } from 'node:fs';
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import { isoOf } from '../../../runtime/clock.ts';
import { type Connection, openLockFile, openReadOnly, SqliteError } from '../connection.ts';
import type { StatePaths } from '../paths.ts';

/**
 * @throws TidemarkError LOCK_HELD naming the owner, STORAGE_FAILED when the file cannot be locked
 * at all
 */
export function takeWriterLock(paths: StatePaths): Connection {
  let lock: Connection | null = null;
  try {
    lock = openLockFile(paths.lock);
    chmodSync(paths.lock, 0o600);
    lock.exec('begin exclusive');
    return lock;
  } catch (cause) {
    lock?.close();
    if (!isBusy(cause))
      throw new TidemarkError('STORAGE_FAILED', `cannot lock ${paths.lock}: ${messageOf(cause)}`, {
        cause,
      });
    throw new TidemarkError(
      'LOCK_HELD',
      `${ownerOf(paths.db)} holds ${paths.lock}; stop it, or give this one its own --data`,
      { cause },
    );
  }
}

function isBusy(cause: unknown): boolean {
  return cause instanceof SqliteError && cause.code.startsWith('SQLITE_BUSY');
}

/** Who started last on this state, for the message to the one that comes second. */
function ownerOf(path: string): string {
  try {
    const db = openReadOnly(path);
    try {
      const owner = db
        .prepare<[], { pid: number; startedMs: number }>(
          'select pid, started_ms as startedMs from boot order by rowid desc limit 1',
        )
        .get();
      return owner
        ? `another worker (pid ${owner.pid}, since ${isoOf(owner.startedMs)})`
        : 'another worker';
    } finally {
      db.close();
    }
  } catch {
    // The owner may be creating the state just now; the refusal itself needs no name.
    return 'another worker';
  }
}
