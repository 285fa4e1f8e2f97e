/**
 * The worker's SQLite files: what is promised of the disk, who may write, and what happens when a
 * file goes away underneath.
 */
import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { openReadOnly } from '../../../worker/state/connection.ts';
import { openStore as openStoreAt } from '../../../worker/state/open/open-store.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { schemaVersion } from '../../../worker/state/schema/migrations.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { folderOfTest, hubId, openStore, upsert } from '../../kit/worker/fixture.ts';

describe('store — the files', () => {
  test('WAL and synchronous FULL hold after writes, not only at the open (I1)', () => {
    const store = openStore();
    const local = openLocal(store, hubId);
    for (let n = 0; n < 5; n++) local.journal.append([upsert('w', `w${n}`)], n);
    expect(store.db.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(store.db.pragma('synchronous', { simple: true })).toBe(2);
    expect(store.db.pragma('foreign_keys', { simple: true })).toBe(1);
    expect(store.db.pragma('trusted_schema', { simple: true })).toBe(0);
  });

  test('again after a second open, which keeps identity and epoch', () => {
    const dir = folderOfTest();
    const first = openStoreAt(dir.path);
    const { storeId, epoch } = first;
    first.close();
    const second = openStore(dir.path);
    second.setMeta('x', 'y');
    expect(second.db.pragma('synchronous', { simple: true })).toBe(2);
    expect({ storeId: second.storeId, epoch: second.epoch }).toEqual({ storeId, epoch });
    expect(second.storeId).toMatch(/^[0-9a-f-]{36}$/);
    expect(second.epoch).not.toBe(second.storeId);
  });

  test('nobody else may read them', () => {
    const dir = folderOfTest();
    const store = openStore(dir.at('new', 'place'));
    store.setMeta('x', 'y');
    const paths = pathsOf(dir.at('new', 'place'));
    const modes = [paths.stateDir, paths.db, paths.wal, paths.lock].map((path) =>
      (statSync(path).mode & 0o777).toString(8),
    );
    expect(modes).toEqual(['700', '600', '600', '600']);
  });

  test('a second writer is refused, also after the first wrote, and let in once the first is gone', () => {
    const dir = folderOfTest();
    const first = openStore(dir.path);
    expect(() => openStoreAt(dir.path)).toThrow(
      expect.objectContaining({
        code: 'LOCK_HELD',
        message: expect.stringContaining(`pid ${process.pid}`),
      }),
    );
    first.setMeta('x', 'y');
    expect(() => openStoreAt(dir.path)).toThrow(expect.objectContaining({ code: 'LOCK_HELD' }));
    first.setMeta('x', 'still mine');
    first.close();
    expect(openStore(dir.path).meta('x')).toBe('still mine');
  });

  test('a reader may look while the writer works, and cannot write', () => {
    const dir = folderOfTest();
    const store = openStore(dir.path);
    store.setMeta('x', 'y');
    const reader = openReadOnly(pathsOf(dir.path).db);
    expect(reader.prepare("select value from meta where name = 'x'").pluck().get()).toBe('y');
    expect(() => reader.prepare("delete from meta where name = 'x'").run()).toThrow(/readonly/);
    reader.close();
    expect(() => openReadOnly(dir.at('none.db'))).toThrow(
      expect.objectContaining({ code: 'NOT_THERE' }),
    );
  });

  test('state made by a newer program is left alone', () => {
    const dir = folderOfTest();
    openStoreAt(dir.path).close();
    const db = new Database(pathsOf(dir.path).db);
    db.pragma(`user_version = ${schemaVersion + 1}`);
    db.close();
    expect(() => openStoreAt(dir.path)).toThrow(expect.objectContaining({ code: 'NEWER_SCHEMA' }));
    // The refusal let go of the lock: the older program's failure does not keep the newer one out.
    const after = new Database(pathsOf(dir.path).db);
    after.pragma(`user_version = ${schemaVersion}`);
    after.close();
    expect(openStore(dir.path).meta('store')).toBeDefined();
  });

  test('a folder that cannot be made is told by name', () => {
    const dir = folderOfTest();
    writeFileSync(dir.at('file'), 'x');
    expect(() => openStoreAt(dir.at('file', 'data'))).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('file') }),
    );
  });

  test('each step of the schema is written down once', () => {
    const dir = folderOfTest();
    openStoreAt(dir.path).close();
    const history = openStore(dir.path)
      .db.prepare('select version, sha256 from schema_history order by version')
      .all() as { version: number; sha256: string }[];
    expect(history.map((row) => row.version)).toEqual(
      Array.from({ length: schemaVersion }, (_, index) => index + 1),
    );
    expect(history.every((row) => /^[0-9a-f]{64}$/.test(row.sha256))).toBe(true);
  });

  test('room that retention made counts as room, although the file stays as large', () => {
    const store = openStore();
    const { journal } = openLocal(store, hubId);
    for (let n = 0; n < 20; n++)
      journal.append([upsert('w', `w${n}`, { Result: 'x'.repeat(50_000) })], n);
    store.db.pragma('wal_checkpoint(truncate)');
    const full = store.bytes();
    expect(store.bytesInUse()).toBeGreaterThan(900_000);
    journal.strip('queue', journal.readAfter('queue', 0, 100, 1e9));
    store.db.pragma('wal_checkpoint(truncate)');
    expect(store.bytes()).toBeGreaterThanOrEqual(full);
    expect(store.bytesInUse()).toBeLessThan(full / 4);
  });

  test('a stop folds the log into the database', () => {
    const dir = folderOfTest();
    const store = openStoreAt(dir.path);
    openLocal(store, hubId).journal.append([upsert('w', 'w')], 1);
    store.close();
    expect(readdirSync(pathsOf(dir.path).stateDir)).toEqual(['state.db']);
    store.close();
  });
});

