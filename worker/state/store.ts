/**
 * The open state of a running worker: its one writing connection, its lock, its checkpoints, and
 * the check that its files are still the files at their paths.
 */
import { statSync } from 'node:fs';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Connection } from './connection.ts';
import { FileGuard, type IdentityView } from './guard/file-guard.ts';
import { storeIdentity, type StoreIdentity, writeIdentity } from './guard/identity-file.ts';
import type { StatePaths } from './paths.ts';
import { classOf, type FileFinding } from './guard/storage-error.ts';

/** True for a full disk or a file at its size limit: nothing was written, and it may work later. */
export function isCapacityError(error: unknown): boolean {
  return classOf(error) === 'capacity';
}

export class Store {
  readonly db: Connection;
  readonly paths: StatePaths;
  readonly storeId: string;
  readonly epoch: string;
  readonly #lock: Connection;
  readonly #guard: FileGuard;
  readonly #changes: () => number;
  /** `total_changes()` at the last checkpoint, and the bytes and commits since. */
  #changesFolded = 0;
  #bytesSince = 0;
  #commitsSince = 0;

  /** `openStore` makes it after a first write: only files that exist can be watched. */
  constructor(db: Connection, lock: Connection, paths: StatePaths) {
    this.db = db;
    this.#lock = lock;
    this.paths = paths;
    this.storeId = this.meta('store') ?? '';
    this.epoch = this.meta('epoch') ?? '';
    const changes = db.prepare<[], number>('select total_changes()').pluck();
    this.#changes = () => changes.get() ?? 0;
    // From here on only our own checkpoints change the database file.
    db.pragma('wal_autocheckpoint = 0');
    db.pragma('wal_checkpoint(passive)');
    this.#guard = new FileGuard(paths);
  }

  get dataDir(): string {
    return this.paths.dataDir;
  }

  meta(name: string): string | undefined {
    return this.db.prepare('select value from meta where name = ?').pluck().get(name) as
      | string
      | undefined;
  }

  setMeta(name: string, value: string): void {
    this.db
      .prepare(
        'insert into meta values (?, ?) on conflict (name) do update set value = excluded.value',
      )
      .run(name, value);
  }

  /**
   * SQLite writes to a deleted, replaced or overwritten file without an error, so this is called
   * after each commit and before the answers (I1).
   * @param how 'quick' looks at the folder instead of the log, because a look at the log makes each
   * commit slower
   * @throws TidemarkError STORAGE_FAILED naming the file and what happened to it
   */
  assertSameFiles(how: 'whole' | 'quick' = 'whole'): void {
    this.#guard.assertSame(how);
  }

  /** What is wrong with the files, or null. */
  lookAtFiles(): FileFinding | null {
    return this.#guard.look();
  }

  identity(): IdentityView {
    return this.#guard.view();
  }

  /** Call it after a commit of about `bytes`. Makes a checkpoint when the log has grown enough. */
  wrote(bytes: number): void {
    this.#bytesSince += bytes;
    this.#commitsSince += 1;
    if (
      this.#bytesSince >= limits.checkpointBytes ||
      this.#commitsSince >= limits.checkpointCommits ||
      this.#changes() - this.#changesFolded >= limits.checkpointRows
    )
      this.checkpoint();
  }

  /** Makes a checkpoint if anything changed since the last one. Returns whether anything had. */
  checkpointWhenQuiet(): boolean {
    if (this.#changes() === this.#changesFolded) return false;
    this.checkpoint();
    return true;
  }

  /**
   * Folds the log into the database, unless the file is no longer ours: that would destroy what
   * somebody put there.
   */
  checkpoint(mode: 'passive' | 'truncate' = 'passive'): void {
    if (this.#guard.look()) return;
    this.#changesFolded = this.#changes();
    this.#bytesSince = 0;
    this.#commitsSince = 0;
    try {
      this.db.pragma(`wal_checkpoint(${mode})`);
    } catch (error) {
      // Nothing is lost: the log keeps everything, and a later checkpoint folds it in.
      if (classOf(error) !== 'capacity' && classOf(error) !== 'transient') throw error;
    } finally {
      this.#guard.rebase();
    }
  }

  /**
   * The content of store.json as of now.
   * @throws TidemarkError STORAGE_FAILED when the files are no longer ours, because store.json
   * would describe another store
   */
  note(): StoreIdentity {
    this.assertSameFiles();
    return storeIdentity(this.db, this.paths, false);
  }

  /** Bytes of the database and its write-ahead log. */
  bytes(): number {
    return sizeOf(this.paths.db) + this.logBytes();
  }

  logBytes(): number {
    return sizeOf(this.paths.wal);
  }

  /**
   * Bytes of database and log without free pages: retention frees pages in the file, but does not
   * make it smaller.
   */
  bytesInUse(): number {
    const free =
      Number(this.db.pragma('freelist_count', { simple: true })) *
      Number(this.db.pragma('page_size', { simple: true }));
    return this.bytes() - free;
  }

  /**
   * Records the orderly stop, folds the log into the database and closes the files. Files that are
   * no longer ours are left as they are.
   */
  close(): void {
    if (!this.db.open) return;
    let last: StoreIdentity | null = null;
    try {
      if (this.#guard.look() === null) last = this.#foldIn();
    } finally {
      this.db.close();
      if (last) this.#leaveNote(last);
      this.#lock.close();
    }
  }

  /**
   * Null when there is no room: everything accepted is in the log, and the next start treats this
   * stop as a crash.
   */
  #foldIn(): StoreIdentity | null {
    try {
      this.db
        .prepare('update boot set stopped_ms = ? where rowid = (select max(rowid) from boot)')
        .run(systemClock.nowMs());
      this.checkpoint('truncate');
      return storeIdentity(this.db, this.paths, true);
    } catch (error) {
      if (isCapacityError(error)) return null;
      throw error;
    }
  }

  #leaveNote(last: StoreIdentity): void {
    try {
      writeIdentity(this.paths.identity, last);
    } catch {
      // Without store.json the next start treats this stop as a crash and checks more; nothing is
      // lost.
    }
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
