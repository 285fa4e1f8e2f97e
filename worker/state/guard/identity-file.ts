/**
 * Reads and writes store.json: which store a data directory holds and how far it was. It lets a
 * start notice that the store is gone, older or another one.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from '../../../contracts/body/json-value.ts';
import { limits } from '../../../contracts/limits.ts';
import { type EntryCounts, pendingOf } from '../../../hwm/balance.ts';
import { blockedCount } from '../../../hwm/blocked-store.ts';
import type { BlockedState } from '../../../hwm/held-body.ts';
import { assignedMark, type MarkRow } from '../../../hwm/mark-row.ts';
import { isoOf, systemClock } from '../../../runtime/clock.ts';
import type { Connection } from '../connection.ts';
import type { StatePaths } from '../paths.ts';

export type FileIdentity = { Dev: number; Ino: number } | null;
export type PerLane = { Queue: number; Manifest: number };

/**
 * The content of store.json. `Accepted` counts a lane's entries, so that a loss can be reported as
 * a number of writes and not only as Seqs. `Starts` are the first Seqs of the last starts: without
 * them nobody knows whether a hole in the Seqs is a loss.
 */
export type StoreIdentity = {
  Version: 1;
  Store: string;
  Epoch: string;
  Hub: string;
  IsClean: boolean;
  Head: PerLane;
  Accepted: PerLane;
  Mark: PerLane;
  Pending: PerLane;
  Starts: number[];
  Db: FileIdentity;
  Wal: FileIdentity;
  WrittenAt: string;
};

/**
 * What a start knows of the store that was here. What only store.json knows is null or empty when
 * that file is gone and the marks file is read instead.
 */
export type Remembered = {
  Store: string;
  Epoch: string | null;
  Hub: string | null;
  IsClean: boolean;
  Head: PerLane | null;
  Accepted: PerLane | null;
  Mark: PerLane;
  Pending: PerLane;
  Starts: number[];
  Db: FileIdentity;
  Wal: FileIdentity;
  WrittenAt: string;
};

const zero: PerLane = { Queue: 0, Manifest: 0 };

export function identityOfFile(path: string): FileIdentity {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? { Dev: found.dev, Ino: found.ino } : null;
}

export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a !== null && b !== null && a.Dev === b.Dev && a.Ino === b.Ino;
}

/** The content of store.json as of now. */
export function storeIdentity(db: Connection, paths: StatePaths, isClean: boolean): StoreIdentity {
  const meta = (name: string) =>
    (db.prepare('select value from meta where name = ?').pluck().get(name) as string | undefined) ??
    '';
  const [queue, manifest] = [laneFacts(db, 0), laneFacts(db, 1)];
  const both = (name: keyof typeof queue): PerLane => ({
    Queue: queue[name],
    Manifest: manifest[name],
  });
  return {
    Version: 1,
    Store: meta('store'),
    Epoch: meta('epoch'),
    Hub: meta('hub'),
    IsClean: isClean,
    Head: both('head'),
    Accepted: both('accepted'),
    Mark: both('mark'),
    Pending: both('pending'),
    Starts: db
      .prepare<[number], number>('select first_seq from boot order by first_seq desc limit ?')
      .pluck()
      .all(limits.startsRemembered),
    Db: identityOfFile(paths.db),
    Wal: isClean ? null : identityOfFile(paths.wal),
    WrittenAt: isoOf(systemClock.nowMs()),
  };
}

/** A lane's counts, with the mark of its assigned database. */
function laneFacts(
  db: Connection,
  lane: number,
): { head: number; accepted: number; mark: number; pending: number } {
  const counts = db
    .prepare('select accepted, head, bare as stripped from lane where lane = ?')
    .get(lane) as EntryCounts & { head: number };
  const mark = db.prepare<[number], MarkRow>(assignedMark()).get(lane) ?? null;
  const count = db.prepare<[object], number>(blockedCount).pluck();
  const countOf = (state: BlockedState) =>
    mark ? Number(count.get({ database: mark.database, lane, state })) : 0;
  return {
    head: counts.head,
    accepted: counts.accepted,
    mark: mark?.seq ?? 0,
    pending: pendingOf(counts, mark, countOf('dead') + countOf('dropped') + goneOf(db, lane, mark)),
  };
}

