/**
 * Looking at a data directory from outside: each thing that may lie there has its own answer, and
 * looking changes nothing.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { inspectJournal, listEntries } from '../../../cli/offline/inspect.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { openStore as openStoreAt } from '../../../worker/state/open/open-store.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { openForReading } from '../../../worker/state/open/read-store.ts';
import { placeGolden } from '../../kit/worker/golden.ts';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import { folderOfTest, hubId, upsert } from '../../kit/worker/fixture.ts';

function changed(path: string, sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}

/** Where a worker ran, then what became of its database. */
const cases: [string, string, RegExp, (path: string) => void][] = [
  ['nothing', 'NOT_THERE', /there is no/, (path) => rmSync(path)],
  ['an empty file', 'NOT_THERE', /is empty/, (path) => writeFileSync(path, '')],
  [
    'a database without schema',
    'STORAGE_FAILED',
    /no schema yet/,
    (path) => {
      rmSync(path);
      changed(path, 'pragma journal_mode = wal; create table a (b); drop table a');
    },
  ],
  ['garbage', 'STORAGE_FAILED', /is no database/, (path) => writeFileSync(path, 'x'.repeat(5000))],
  [
    'a folder',
    'STORAGE_FAILED',
    /is no file/,
    (path) => {
      rmSync(path);
      mkdirSync(path);
    },
  ],
  [
    "another program's database",
    'STORAGE_FAILED',
    /another program/,
    (path) => {
      rmSync(path);
      changed(path, 'create table a (b)');
    },
  ],
  [
    'a newer schema that this program may not read',
    'NEWER_SCHEMA',
    /schema 99/,
    (path) =>
      changed(
        path,
        "pragma user_version = 99; update meta set value = '99' where name = 'min_reader'",
      ),
  ],
];

function ran(): { data: string; path: string } {
  const dir = folderOfTest();
  const store = openStoreAt(dir.path);
  openLocal(store, hubId).journal.append([upsert('w', 'w')], 1);
  store.close();
  return { data: dir.path, path: pathsOf(dir.path).db };
}

/** Everything there is, but for what SQLite keeps beside a database that is read. */
function snapshot(data: string): Record<string, string> {
  const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter(
    (one) => !/-(?:wal|shm)$/.test(one.name),
  );
  return Object.fromEntries(
    files.map((one) => [
      `${one.parentPath}/${one.name}`,
      one.isFile()
        ? createHash('sha256')
            .update(readFileSync(`${one.parentPath}/${one.name}`))
            .digest('hex')
        : 'folder',
    ]),
  );
}

test.each(cases)('%s is told as %s (C3, C16)', (_what, code, message, make) => {
  const { data, path } = ran();
  make(path);
  const before = snapshot(data);
  for (const look of [() => inspectJournal(data), () => listEntries(data, 0, 10)])
    expect(look).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  expect(snapshot(data)).toEqual(before);
});

test('a newer schema that still lets this program read is read (A8)', () => {
  const { data, path } = ran();
  changed(path, "pragma user_version = 99; update meta set value = '99' where name = 'min_writer'");
  expect(inspectJournal(data)).toMatchObject({ Entries: 1, SchemaVersion: 99 });
});

test('an older schema is read as it is, and stays so (C2)', () => {
  const dir = folderOfTest();
  placeGolden('state-v1', dir.path);
  const before = snapshot(dir.path);
  expect(inspectJournal(dir.path)).toMatchObject({ Entries: 212, Pending: 66, SchemaVersion: 1 });
  expect(listEntries(dir.path, 0, 5)).toHaveLength(5);
  expect(snapshot(dir.path)).toEqual(before);
});

test('what reads cannot write, whatever it is asked (C1, C4)', () => {
  const store = openForReading(ran().data);
  for (const sql of [
    'delete from entry',
    'update meta set value = 1',
    'create table a (b)',
    "insert into meta values ('a', 'b')",
  ]) {
    expect(() => store.all(sql)).toThrow();
    expect(() => store.value(sql)).toThrow();
  }
  expect(store.value('select count(*) from entry')).toBe(1);
  store.close();
});

test('no verb that looks makes a folder or a file, or changes one (C2)', async () => {
  const { data } = ran();
  const before = snapshot(data);
  const missing = `${data}-none`;
  for (const verb of [['journal', 'ls'], ['journal', 'stats'], ['doctor']]) {
    await tidemark([...verb, '--data', data, '--nats', 'nats://127.0.0.1:1']);
    expect({ verb, found: snapshot(data) }).toEqual({ verb, found: before });
    expect(
      (await tidemark([...verb, '--data', missing, '--nats', 'nats://127.0.0.1:1'])).code,
    ).not.toBe(0);
    expect(existsSync(missing)).toBe(false);
  }
});
