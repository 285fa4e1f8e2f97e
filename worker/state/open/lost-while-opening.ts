/**
 * Handles files that are removed or replaced while a start opens them: saves what the handle still
 * reads, as a running worker would.
 */
import { TidemarkError } from '../../../contracts/errors.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { Connection } from '../connection.ts';
import { type FileIdentity, identityOfFile, isSameFile } from '../guard/identity-file.ts';
import type { StatePaths } from '../paths.ts';
import { rescue } from '../recover/rescue.ts';
import type { FileFinding } from '../guard/storage-error.ts';

/** The files a connection was opened on. */
export type OpenedFiles = { db: FileIdentity; wal: FileIdentity };

/** Call it right after opening; later there may be other files at the paths. */
export function openedFiles(paths: StatePaths): OpenedFiles {
  return { db: identityOfFile(paths.db), wal: identityOfFile(paths.wal) };
}

/** A log that did not exist when the database was opened is not compared: it was made since. */
function isLost(paths: StatePaths, opened: OpenedFiles): boolean {
  return (
    !isSameFile(identityOfFile(paths.db), opened.db) ||
    (opened.wal !== null && !isSameFile(identityOfFile(paths.wal), opened.wal))
  );
}

/**
 * The guard watches the files it finds at the paths, so they must still be the ones that were
 * opened.
 * @throws TidemarkError STORAGE_FAILED
 */
export function assertStillThere(paths: StatePaths, opened: OpenedFiles): void {
  if (!isLost(paths, opened)) return;
  const cause: FileFinding = {
    verdict: identityOfFile(paths.db) === null ? 'gone' : 'replaced',
    path: paths.db,
  };
  throw new TidemarkError(
    'STORAGE_FAILED',
    `${paths.db} or its log was removed or replaced while it was opened; what it held is saved, trying again`,
    { cause },
  );
}

/**
 * For a start that failed: makes a rescue if its files are gone or were replaced.
 * @throws TidemarkError STORAGE_FAILED naming what is lost when nothing can be saved
 */
export function saveLostStore(db: Connection, paths: StatePaths, opened: OpenedFiles): void {
  if (!db.open || !isLost(paths, opened)) return;
  const meta = (name: string) =>
    db.prepare<[string], string>('select value from meta where name = ?').pluck().get(name);
  const known = (name: string): string => {
    try {
      return meta(name) ?? '';
    } catch {
      return '';
    }
  };
  rescue(
    { db, paths, meta, storeId: known('store'), epoch: known('epoch') },
    { class: 'gone', what: `${paths.db} was removed or replaced while it was opened` },
    systemClock.nowMs(),
  );
}
