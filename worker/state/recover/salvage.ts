/**
 * Opens a source for a merge: a rescue, a file set aside, or any state.db, sound or damaged.
 * Changes nothing in it.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from '../../../contracts/body/json-value.ts';
import { limits } from '../../../contracts/limits.ts';
import { carve } from './carve.ts';
import { type Connection, openReadOnly } from '../connection.ts';
import { allEntries, entryOfLine, type StoredEntry } from './entry-lines.ts';
import { readLines } from './line-reader.ts';
import type { MergeSource } from './merge.ts';
import { numberOf, sourceRows, type SourceRow, type SourceTables, textOf } from './merge-tables.ts';

/**
 * How the entries are read: by SQL from a sound file, from the raw pages of a damaged one, or from
 * JSON lines.
 */
export type SourceKind = 'sound' | 'pages' | 'lines';

/** `unread` names the tables that were not read to their end. */
export type OpenedSource = MergeSource & {
  kind: SourceKind;
  unread: readonly string[];
  store: string | null;
  epoch: string | null;
  hub: string | null;
  close: () => void;
};

const tableNames = [
  'meta',
  'boot',
  'fault',
  'refused',
  'assignment',
  'horizon',
  'tag_choice',
  'database',
  'mark',
  'held',
  'delivery',
  'owner',
  'superseded',
  'operation',
  'operation_attempt',
  'operation_progress',
  'legacy_import',
  'legacy_reject',
  'legacy_mark',
] as const;

