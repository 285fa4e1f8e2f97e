/** Where things lie below a worker's data directory. */
import { join } from 'node:path';

export type StatePaths = ReturnType<typeof pathsOf>;

export function pathsOf(dataDir: string) {
  const stateDir = join(dataDir, 'state');
  return {
    dataDir,
    /**
     * SQLite lock, held for the life of the process; outside `stateDir`, so that a lost state
     * leaves it.
     */
    lock: join(dataDir, 'writer.lock'),
    stateDir,
    db: join(stateDir, 'state.db'),
    wal: join(stateDir, 'state.db-wal'),
    shm: join(stateDir, 'state.db-shm'),
    /** Copies saved from files that went away under a worker, one folder each. */
    rescueDir: join(dataDir, 'rescue'),
    /**
     * Files set aside because they are damaged, foreign or stale; never opened again by a worker.
     */
    asideDir: join(dataDir, 'aside'),
    /** Which store this directory holds, for the start that finds it gone or exchanged. */
    identity: join(dataDir, 'store.json'),
    /** The marks for people, which name the store as well. */
    marks: join(dataDir, 'persistence-bridge-hwm.json'),
    /** Room kept for delivering while the disk is full. */
    reserve: join(dataDir, 'reserve'),
  } as const;
}