describe('store — the file it writes to is still the file at the path (I1)', () => {
  const cases: [string, (dir: string) => void][] = [
    ['the database is removed', (dir) => rmSync(pathsOf(dir).db)],
    ['the log is removed', (dir) => rmSync(pathsOf(dir).wal)],
    ['the whole folder is removed', (dir) => rmSync(dir, { recursive: true })],
    [
      'the database is replaced',
      (dir) => {
        renameSync(pathsOf(dir).db, `${pathsOf(dir).db}.old`);
        writeFileSync(pathsOf(dir).db, '');
      },
    ],
    ['the lock is removed', (dir) => rmSync(pathsOf(dir).lock)],
  ];
  test.each(cases)('%s', (_what, harm) => {
    const dir = folderOfTest();
    const store = openStore(dir.path);
    const { journal } = openLocal(store, hubId);
    journal.append([upsert('w', 'before')], 1);
    store.assertSameFiles();
    harm(dir.path);
    expect(() => store.assertSameFiles()).toThrow(
      expect.objectContaining({ code: 'STORAGE_FAILED' }),
    );
  });
});

describe('A16 — statements live with their handle', () => {
  test('two stores in one process, and one that was opened again, never answer for each other', () => {
    const [one, other] = [folderOfTest(), folderOfTest()];
    const first = openLocal(openStoreAt(one.path), hubId);
    const second = openLocal(openStore(other.path), hubId);
    first.journal.append([upsert('w', 'first')], 1);
    second.journal.append([upsert('v', 'second'), upsert('v', 'third')], 1);
    expect([
      first.journal.counts('queue').accepted,
      second.journal.counts('queue').accepted,
    ]).toEqual([1, 2]);
    first.store.close();
    const again = openLocal(openStore(one.path), hubId);
    again.journal.append([upsert('w', 'fourth')], 2);
    expect([
      again.journal.counts('queue').accepted,
      second.journal.counts('queue').accepted,
    ]).toEqual([2, 2]);
    expect(() => first.journal.counts('queue')).toThrow(/not open/);
  });
});

describe('A2 — the data directory', () => {
  test('missing folders are made, for their owner alone; one that cannot be made is a wrong setting', () => {
    const dir = folderOfTest();
    openStore(dir.at('a', 'b', 'c')).setMeta('x', 'y');
    expect((statSync(dir.at('a', 'b', 'c', 'state')).mode & 0o777).toString(8)).toBe('700');
    writeFileSync(dir.at('file'), '');
    const message = expect.stringMatching(/file.*(?:ENOTDIR|EEXIST)/) as string;
    expect(() => openStoreAt(dir.at('file'))).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message }),
    );
    expect(() => openStoreAt(dir.at('file', 'below'))).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message }),
    );
  });
});
