/** Opens the worker's SQLite files: the writer's lock, state.db with its pragmas and migrations, and read-only views of it. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { messageOf, TidemarkError } from '../contracts/errors.ts';
import { isoOf, newUuid, systemClock } from '../runtime/clock.ts';
import { migrations, schemaVersion } from './migrations.ts';

export type Connection = Database.Database;

/** Device and inode of what lies at a path, or null when nothing does. */
type Identity = { dev: number; ino: number } | null;

function identityOf(path: string): Identity {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? { dev: found.dev, ino: found.ino } : null;
}

/** Where things lie below a data directory. */
export function pathsOf(dataDir: string) {
  const stateDir = join(dataDir, 'state');
  return { lock: join(dataDir, 'writer.lock'), stateDir, db: join(stateDir, 'state.db'), wal: join(stateDir, 'state.db-wal') } as const;
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new TidemarkError('CONFIG_INVALID', `cannot make the data directory ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** An SQLite lock held for life: the operating system frees it when the process dies, however it dies. */
function takeLock(paths: ReturnType<typeof pathsOf>): Connection {
  const lock = new Database(paths.lock, { timeout: 0 });
  try {
    chmodSync(paths.lock, 0o600);
    lock.exec('begin exclusive');
    return lock;
  } catch (cause) {
    lock.close();
    if (!isBusy(cause)) throw new TidemarkError('STORAGE_FAILED', `cannot lock ${paths.lock}: ${messageOf(cause)}`, { cause });
    throw new TidemarkError('LOCK_HELD', `${ownerOf(paths.db)} holds ${paths.lock}; stop it, or give this one its own --data`, { cause });
  }
}

/** Who wrote its process id into the state last, for the message to the one that comes second. */
function ownerOf(path: string): string {
  try {
    const db = openReadOnly(path);
    const pid: unknown = db.prepare("select value from meta where name = 'owner_pid'").pluck().get();
    db.close();
    return `another worker (pid ${String(pid)})`;
  } catch {
    // The owner may be creating the state just now; the refusal itself needs no name.
    return 'another worker';
  }
}

function isBusy(cause: unknown): boolean {
  return cause instanceof Database.SqliteError && cause.code.startsWith('SQLITE_BUSY');
}

/** True for a full disk or a file at its limit: nothing was written, and room may come back. */
export function isCapacityError(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_FULL');
}

const pragmas = ['journal_mode = wal', 'synchronous = full', 'foreign_keys = on', 'trusted_schema = off', 'mmap_size = 0', 'cache_size = -32000',
  'wal_autocheckpoint = 2000', 'journal_size_limit = 67108864'] as const;

function applyPragmas(db: Connection): void {
  for (const pragma of pragmas) db.pragma(pragma);
  const mode: unknown = db.pragma('journal_mode', { simple: true });
  if (mode !== 'wal') throw new TidemarkError('STORAGE_FAILED', `state.db answers journal mode ${String(mode)} instead of wal; is it on a local disk?`);
}

/** better-sqlite3 falls back to NORMAL after the first write of a connection, so FULL is set behind one and read back behind another. */
function insistOnSync(db: Connection): void {
  const meta = db.prepare('insert into meta values (?, ?) on conflict (name) do update set value = excluded.value');
  meta.run('opened_at', isoOf(systemClock.nowMs()));
  db.pragma('synchronous = full');
  meta.run('owner_pid', String(process.pid));
  const level: unknown = db.pragma('synchronous', { simple: true });
  if (level !== 2) throw new TidemarkError('STORAGE_FAILED', `state.db answers synchronous=${String(level)} instead of 2 (FULL)`);
}

function migrate(db: Connection): void {
  const versionOf = () => Number(db.pragma('user_version', { simple: true }));
  if (versionOf() > schemaVersion) {
    throw new TidemarkError('NEWER_SCHEMA', `state.db has schema ${versionOf()}, this program knows ${schemaVersion}; use the newer program, or another --data`);
  }
  for (const step of migrations) {
    // Read again under the write lock: of several processes only one runs a step.
    db.transaction(() => {
      if (versionOf() >= step.version) return;
      db.exec(step.sql);
      db.exec('create table if not exists schema_history (version integer primary key, name text not null, sha256 text not null, applied_at text not null) strict');
      const sha256 = createHash('sha256').update(step.sql).digest('hex');
      db.prepare('insert into schema_history values (?, ?, ?, ?)').run(step.version, step.name, sha256, isoOf(systemClock.nowMs()));
      db.pragma(`user_version = ${step.version}`);
    }).immediate();
  }
}

/** Gives a new store its identity, and its first Seq: the wall clock in microseconds, above any earlier journal's. */
function found(db: Connection): void {
  db.transaction(() => {
    if (db.prepare("select 1 from meta where name = 'store'").get()) return;
    const meta = db.prepare('insert into meta values (?, ?)');
    meta.run('store', newUuid());
    meta.run('epoch', newUuid());
    const first = systemClock.nowMs() * 1000;
    db.prepare('insert into sqlite_sequence values (?, ?)').run('entry', first);
  }).immediate();
}

/** The worker's open state: one writing connection, its lock, and the check that its files are still the files at their paths. */
export class Store {
  readonly db: Connection;
  readonly dataDir: string;
  readonly storeId: string;
  readonly epoch: string;
  readonly #lock: Connection;
  readonly #watched: { path: string; identity: Identity }[];

  private constructor(db: Connection, lock: Connection, dataDir: string) {
    this.db = db;
    this.#lock = lock;
    this.dataDir = dataDir;
    this.storeId = this.meta('store') ?? '';
    this.epoch = this.meta('epoch') ?? '';
    const paths = pathsOf(dataDir);
    this.#watched = [paths.db, paths.wal, paths.lock].map((path) => ({ path, identity: identityOf(path) }));
  }

  /**
   * @throws TidemarkError LOCK_HELD when another worker has it, NEWER_SCHEMA, CONFIG_INVALID for a folder that cannot be made,
   * STORAGE_FAILED otherwise
   */
  static open(dataDir: string): Store {
    const paths = pathsOf(dataDir);
    makeFolder(paths.stateDir);
    const lock = takeLock(paths);
    try {
      const db = new Database(paths.db, { timeout: 5_000 });
      chmodSync(paths.db, 0o600);
      applyPragmas(db);
      migrate(db);
      found(db);
      insistOnSync(db);
      return new Store(db, lock, dataDir);
    } catch (cause) {
      lock.close();
      if (cause instanceof TidemarkError) throw cause;
      throw new TidemarkError('STORAGE_FAILED', `cannot open ${paths.db}: ${messageOf(cause)}`, { cause });
    }
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
    for (const { path, identity } of this.#watched) {
      const now = identityOf(path);
      if (now && identity && now.ino === identity.ino && now.dev === identity.dev) continue;
      throw new TidemarkError('STORAGE_FAILED', `${path} was ${now ? 'replaced' : 'removed'} under the running worker; it stops, restart it`);
    }
  }

  /** Bytes of the database and its write-ahead log. */
  bytes(): number {
    const { db, wal } = pathsOf(this.dataDir);
    return (statSync(db, { throwIfNoEntry: false })?.size ?? 0) + (statSync(wal, { throwIfNoEntry: false })?.size ?? 0);
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

/** A read-only view of an SQLite file. @throws TidemarkError NOT_THERE when there is none */
export function openReadOnly(path: string): Connection {
  if (!identityOf(path)) throw new TidemarkError('NOT_THERE', `there is no ${path}`);
  return new Database(path, { readonly: true, fileMustExist: true, timeout: 2_000 });
}
