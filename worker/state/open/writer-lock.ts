/**
 * Takes the writer's lock, so that a data directory has one writer. The operating system frees this
 * SQLite lock when the process ends, even by a crash.
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

/** Names the worker that started last on this state, for the message to a second one. */
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
    // The owner may be creating the state just now; the message works without its pid.
    return 'another worker';
  }
}