/** Opens a folder of rescue/ or aside/; null when nothing in it can hold an entry. */
export function openFolder(folder: string): OpenedSource | null {
  const [db, wal, lines] = [
    join(folder, 'state.db'),
    join(folder, 'state.db-wal'),
    join(folder, 'entries.jsonl'),
  ];
  const hasDb = isFile(db);
  if (hasDb || isFile(wal)) return openDatabase(hasDb ? db : null, isFile(wal) ? wal : null);
  return existsSync(lines) ? openLines(lines, join(folder, 'tables.json')) : null;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** Opens a database that nobody writes to. @param db null when only its log is left */
export function openDatabase(db: string | null, wal: string | null): OpenedSource {
  const connection = db === null ? null : tryOpen(db);
  if (connection && isSound(connection, db ?? '')) {
    const tables = tablesOf(connection, []);
    return {
      ...facts(tables),
      kind: 'sound',
      isDoubtful: false,
      tables,
      unread: [],
      entries: { [Symbol.iterator]: () => allEntries(connection) },
      close: () => connection.close(),
    };
  }
  const unread: string[] = connection ? [] : [...tableNames];
  const tables = connection ? tablesOf(connection, unread) : {};
  connection?.close();
  return {
    ...facts(tables),
    kind: 'pages',
    isDoubtful: true,
    tables,
    unread,
    entries: { [Symbol.iterator]: () => distinct(named(carve(db, wal), tables)) },
    close: () => undefined,
  };
}

function tryOpen(path: string): Connection | null {
  try {
    return openReadOnly(path);
  } catch {
    // Then its pages are read without SQLite.
    return null;
  }
}

/** Whether SQLite finds nothing wrong with a file. A large file gets only the quick check. */
export function isSound(db: Connection, path: string): boolean {
  try {
    const check =
      (statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= limits.checkedBytesMax
        ? 'integrity_check'
        : 'quick_check';
    if (db.pragma(`${check}(1)`, { simple: true }) !== 'ok') return false;
    return (
      db
        .prepare("select count(*) from sqlite_schema where name in ('entry', 'lane', 'meta')")
        .pluck()
        .get() === 3
    );
  } catch {
    return false;
  }
}

/** With their owners, as far as the table of owners could be read. */
function* named(entries: Iterable<StoredEntry>, tables: SourceTables): Generator<StoredEntry> {
  const owners = new Map(sourceRows(tables, 'owner').map((row) => [numberOf(row, 'id'), row]));
  for (const { ownerId, ...entry } of entries) {
    const row = ownerId === undefined ? undefined : owners.get(ownerId);
    if (!row) yield entry;
    else {
      const term = typeof row['term'] === 'number' ? row['term'] : null;
      yield { ...entry, owner: textOf(row, 'owner'), term };
    }
  }
}

/**
 * Old states of pages hold the same row again and again: leaves out rows whose content was seen
 * already.
 */
function* distinct(entries: Iterable<StoredEntry>): Generator<StoredEntry> {
  const seen = new Set<string>();
  for (const entry of entries) {
    const mark = createHash('md5')
      .update(entry.guid)
      .update(entry.body ?? entry.digest ?? '')
      .digest('base64');
    if (seen.has(mark)) continue;
    seen.add(mark);
    yield entry;
  }
}

/** Adds the names of tables that were not read to their end to `unread`. */
function tablesOf(db: Connection, unread: string[]): SourceTables {
  return Object.fromEntries(tableNames.map((name) => [name, rowsUpToDamage(db, name, unread)]));
}

function rowsUpToDamage(db: Connection, table: string, unread: string[]): SourceRow[] {
  const rows: SourceRow[] = [];
  try {
    for (const row of db.prepare<[], SourceRow>(`select * from ${table}`).iterate()) rows.push(row);
  } catch {
    // The file has no such table, or a page is damaged. The rows read before that are kept.
    unread.push(table);
  }
  return rows;
}

function facts(tables: SourceTables): {
  store: string | null;
  epoch: string | null;
  hub: string | null;
} {
  const meta = (name: string) => {
    const row = sourceRows(tables, 'meta').find((one) => one['name'] === name);
    return row ? textOf(row, 'value') : null;
  };
  return { store: meta('store'), epoch: meta('epoch'), hub: meta('hub') };
}

function openLines(linesPath: string, tablesPath: string): OpenedSource {
  const tables = readTables(tablesPath);
  const entries = {
    *[Symbol.iterator]() {
      for (const { text } of readLines(linesPath)) yield* entryIn(text);
    },
  };
  return {
    ...facts(tables),
    kind: 'lines',
    isDoubtful: true,
    tables,
    unread: existsSync(tablesPath) ? [] : tableNames,
    entries,
    close: () => undefined,
  };
}

/** Yields no entry for a line that is not one, as when a crash cut it short. */
function* entryIn(text: string): Generator<StoredEntry> {
  try {
    yield entryOfLine(JSON.parse(text) as unknown);
  } catch {
    // The hole that it leaves in the Seqs is reported as a loss.
  }
}

function readTables(path: string): SourceTables {
  try {
    const file = tablesIn(path);
    return Object.fromEntries(tableNames.map((name) => [name, listOf(file[name]).map(cellsOf)]));
  } catch {
    return {};
  }
}

/**
 * Reads a file with a row on each line, because the whole may be longer than a JavaScript string
 * can be.
 */
function tablesIn(path: string): JsonObject {
  const tables: Record<string, JsonValue[]> = {};
  let rows: JsonValue[] = [];
  for (const { number, text } of readLines(path)) {
    if (number === 1 && text !== '{') return wholeOf(path);
    const [, name] = /^"(\w+)":\[$/.exec(text) ?? [];
    if (name !== undefined) rows = tables[name] = [];
    else if (text.startsWith('{') && number > 1)
      rows.push(JSON.parse(text.endsWith(',') ? text.slice(0, -1) : text) as JsonValue);
  }
  return tables;
}

/** Reads a file as earlier versions wrote it: without a line for each row. */
function wholeOf(path: string): JsonObject {
  const file = JSON.parse(readFileSync(path, 'utf8')) as JsonValue;
  return isJsonObject(file) ? file : {};
}

function listOf(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** Turns `{ "hex": ... }` back into bytes. */
function cellsOf(row: JsonObject): SourceRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      isJsonObject(value) && typeof value['hex'] === 'string'
        ? Buffer.from(value['hex'], 'hex')
        : value,
    ]),
  );
}
