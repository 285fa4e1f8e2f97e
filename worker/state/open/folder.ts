/** Makes the folder of the state, and takes from others the right to read its files. */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import type { StatePaths } from '../paths.ts';

export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  } catch (cause) {
    // A folder that cannot be used now may be usable later. A path where no folder can be made is a
    // wrong setting.
    const isThere =
      statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory() === true &&
      (cause as NodeJS.ErrnoException).code !== 'ENOTDIR' &&
      (cause as NodeJS.ErrnoException).code !== 'EEXIST';
    if (isThere)
      throw new TidemarkError(
        'STORAGE_FAILED',
        `cannot use the data directory ${path}: ${messageOf(cause)}`,
        { cause },
      );
    throw new TidemarkError(
      'CONFIG_INVALID',
      `cannot make the data directory ${path}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/**
 * Call it before SQLite opens the files, because a new log gets the mode of its database.
 * @returns the files that others could read
 */
export function narrow(paths: StatePaths): string[] {
  return [paths.db, paths.wal, paths.shm].filter((path) => {
    const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o077) === 0) return false;
    chmodSync(path, mode & 0o700);
    return true;
  });
}