/** Dropped dead letters whose rows in table held are already gone. */
function goneOf(db: Connection, lane: number, mark: MarkRow | null): number {
  if (!mark) return 0;
  return Number(
    db
      .prepare<[number, number]>('select dropped from mark where database = ? and lane = ?')
      .pluck()
      .get(mark.database, lane),
  );
}

/**
 * Writes a new file, syncs it, renames it over the old one and syncs the folder: a crash leaves the
 * old file or the new one.
 * @throws what the file system throws
 */
export function writeIdentity(path: string, identity: StoreIdentity): void {
  const beside = `${path}.start`;
  writeFileSync(beside, `${JSON.stringify(identity, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(beside, path);
  syncFolder(dirname(path));
}

/** Syncs a folder, so that renames in it survive a crash. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function readJson(path: string): JsonObject | null {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as JsonValue;
    return isJsonObject(value) ? value : null;
  } catch {
    // A missing and an unreadable file mean the same: nothing is remembered.
    return null;
  }
}

/** Reads store.json, or else the marks file for people; null when neither names a store. */
export function readRemembered(paths: StatePaths): Remembered | null {
  const file = readJson(paths.identity);
  if (file && file['Version'] === 1 && typeof file['Store'] === 'string' && file['Store'] !== '')
    return fromIdentity(file, file['Store']);
  const marks = readJson(paths.marks);
  if (!marks || marks['Version'] !== 2 || typeof marks['Store'] !== 'string') return null;
  const [queue, manifest] = [ofMarks(marks['Queue']), ofMarks(marks['Manifest'])];
  return {
    Store: marks['Store'],
    Epoch: null,
    Hub: null,
    IsClean: false,
    Head: null,
    Accepted: null,
    Starts: [],
    Db: null,
    Wal: null,
    WrittenAt: textOr(marks['WrittenAt'], ''),
    Mark: { Queue: queue.mark, Manifest: manifest.mark },
    Pending: { Queue: queue.pending, Manifest: manifest.pending },
  };
}

function fromIdentity(file: JsonObject, Store: string): Remembered {
  return {
    Store,
    Epoch: textOr(file['Epoch'], null),
    Hub: textOr(file['Hub'], null),
    IsClean: file['IsClean'] === true,
    Head: perLane(file['Head']),
    Accepted: perLane(file['Accepted']),
    Mark: perLane(file['Mark']) ?? zero,
    Pending: perLane(file['Pending']) ?? zero,
    Starts: numbersIn(file['Starts']),
    Db: identityIn(file['Db']),
    Wal: identityIn(file['Wal']),
    WrittenAt: textOr(file['WrittenAt'], ''),
  };
}

function numbersIn(value: JsonValue | undefined): number[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'number') : [];
}

function textOr<T>(value: JsonValue | undefined, otherwise: T): string | T {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}

function perLane(value: JsonValue | undefined): PerLane | null {
  if (!isJsonObject(value)) return null;
  const { Queue, Manifest } = value;
  return typeof Queue === 'number' && typeof Manifest === 'number' ? { Queue, Manifest } : null;
}

function identityIn(value: JsonValue | undefined): FileIdentity {
  if (!isJsonObject(value)) return null;
  const { Dev, Ino } = value;
  return typeof Dev === 'number' && typeof Ino === 'number' ? { Dev, Ino } : null;
}

/** The highest mark of a lane, and the lowest pending count of any database. */
function ofMarks(value: JsonValue | undefined): { mark: number; pending: number } {
  const views = isJsonObject(value)
    ? Object.values(value)
        .flatMap((beacon) => (isJsonObject(beacon) ? Object.values(beacon) : []))
        .filter(isJsonObject)
    : [];
  const numbers = (name: string) =>
    views.map((view) => view[name]).filter((one) => typeof one === 'number');
  return {
    mark: Math.max(0, ...numbers('Seq')),
    pending:
      Math.min(...numbers('Pending'), Infinity) === Infinity ? 0 : Math.min(...numbers('Pending')),
  };
}
