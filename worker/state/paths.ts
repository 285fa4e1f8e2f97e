/** The paths of all files and folders below a worker's data directory. */
import { join } from 'node:path';

export type StatePaths = ReturnType<typeof pathsOf>;

export function pathsOf(dataDir: string) {
  const stateDir = join(dataDir, 'state');
  return {
    dataDir,
    /**
     * The writer's lock, held as long as the process lives. It lies outside `stateDir`, so that it
     * is still there when that folder is lost.
     */
    lock: join(dataDir, 'writer.lock'),
    stateDir,
    db: join(stateDir, 'state.db'),
    wal: join(stateDir, 'state.db-wal'),
    shm: join(stateDir, 'state.db-shm'),
    /**
     * What was saved from files that were lost under a running worker, one folder for each rescue.
     */
    rescueDir: join(dataDir, 'rescue'),
    /**
     * Files moved out of the way because they are damaged, foreign or stale. A worker never writes
     * to them again; it merges those that belong to its store.
     */
    asideDir: join(dataDir, 'aside'),
    /**
     * Names the store in this directory, so that a start notices when it is gone or was exchanged.
     */
    identity: join(dataDir, 'store.json'),
    /** The marks for people. The file names the store too. */
    marks: join(dataDir, 'persistence-bridge-hwm.json'),
    /** Room that is kept back, so that delivery goes on when the disk is full. */
    reserve: join(dataDir, 'reserve'),
  } as const;
}
