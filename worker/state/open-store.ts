/** The order in which a worker's local state is opened: folder, lock, database, schema, identity, and only then the store. */
import { chmodSync, mkdirSync } from 'node:fs';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isoOf, newUuid, systemClock } from '../../runtime/clock.ts';
import { type Connection, openWritable } from './connection.ts';
import { migrate } from './migrate.ts';
import { pathsOf } from './paths.ts';
import { Store } from './store.ts';
import { takeWriterLock } from './writer-lock.ts';

/**
 * @throws TidemarkError LOCK_HELD when another worker has it, NEWER_SCHEMA, CONFIG_INVALID for a folder that cannot be made,
 * STORAGE_FAILED otherwise
 */
export function openStore(dataDir: string): Store {
  const paths = pathsOf(dataDir);
  makeFolder(paths.stateDir);
  const lock = takeWriterLock(paths);
  try {
    const db = openWritable(paths.db);
    chmodSync(paths.db, 0o600);
    migrate(db);
    found(db);
    startBoot(db);
    insistOnSync(db);
    return new Store(db, lock, paths);
  } catch (cause) {
    lock.close();
    if (cause instanceof TidemarkError) throw cause;
    throw new TidemarkError('STORAGE_FAILED', `cannot open ${paths.db}: ${messageOf(cause)}`, { cause });
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new TidemarkError('CONFIG_INVALID', `cannot make the data directory ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Gives a new store its identity. */
function found(db: Connection): void {
  db.transaction(() => {
    if (db.prepare("select 1 from meta where name = 'store'").get()) return;
    const meta = db.prepare('insert into meta values (?, ?)');
    meta.run('store', newUuid());
    meta.run('epoch', newUuid());
    db.prepare('insert into sqlite_sequence values (?, 0)').run('entry');
  }).immediate();
}

/**
 * Each start takes its Seqs from the wall clock in microseconds on, above all of its own (I2): a copy of this store that was put back,
 * or a store begun anew, can then never give a Seq that another one gave before it.
 */
function startBoot(db: Connection): void {
  db.transaction(() => {
    const nowMs = systemClock.nowMs();
    db.prepare("update sqlite_sequence set seq = max(seq, ?) where name = 'entry'").run(nowMs * 1000);
    const last = db.prepare("select seq from sqlite_sequence where name = 'entry'").pluck().get() as number;
    db.prepare('insert into boot (id, pid, started_ms, first_seq) values (?, ?, ?, ?)').run(newUuid(), process.pid, nowMs, last + 1);
    db.prepare('delete from boot where rowid <= (select max(rowid) from boot) - 1000').run();
  }).immediate();
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
