/** The worker's open state: one writing connection, its lock, and the check that its files are still the files at their paths. */
import { statSync } from 'node:fs';
import { type Connection, SqliteError } from './connection.ts';
import { FileGuard } from './file-guard.ts';
import type { StatePaths } from './paths.ts';

/** True for a full disk or a file at its limit: nothing was written, and room may come back. */
export function isCapacityError(error: unknown): boolean {
  return error instanceof SqliteError && error.code.startsWith('SQLITE_FULL');
}

export class Store {
  readonly db: Connection;
  readonly paths: StatePaths;
  readonly storeId: string;
  readonly epoch: string;
  readonly #lock: Connection;
  readonly #guard: FileGuard;

  /** Made by `openStore`. */
  constructor(db: Connection, lock: Connection, paths: StatePaths) {
    this.db = db;
    this.#lock = lock;
    this.paths = paths;
    this.storeId = this.meta('store') ?? '';
    this.epoch = this.meta('epoch') ?? '';
    this.#guard = new FileGuard(paths);
  }

  get dataDir(): string {
    return this.paths.dataDir;
  }

  meta(name: string): string | undefined {
    return this.db.prepare('select value from meta where name = ?').pluck().get(name) as string | undefined;
  }

  setMeta(name: string, value: string): void {
    this.db.prepare('insert into meta values (?, ?) on conflict (name) do update set value = excluded.value').run(name, value);
  }

  /**
   * A deleted or replaced file takes writes without an error, so this is asked after each commit and before the answers (I1).
   * @throws TidemarkError STORAGE_FAILED naming the file that is gone or another
   */
  assertSameFiles(): void {
    this.#guard.assertSame();
  }

  /** Bytes of the database and its write-ahead log. */
  bytes(): number {
    const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return size(this.paths.db) + size(this.paths.wal);
  }

  /** The same without pages that are free to be written again: retention makes room in the file, it does not make it smaller. */
  bytesInUse(): number {
    const free = Number(this.db.pragma('freelist_count', { simple: true })) * Number(this.db.pragma('page_size', { simple: true }));
    return this.bytes() - free;
  }

  /** Folds the log into the database and lets go of the files. */
  close(): void {
    if (!this.db.open) return;
    this.db.pragma('wal_checkpoint(truncate)');
    this.db.close();
    this.#lock.close();
  }
}
