/**
 * A start whose files are taken away while it opens them: what its handle still reads is saved, as
 * a running worker would save it.
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

/** To be asked right after the opening: what lies there later may be another file. */
export function openedFiles(paths: StatePaths): OpenedFiles {
  return { db: identityOfFile(paths.db), wal: identityOfFile(paths.wal) };
}

/** A log that was not yet there when the database was opened is the one that came since. */
function isLost(paths: StatePaths, opened: OpenedFiles): boolean {
  return (
    !isSameFile(identityOfFile(paths.db), opened.db) ||
    (opened.wal !== null && !isSameFile(identityOfFile(paths.wal), opened.wal))
  );
}

/**
 * The guard takes what lies there as the files to watch, so they must still be those that were
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
 * For a start that failed: rescues when it failed because its files are not there any more.
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
