/**
 * SQLite as the hub's own Node has it: better-sqlite3 where its binary loads, else the one built
 * into Node from 22 on.
 */
import Database from 'better-sqlite3';
import type * as NodeSqlite from 'node:sqlite';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';

export type SqliteRow = Record<string, string | number | null>;
export type SqliteStatement = {
  run(...values: (string | number | null)[]): unknown;
  all(...values: (string | number | null)[]): unknown[];
  get(...values: (string | number | null)[]): unknown;
};
/** What both have in common, as far as it is used. */
export type Sqlite = {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
};

export type SqliteDriver = { name: string; open(path: string, isReadOnly?: boolean): Sqlite };

/**
 * The driver of this process.
 * @throws TidemarkError NOT_THERE where there is none, with what was tried
 */
export function sqliteDriver(): SqliteDriver {
  const tried: string[] = [];
  for (const driver of [betterSqlite3, nodeSqlite]) {
    try {
      driver.open(':memory:').close();
      return driver;
    } catch (error) {
      tried.push(`${driver.name}: ${messageOf(error).split('\n')[0]}`);
    }
  }
  throw new TidemarkError(
    'NOT_THERE',
    `no SQLite in Node ${process.versions.node} (${tried.join('; ')})`,
  );
}

/** Its binary ends an older Node at once, which nothing could catch. */
const betterSqlite3NodeMin = 22;

const betterSqlite3: SqliteDriver = {
  name: 'better-sqlite3',
  open: (path, isReadOnly = false) => {
    if (Number.parseInt(process.versions.node, 10) < betterSqlite3NodeMin)
      throw new Error(`needs Node ${betterSqlite3NodeMin}`);
    // Nothing may wait in here: it would hold up the hub.
    return new Database(path, { timeout: 0, readonly: isReadOnly });
  },
};

const nodeSqlite: SqliteDriver = {
  name: 'node:sqlite',
  open: (path, isReadOnly = false) => {
    const builtin = process.getBuiltinModule('node:sqlite') as typeof NodeSqlite | undefined;
    if (!builtin) throw new Error('not in this version');
    return new builtin.DatabaseSync(path, { readOnly: isReadOnly });
  },
};

/** Another process, or another bridge of this one, has the file. */
export function isLocked(error: unknown): boolean {
  return /\b(?:database|file) is locked\b/i.test(messageOf(error));
}

/** The bound of the file is met, or the disk is full. */
export function isFull(error: unknown): boolean {
  return /\b(?:database or disk is full)\b/i.test(messageOf(error));
}

/** What is in the file is no SQLite, or not any more. */
export function isDamaged(error: unknown): boolean {
  return /malformed|not a database|disk image/i.test(messageOf(error));
}
