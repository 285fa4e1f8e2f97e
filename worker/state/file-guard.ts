/** Whether the worker's files are still the files at their paths: a deleted or replaced one takes writes without an error. */
import { statSync } from 'node:fs';
import { TidemarkError } from '../../contracts/errors.ts';
import type { StatePaths } from './paths.ts';

/** Device and inode of what lies at a path, or null when nothing does. */
type Identity = { dev: number; ino: number } | null;

function identityOf(path: string): Identity {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? { dev: found.dev, ino: found.ino } : null;
}

export class FileGuard {
  readonly #watched: { path: string; identity: Identity }[];

  constructor(paths: StatePaths) {
    this.#watched = [paths.db, paths.wal, paths.lock].map((path) => ({ path, identity: identityOf(path) }));
  }

  /** @throws TidemarkError STORAGE_FAILED naming the file that is gone or another */
  assertSame(): void {
    for (const { path, identity } of this.#watched) {
      const now = identityOf(path);
      if (now && identity && now.ino === identity.ino && now.dev === identity.dev) continue;
      throw new TidemarkError('STORAGE_FAILED', `${path} was ${now ? 'replaced' : 'removed'} under the running worker; it stops, restart it`);
    }
  }
}
