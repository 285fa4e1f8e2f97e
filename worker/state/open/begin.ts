/**
 * Writes what each start has to write into state.db: the identity of a new store, and the start
 * itself with its first Seq. Checks that syncing is on.
 */
import { chmodSync } from 'node:fs';
import { TidemarkError } from '../../../contracts/errors.ts';
import { isoOf, newUuid, systemClock } from '../../../runtime/clock.ts';
import type { Connection } from '../connection.ts';
import { migrate } from '../schema/migrate.ts';
import { dropOldEntries } from '../schema/old-entries.ts';
import { beginOwner } from '../owners.ts';
import type { StatePaths } from '../paths.ts';

/**
 * Brings the file to the present schema. Gives a new store its identity: that of the store whose
 * entries will be merged into it, or else a fresh one.
 */
export function initialiseStore(
  db: Connection,
  paths: StatePaths,
  identity: { store: string; epoch: string } | null,
): void {
  chmodSync(paths.db, 0o600);
  migrate(db);
  dropOldEntries(db);
  db.transaction(() => {
    if (db.prepare("select 1 from meta where name = 'store'").get()) return;
    const meta = db.prepare('insert into meta values (?, ?)');
    meta.run('store', identity?.store ?? newUuid());
    meta.run('epoch', identity?.epoch ?? newUuid());
    db.prepare('insert into sqlite_sequence values (?, 0)').run('known');
  }).immediate();
  beginOwner(db);
}

/**
 * Each start gives its Seqs from the wall clock in microseconds upwards, and above all Seqs of the
 * file (I2). So an older copy of this store that was put back, or a new store, never gives a Seq
 * that was given before.
 */
export function startBoot(db: Connection): void {
  db.transaction(() => {
    const nowMs = systemClock.nowMs();
    db.prepare("update sqlite_sequence set seq = max(seq, ?) where name = 'known'").run(
      nowMs * 1000,
    );
    // The cursors of changes start at the clock too: a listener must not mistake the cursors of an
    // older copy of this store for ones it has seen already.
    db.prepare(
      "insert into sqlite_sequence select 'change_log', 0 where not exists (select 1 from " +
        "sqlite_sequence where name = 'change_log')",
    ).run();
    db.prepare("update sqlite_sequence set seq = max(seq, ?) where name = 'change_log'").run(
      nowMs * 1000,
    );
    const last = db
      .prepare("select seq from sqlite_sequence where name = 'known'")
      .pluck()
      .get() as number;
    db.prepare('insert into boot (id, pid, started_ms, first_seq) values (?, ?, ?, ?)').run(
      newUuid(),
      process.pid,
      nowMs,
      last + 1,
    );
    db.prepare('delete from boot where rowid <= (select max(rowid) from boot) - 1000').run();
  }).immediate();
}

/**
 * better-sqlite3 falls back to NORMAL after the first write of a connection. So FULL is set after
 * one write and read back after another.
 */
export function insistOnSync(db: Connection): void {
  const meta = db.prepare(
    'insert into meta values (?, ?) on conflict (name) do update set value = excluded.value',
  );
  meta.run('opened_at', isoOf(systemClock.nowMs()));
  db.pragma('synchronous = full');
  meta.run('owner_pid', String(process.pid));
  const level: unknown = db.pragma('synchronous', { simple: true });
  if (level !== 2)
    throw new TidemarkError(
      'STORAGE_FAILED',
      `state.db answers synchronous=${String(level)} instead of 2 (FULL)`,
    );
}
