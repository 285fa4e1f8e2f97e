/**
 * The worker's open state: one writing connection, its lock, its checkpoints, and the check that
 * its files are still the files at their paths.
 */
import { statSync } from 'node:fs';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Connection } from './connection.ts';
import { FileGuard, type IdentityView } from './guard/file-guard.ts';
import { storeIdentity, type StoreIdentity, writeIdentity } from './guard/identity-file.ts';
import type { StatePaths } from './paths.ts';
import { classOf, type FileFinding } from './guard/storage-error.ts';

/** True for a full disk or a file at its limit: nothing was written, and room may come back. */
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
  /** Rows changed, and bytes told of, when the log was last folded in. */
  #changesFolded = 0;
  #bytesSince = 0;
  #commitsSince = 0;

  /** Made by `openStore`, behind a first write: all files must be there to be watched. */
  constructor(db: Connection, lock: Connection, paths: StatePaths) {
    this.db = db;
    this.#lock = lock;
    this.paths = paths;
    this.storeId = this.meta('store') ?? '';
    this.epoch = this.meta('epoch') ?? '';
    const changes = db.prepare<[], number>('select total_changes()').pluck();
    this.#changes = () => changes.get() ?? 0;
    // From here on the database changes only when we say so.
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
   * A deleted, replaced or overwritten file takes writes without an error, so this is asked after
   * each commit and before the answers (I1).
   * @param how 'quick' takes the folder's word for the log, which is dear to look at after each
   * commit
   * @throws TidemarkError STORAGE_FAILED naming the file and what became of it
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

  /**
   * A commit of about so many bytes was made; the log is folded into the database when it has grown
   * enough.
   */
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

  /** Folds in whatever has come since, for a quiet moment. True when there was something. */
  checkpointWhenQuiet(): boolean {
    if (this.#changes() === this.#changesFolded) return false;
    this.checkpoint();
    return true;
  }

  /**
   * Never into a file that is not ours: that would destroy what somebody put there, and what it may
   * still be good for.
   */
  checkpoint(mode: 'passive' | 'truncate' = 'passive'): void {
    if (this.#guard.look()) return;
    this.#changesFolded = this.#changes();
    this.#bytesSince = 0;
    this.#commitsSince = 0;
    try {
      this.db.pragma(`wal_checkpoint(${mode})`);
    } catch (error) {
      // The log keeps everything; without room it stays as it is until there is some.
      if (classOf(error) !== 'capacity' && classOf(error) !== 'transient') throw error;
    } finally {
      this.#guard.rebase();
    }
  }

  /**
   * What store.json is to say.
   * @throws TidemarkError STORAGE_FAILED: who lost the files must not speak for them
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
   * The same without pages that are free to be written again: retention makes room in the file, it
   * does not make it smaller.
   */
  bytesInUse(): number {
    const free =
      Number(this.db.pragma('freelist_count', { simple: true })) *
      Number(this.db.pragma('page_size', { simple: true }));
    return this.bytes() - free;
  }

  /**
   * Notes the orderly stop, folds the log into the database and lets go of the files. Files that
   * are not ours are left as they are.
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
   * Null without the room for it: everything accepted is in the log, and the next start takes this
   * stop for a crash.
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
      // Without it the next start takes this stop for a crash, and looks closer; nothing is lost by
      // that.
    }
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
