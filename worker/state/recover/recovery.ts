/**
 * Decides at a start which state.db is opened: the one at its path, a rescued copy, or a new one.
 * Runs under the lock, before the database is opened for writing.
 *
 * Constraints: no database is opened with the log of another; nothing is overwritten or deleted,
 * only moved to aside/; what belongs to this store is merged later. Failure: every step can be
 * repeated. A crash in between leaves each file at its place, or in aside/ with a marker, or
 * restored.
 */
import { existsSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { type Connection, openLockFile, openReadOnly, SqliteError } from '../connection.ts';
import type { Finding } from '../guard/finding.ts';
import { identityOfFile, isSameFile, type Remembered, syncFolder } from '../guard/identity-file.ts';
import { versionOf } from '../schema/migrate.ts';
import { schemaVersion } from '../schema/migrations.ts';
import type { StatePaths } from '../paths.ts';
import { isSound } from './salvage.ts';
import { type Pending, pendingFolders, setAside } from './set-aside.ts';

/**
 * What lies at the path of state.db. A bad file is merged later, unless `isOther`: it is not ours.
 */
type Probe =
  | { kind: 'absent' }
  | { kind: 'fine'; store: string | null; head: number }
  | { kind: 'bad'; why: string; what: string; isOther: boolean };

export type Recovered = {
  findings: Finding[];
  /** The identity for a new store that continues a lost one, whose files will be merged into it. */
  identity: { store: string; epoch: string } | null;
  /** Something was damaged or taken away, so look for losses. */
  isDoubtful: boolean;
};

/**
 * @param isDamaged opening the file showed damage that `probe` did not find
 * @throws TidemarkError STORAGE_FAILED when the files cannot be reached
 */
export function recoverFiles(
  paths: StatePaths,
  remembered: Remembered | null,
  nowMs: number,
  isDamaged: boolean,
): Recovered {
  const findings: Finding[] = [];
  const isLogGone = separateLog(paths, remembered, nowMs, findings);
  const found: Probe = isDamaged
    ? bad('damaged', 'is damaged')
    : probe(paths, remembered, isLogGone);
  const copy = newestCopy(
    pendingFolders(paths, nowMs),
    remembered?.Store ?? (found.kind === 'fine' ? found.store : null),
  );
  const isKept = found.kind === 'fine' && judge(paths, found, remembered, copy, nowMs, findings);
  if (isKept) return { findings, identity: null, isDoubtful: findings.length > 0 };
  if (found.kind === 'absent') noteAbsent(paths, remembered, nowMs, findings);
  if (found.kind === 'bad') {
    const folder = setAside(
      paths,
      [paths.db, paths.wal, paths.shm],
      found.why,
      nowMs,
      !found.isOther,
    );
    findings.push({
      Class: found.why,
      What: `${paths.db} ${found.what}; set aside in ${folder}`,
      Detail: { Folder: folder },
    });
  }
  const isRestored = copy !== null && restore(paths, copy, findings);
  return {
    findings,
    identity: isRestored ? null : identityToKeep(pendingFolders(paths, nowMs), remembered),
    isDoubtful: findings.length > 0,
  };
}

/** Whether the worker goes on with a file that is fine; if not, it has been set aside. */
function judge(
  paths: StatePaths,
  found: { store: string | null; head: number },
  remembered: Remembered | null,
  copy: Pending | null,
  nowMs: number,
  findings: Finding[],
): boolean {
  const files = [paths.db, paths.wal, paths.shm];
  if (remembered && found.store !== null && found.store !== remembered.Store) {
    const folder = setAside(paths, files, 'other-store', nowMs, false);
    findings.push({
      Class: 'other-store',
      What: `${paths.db} is store ${found.store}, but ${remembered.Store} was here; set aside in ${folder}`,
      Detail: { Folder: folder, Found: found.store, Store: remembered.Store },
    });
    return false;
  }
  if (copy?.note && copy.note.head > found.head) {
    const folder = setAside(paths, files, 'superseded', nowMs, true);
    findings.push({
      Class: 'superseded',
      What: `${paths.db} ends at Seq ${found.head}, before the rescue of it; set aside in ${folder}`,
      Detail: { Folder: folder, Head: found.head },
    });
    return false;
  }
  const head = remembered?.Head ? Math.max(remembered.Head.Queue, remembered.Head.Manifest) : 0;
  if (found.head < head && !findings.some((one) => one.Class === 'log-gone')) {
    const isTorn =
      remembered?.IsClean === false &&
      isSameFile(identityOfFile(paths.db), remembered.Db) &&
      isSameFile(identityOfFile(paths.wal), remembered.Wal);
    const what = isTorn
      ? 'ends early: its log was cut, or an older copy was written over it'
      : 'was replaced by an older copy of the same store';
    findings.push({
      Class: isTorn ? 'torn-log' : 'older-copy',
      What: `${paths.db} ${what}; it ends at Seq ${found.head}, the store was at ${head}; adopted`,
      Detail: { Head: found.head, Remembered: head },
    });
  }
  return true;
}

/**
 * A log belongs to one database file. If exactly one of the two is no longer the file it was,
 * replaying the log would bring other content into the database, so the log is set aside.
 * @returns whether the log is gone although the last stop left one
 */
function separateLog(
  paths: StatePaths,
  remembered: Remembered | null,
  nowMs: number,
  findings: Finding[],
): boolean {
  if (!remembered?.Db || !remembered.Wal || remembered.IsClean) return false;
  const isSameDb = isSameFile(identityOfFile(paths.db), remembered.Db);
  const wal = identityOfFile(paths.wal);
  if (wal === null) {
    if (isSameDb)
      findings.push({
        Class: 'log-gone',
        What: `${paths.wal} is gone, although the last stop left one: what was not yet in state.db went with it`,
        Detail: {},
      });
    return isSameDb;
  }
  if (isSameFile(wal, remembered.Wal) === isSameDb || !existsSync(paths.db)) return false;
  const folder = setAside(paths, [paths.wal, paths.shm], 'stale-log', nowMs, true);
  const what = isSameDb
    ? 'is not the log this database had'
    : 'is the log of a database that was replaced';
  findings.push({
    Class: 'stale-log',
    What: `${paths.wal} ${what}; set aside in ${folder}, not replayed`,
    Detail: { Folder: folder },
  });
  return false;
}

function noteAbsent(
  paths: StatePaths,
  remembered: Remembered | null,
  nowMs: number,
  findings: Finding[],
): void {
  const hasLog = existsSync(paths.wal);
  if (hasLog) setAside(paths, [paths.wal, paths.shm], 'log-alone', nowMs, true);
  if (remembered || hasLog)
    findings.push({
      Class: 'missing',
      What: `there is no ${paths.db}${remembered ? `, but store ${remembered.Store} was here` : ', only its log'}`,
      Detail: { Store: remembered?.Store ?? null },
    });
}

function bad(why: string, what: string, isOther = false): Probe {
  return { kind: 'bad', why, what, isOther };
}

function probe(paths: StatePaths, remembered: Remembered | null, isLogGone: boolean): Probe {
  const file = statSync(paths.db, { throwIfNoEntry: false });
  if (!file) return { kind: 'absent' };
  if (!file.isFile()) return bad('not-a-file', 'is no file', true);
  if (file.size === 0 && (remembered || existsSync(paths.wal))) return bad('empty', 'is empty');
  let db: Connection | null = null;
  try {
    // A start killed before WAL mode was on leaves a rollback journal, which no reader may roll
    // back.
    db = existsSync(`${paths.db}-journal`) ? openLockFile(paths.db) : openReadOnly(paths.db);
    return look(db, paths, isLogGone || !remembered?.IsClean);
  } catch (error) {
    return ofError(paths, error);
  } finally {
    db?.close();
  }
}

function look(db: Connection, paths: StatePaths, isUnclean: boolean): Probe {
  const tables = db
    .prepare("select name from sqlite_schema where type in ('table', 'view')")
    .pluck()
    .all() as string[];
  const version = versionOf(db);
  if (tables.length === 0 && version === 0) return { kind: 'fine', store: null, head: 0 };
  // A newer program's file is not judged by our rules; `migrate` decides whether to refuse it.
  if (version > schemaVersion && tables.includes('meta'))
    return { kind: 'fine', store: null, head: Number.MAX_SAFE_INTEGER };
  if (!tables.includes('meta') || !tables.includes('entry'))
    return bad('foreign', "is another program's database", true);
  const size = statSync(paths.db).size;
  if (
    size <= (isUnclean ? limits.checkedUncleanBytesMax : limits.checkedBytesMax) &&
    !isSound(db, paths.db)
  )
    return bad('damaged', 'is damaged');
  const store =
    db.prepare<[], string>("select value from meta where name = 'store'").pluck().get() ?? null;
  return {
    kind: 'fine',
    store,
    head: Number(db.prepare('select coalesce(max(head), 0) from lane').pluck().get()),
  };
}

/** A file that cannot be read is bad; this throws when the file cannot even be reached. */
function ofError(paths: StatePaths, error: unknown): Probe {
  const code = error instanceof SqliteError ? error.code : '';
  if (code === 'SQLITE_NOTADB') return bad('not-a-database', 'is no database');
  if (
    code.startsWith('SQLITE_CORRUPT') ||
    code === 'SQLITE_ERROR' ||
    code === 'SQLITE_IOERR_SHORT_READ'
  )
    return bad('damaged', `is damaged (${messageOf(error)})`);
  throw new TidemarkError('STORAGE_FAILED', `cannot read ${paths.db}: ${messageOf(error)}`, {
    cause: error,
  });
}

/** The whole copy of this store with the highest Seq; null when there is none. */
function newestCopy(pending: readonly Pending[], store: string | null): Pending | null {
  const copies = pending.filter(
    ({ path, note }) =>
      note?.Kind === 'copy' &&
      (store === null || note.Store === store) &&
      existsSync(join(path, 'state.db')),
  );
  return copies.sort((a, b) => (b.note?.head ?? 0) - (a.note?.head ?? 0))[0] ?? null;
}

/** Moves a rescued copy into place. One that is not sound stays, and is merged entry by entry. */
function restore(paths: StatePaths, copy: Pending, findings: Finding[]): boolean {
  const from = join(copy.path, 'state.db');
  let db: Connection | null = null;
  try {
    db = openReadOnly(from);
    if (!isSound(db, from)) return false;
  } catch {
    return false;
  } finally {
    db?.close();
  }
  renameSync(from, paths.db);
  syncFolder(paths.stateDir);
  syncFolder(copy.path);
  findings.push({
    Class: 'restored',
    What: `state.db is the copy that was rescued to ${copy.path}, up to Seq ${copy.note?.head ?? 0}`,
    Detail: { Folder: copy.path, Head: copy.note?.head ?? 0 },
  });
  return true;
}

/** A new store keeps the old one's identity if something of that one is still to be merged. */
function identityToKeep(
  pending: readonly Pending[],
  remembered: Remembered | null,
): Recovered['identity'] {
  if (pending.length === 0) return null;
  if (remembered?.Epoch) return { store: remembered.Store, epoch: remembered.Epoch };
  const note = pending.findLast(
    (one) => one.note && one.note.Store !== '' && one.note.Epoch !== '',
  )?.note;
  return note ? { store: note.Store, epoch: note.Epoch } : null;
}
