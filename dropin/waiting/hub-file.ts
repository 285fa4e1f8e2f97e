/**
 * The file in which a hub's writes wait until they are answered: small SQLite beside the hub's own
 * data, one for both bridges, held by one process.
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import type { StampedWrite } from '../../contracts/client.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import {
  isDamaged,
  isFull,
  isLocked,
  type Sqlite,
  type SqliteDriver,
  sqliteDriver,
  type SqliteStatement,
} from './sqlite.ts';

/** A write that waits, as the file has it; ids rise in the order of the calls. */
export type Waiting = { id: number; key: string; action: StampedWrite['action']; text: string };

const format = 1;
const pageBytes = 4_096;

const tables: Record<Lane, string> = { queue: 'QueueWrite', manifest: 'ManifestWrite' };

export class HubFile {
  /** Files of this process by path, with the lanes that are taken. */
  static readonly #opened = new Map<string, HubFile>();
  readonly path: string;
  readonly driver: string;
  readonly bytesMax: number;
  readonly #db: Sqlite;
  readonly #taken = new Set<Lane>();

  private constructor(path: string, bytesMax: number, driver: SqliteDriver) {
    this.path = path;
    this.bytesMax = bytesMax;
    this.driver = driver.name;
    mkdirSync(dirname(path), { recursive: true });
    this.#db = driver.open(path);
    try {
      this.#prepare();
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /**
   * One lane of the file at a path, which is made where there is none.
   * @throws TidemarkError LOCK_HELD while another process, or another bridge of the lane, has it;
   * NOT_THERE without SQLite; NEWER_SCHEMA; else what the disk or SQLite says. A damaged file is put
   * aside first.
   */
  static lane(
    lane: Lane,
    path: string,
    bytesMax: number,
    onDamaged: (aside: string) => void,
  ): LaneFile {
    const file = HubFile.#opened.get(path) ?? HubFile.#open(path, bytesMax, onDamaged);
    HubFile.#opened.set(path, file);
    if (file.#taken.has(lane))
      throw new TidemarkError('LOCK_HELD', `another ${lane} bridge of this process has ${path}`);
    file.#taken.add(lane);
    return new LaneFile(file.#db, tables[lane], file, () => file.#leave(lane));
  }

  static #open(path: string, bytesMax: number, onDamaged: (aside: string) => void): HubFile {
    const driver = sqliteDriver();
    try {
      return new HubFile(path, bytesMax, driver);
    } catch (error) {
      if (isLocked(error))
        throw new TidemarkError('LOCK_HELD', `another process has ${path}`, { cause: error });
      if (!isDamaged(error)) throw error;
      onDamaged(putAside(path));
      return new HubFile(path, bytesMax, driver);
    }
  }

  /** Bytes of the file that are in use. */
  get bytes(): number {
    return (this.#pragma('page_count') - this.#pragma('freelist_count')) * pageBytes;
  }

  /** Gives pages that are not used any more back to the disk, a few at a time. */
  shrink(): void {
    if (this.#pragma('freelist_count') >= limits.dropinFreePagesMax)
      this.#db.exec(`PRAGMA incremental_vacuum(${limits.dropinFreePagesMax})`);
  }

  #prepare(): void {
    // The lock of the first statement is kept until the process ends, however it ends. NORMAL keeps
    // what a dying process wrote; a power cut may take the writes since the last checkpoint.
    this.#db.exec(
      `PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = ${pageBytes}; ` +
        'PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ' +
        `PRAGMA wal_autocheckpoint = ${limits.dropinCheckpointPages}; ` +
        `PRAGMA journal_size_limit = ${limits.dropinCheckpointPages * pageBytes}; ` +
        `PRAGMA max_page_count = ${Math.max(64, Math.floor(this.bytesMax / pageBytes))}`,
    );
    this.#db.exec('BEGIN IMMEDIATE');
    const found = this.#pragma('user_version');
    if (found > format)
      throw new TidemarkError(
        'NEWER_SCHEMA',
        `${this.path} has format ${found}, this version of tidemark reads ${format}`,
      );
    for (const table of Object.values(tables))
      this.#db.exec(
        `CREATE TABLE IF NOT EXISTS ${table} (Id INTEGER PRIMARY KEY, Key TEXT NOT NULL, ` +
          'Action TEXT NOT NULL, Envelope TEXT NOT NULL)',
      );
    this.#db.exec(`PRAGMA user_version = ${format}; COMMIT`);
  }

  #pragma(name: string): number {
    return Number(Object.values(this.#db.prepare(`PRAGMA ${name}`).get() as object)[0]);
  }

  #leave(lane: Lane): void {
    this.#taken.delete(lane);
    if (this.#taken.size > 0) return;
    HubFile.#opened.delete(this.path);
    this.#db.close();
  }
}

/** What waits of one lane. */
export class LaneFile {
  readonly file: HubFile;
  readonly #db: Sqlite;
  readonly #table: string;
  readonly #leave: () => void;
  readonly #insert: SqliteStatement;
  readonly #delete: SqliteStatement;
  readonly #behind: SqliteStatement;
  #lastId: number;

  constructor(db: Sqlite, table: string, file: HubFile, leave: () => void) {
    this.#db = db;
    this.#table = table;
    this.file = file;
    this.#leave = leave;
    this.#insert = db.prepare(`INSERT INTO ${table} VALUES (?, ?, ?, ?)`);
    this.#delete = db.prepare(`DELETE FROM ${table} WHERE Id IN (SELECT value FROM json_each(?))`);
    this.#behind = db.prepare(
      `SELECT Id AS id, Key AS key, Action AS action, Envelope AS text FROM ${table} ` +
        'WHERE Id > ? ORDER BY Id LIMIT ?',
    );
    this.#lastId = this.#count('max(Id)');
  }

  /** Writes in the file. */
  get count(): number {
    return this.#count('count(*)');
  }

  /**
   * Puts a write in; it is there when this returns.
   * @returns its id
   * @throws TidemarkError OVERLOADED when the file is full; else what SQLite says
   */
  add({ key, action, text }: Omit<Waiting, 'id'>): number {
    try {
      this.#insert.run(this.#lastId + 1, key, action, text);
    } catch (cause) {
      if (!isFull(cause)) throw cause;
      throw new TidemarkError(
        'OVERLOADED',
        `${this.file.path} is full (${this.file.bytesMax} bytes at most), or its disk is`,
        { cause },
      );
    }
    this.#lastId += 1;
    return this.#lastId;
  }

  /** The next writes behind an id. */
  behind(id: number, rowsMax: number): Waiting[] {
    return this.#behind.all(id, rowsMax) as Waiting[];
  }

  /** The first writes of a key. */
  ofKey(key: string, rowsMax: number): Waiting[] {
    return this.#db
      .prepare(
        `SELECT Id AS id, Key AS key, Action AS action, Envelope AS text FROM ${this.#table} ` +
          'WHERE Key = ? ORDER BY Id LIMIT ?',
      )
      .all(key, rowsMax) as Waiting[];
  }

  remove(ids: readonly number[]): void {
    this.#delete.run(JSON.stringify(ids));
  }

  /** Only a long backlog is worth an index by key: it would cost every other write a page. */
  index(isWanted: boolean): void {
    this.#db.exec(
      isWanted
        ? `CREATE INDEX IF NOT EXISTS ${this.#table}Key ON ${this.#table} (Key)`
        : `DROP INDEX IF EXISTS ${this.#table}Key`,
    );
  }

  close(): void {
    this.#leave();
  }

  #count(what: string): number {
    const row = this.#db.prepare(`SELECT ${what} AS n FROM ${this.#table}`).get();
    return (row as { n: number | null }).n ?? 0;
  }
}

function putAside(path: string): string {
  let aside = `${path}.damaged`;
  for (let n = 2; existsSync(aside); n++) aside = `${path}.damaged-${n}`;
  for (const end of ['', '-wal']) if (existsSync(path + end)) renameSync(path + end, aside + end);
  return aside;
}
