/**
 * One writer at a time: the second is told who the first is, changes nothing, and is let in the
 * moment the first is dead.
 */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { openStore as openStoreAt } from '../../../../worker/state/open/open-store.ts';
import { pathsOf } from '../../../../worker/state/paths.ts';
import { takeWriterLock } from '../../../../worker/state/open/writer-lock.ts';
import { tidemark } from '../../../kit/processes/cli-fixture.ts';
import { TidemarkProcess } from '../../../kit/processes/processes.ts';
import { until } from '../../../kit/until.ts';
import { folderOfTest, openStore } from '../../../kit/worker/fixture.ts';

const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const workerArgs = (data: string) => [
  'worker',
  '--data',
  data,
  '--nats',
  'nats://127.0.0.1:1',
  '--http',
  '127.0.0.1:0',
];

/** The start that has the directory, looked up from outside; null before there is one. */
function ownerIn(dataDir: string): { pid: number; started: string } | null {
  try {
    using db = closing(new Database(pathsOf(dataDir).db, { readonly: true, fileMustExist: true }));
    const row = db.it
      .prepare<[], { pid: number; startedMs: number }>(
        'select pid, started_ms as startedMs from boot order by rowid desc',
      )
      .get();
    return row ? { pid: row.pid, started: new Date(row.startedMs).toISOString() } : null;
  } catch {
    return null;
  }
}

function closing(it: Database.Database): { it: Database.Database } & Disposable {
  return { it, [Symbol.dispose]: () => it.close() };
}

test('a second worker ends with exit code 4, names pid and start of the first, and changes nothing (A1)', async () => {
  const dir = folderOfTest();
  const first = openStore(dir.path);
  const before = hash(pathsOf(dir.path).db);
  const second = await tidemark(workerArgs(dir.path));
  expect(second.code).toBe(4);
  expect(second.stderr).toContain(`pid ${process.pid}, since ${ownerIn(dir.path)?.started}`);
  expect(hash(pathsOf(dir.path).db)).toBe(before);
  first.setMeta('x', 'still mine');
  expect(() => first.assertSameFiles()).not.toThrow();
});

test('SIGKILL of a worker lets the next one in at once (A1)', async () => {
  const dir = folderOfTest();
  await using first = new TidemarkProcess(workerArgs(dir.path));
  await until('the first has the directory', () => ownerIn(dir.path));
  expect(() => takeWriterLock(pathsOf(dir.path))).toThrow(
    expect.objectContaining({ code: 'LOCK_HELD' }),
  );
  await first.kill();
  takeWriterLock(pathsOf(dir.path)).close();
});

test('the lock refuses without waiting, also one that only writes (A1)', () => {
  const dir = folderOfTest();
  const first = openStore(dir.path);
  expect(() => openStoreAt(dir.path)).toThrow(
    expect.objectContaining({
      code: 'LOCK_HELD',
      message: expect.stringContaining(`pid ${process.pid}, since `),
    }),
  );
  first.setMeta('x', 'still mine');
  expect(first.meta('x')).toBe('still mine');
});

test('modes that are too wide are narrowed at the start: folder 700, files 600 (A2)', () => {
  const dir = folderOfTest();
  const paths = pathsOf(dir.path);
  mkdirSync(paths.stateDir, { recursive: true });
  openStoreAt(dir.path).close();
  chmodSync(paths.stateDir, 0o755);
  for (const path of [paths.db, paths.lock]) chmodSync(path, 0o644);
  const told: string[] = [];
  const store = openStoreAt(dir.path, ({ What }) => told.push(What));
  store.setMeta('x', 'y');
  expect(told).toEqual([expect.stringContaining(paths.db)]);
  const modes = [paths.stateDir, paths.db, paths.wal, paths.shm, paths.lock].map((path) =>
    (statSync(path).mode & 0o777).toString(8),
  );
  store.close();
  expect(modes).toEqual(['700', '600', '600', '600', '600']);
});

test('what was set at the open holds behind writes, and at the next open (A3)', () => {
  const dir = folderOfTest();
  const wanted = {
    journal_mode: 'wal',
    synchronous: 2,
    foreign_keys: 1,
    trusted_schema: 0,
    cell_size_check: 1,
    auto_vacuum: 2,
    application_id: 0x54494445,
    busy_timeout: 5_000,
    journal_size_limit: 64 * 1024 * 1024,
  };
  for (const at of ['first open', 'second open']) {
    const store = openStoreAt(dir.path);
    for (let n = 0; n < 3; n++) store.setMeta(`x${n}`, 'y');
    const initialiseStore = Object.fromEntries(
      Object.keys(wanted).map((name) => [name, store.db.pragma(name, { simple: true })]),
    );
    store.close();
    expect({ at, ...initialiseStore }).toEqual({ at, ...wanted });
  }
});
