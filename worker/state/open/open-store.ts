/**
 * Opens a worker's local state, in this order: folder, lock, database, schema, identity, and only
 * then the store.
 */
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import { insistOnSync } from './begin.ts';
import type { Connection } from '../connection.ts';
import type { Finding } from '../guard/finding.ts';
import { assertDurable, doubtOf } from './file-system.ts';
import { makeFolder, narrow } from './folder.ts';
import { storeIdentity, writeIdentity } from '../guard/identity-file.ts';
import { openRecovered } from './open-recovered.ts';
import { pathsOf, type StatePaths } from '../paths.ts';
import { assertStillThere, type OpenedFiles, saveLostStore } from './lost-while-opening.ts';
import { Store } from '../store.ts';
import { takeWriterLock } from './writer-lock.ts';

/**
 * Opens the state of a data directory, after merging what earlier workers rescued. A lost or
 * damaged store is never replaced silently: `report` gets every finding. Findings of recovery and
 * merge are also in table fault.
 * @throws TidemarkError LOCK_HELD when another worker holds the lock, NEWER_SCHEMA, CONFIG_INVALID
 * for a folder that cannot be made, STORAGE_FAILED otherwise
 */
export function openStore(
  dataDir: string,
  report: (finding: Finding) => void = () => undefined,
  options: { isAnyFileSystem?: boolean } = {},
): Store {
  const paths = pathsOf(dataDir);
  assertDurable(dataDir, options.isAnyFileSystem === true);
  makeFolder(paths.stateDir);
  const lock = takeWriterLock(paths);
  try {
    const narrowed = narrow(paths);
    const { db, files, findings } = openRecovered(paths);
    const store = arm(db, lock, paths, files);
    const doubt = doubtOf(dataDir);
    if (doubt) report({ Class: 'file-system', What: doubt, Detail: {} });
    if (narrowed.length > 0)
      report({
        Class: 'modes',
        What: `others could read ${narrowed.join(', ')}; now only its owner can`,
        Detail: {},
      });
    findings.forEach(report);
    return store;
  } catch (cause) {
    lock.close();
    if (cause instanceof TidemarkError) throw cause;
    throw new TidemarkError('STORAGE_FAILED', `cannot open ${paths.db}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** Makes the store of an open database, whose files are watched from then on. */
function arm(db: Connection, lock: Connection, paths: StatePaths, files: OpenedFiles): Store {
  try {
    insistOnSync(db);
    writeIdentity(paths.identity, storeIdentity(db, paths, false));
    const store = new Store(db, lock, paths);
    assertStillThere(paths, files);
    return store;
  } catch (error) {
    try {
      saveLostStore(db, paths, files);
    } finally {
      db.close();
    }
    throw error;
  }
}
