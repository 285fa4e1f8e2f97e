/**
 * `status --offline` and `hwm show --offline` as an operator calls them: each kind of file gets its
 * line, and no file is changed by looking.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { MarksFile } from '../../../contracts/status.ts';
import type { OfflineStatus } from '../../../cli/offline/offline.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { FaultLayer } from '../../kit/fault-layer/fault-layer.ts';
import { goldenFacts, goldenNames, placeGolden } from '../../kit/worker/golden.ts';
import { upsert } from '../../kit/worker/fixture.ts';
import { type Ran, tempFolder, tidemark } from '../../kit/processes/cli-fixture.ts';

const looks = [
  ['status', '--offline'],
  ['hwm', 'show', '--offline'],
];

function folder(): string {
  const made = tempFolder();
  onTestFinished(() => made[Symbol.dispose]());
  return made.path;
}

/** A store at rest with 200 entries, so that it has pages to damage. */
function atRest(): string {
  const data = join(folder(), 'data');
  const store = openStore(data);
  openLocal(store, 'hub1').journal.append(
    Array.from({ length: 200 }, (_, n) => upsert(`w${n}`, `w${n}`)),
    1_000,
  );
  store.close();
  return data;
}

/**
 * Bytes and times of everything there is, but for what SQLite keeps beside a database that is read;
 * null without the folder.
 */
function snapshot(data: string): Record<string, string> | null {
  if (!existsSync(data)) return null;
  const files = readdirSync(data, { recursive: true, withFileTypes: true })
    .map((one) => join(one.parentPath, one.name))
    .filter((path) => !/-(?:wal|shm)$/.test(path));
  const isFile = (path: string) => statSync(path).isFile();
  return Object.fromEntries(
    files
      .filter(isFile)
      .map((path) => [
        path,
        `${statSync(path).mtimeMs} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`,
      ]),
  );
}

async function json<T>(...args: string[]): Promise<T> {
  const ran = await tidemark([...args, '--json']);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(ran.stdout) as T;
}

function expectOneLine({ code, stdout, stderr }: Ran, exit: number, line: RegExp): void {
  expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
  expect(stderr).toMatch(/^tidemark: [^\n]+\n$/);
  expect(stderr).toMatch(line);
}

/** The first page of each of these tables; without tables every page but the first. */
function damage(path: string, ...tables: string[]): void {
  const db = new Database(path);
  const pages = db
    .prepare<[], { name: string; rootpage: number }>('select name, rootpage from sqlite_schema')
    .all()
    .filter(({ name }) => tables.includes(name))
    .map(({ rootpage }) => rootpage);
  const size = Number(db.pragma('page_count', { simple: true }));
  db.close();
  const file = openSync(path, 'r+');
  for (const page of tables.length > 0 ? pages : Array.from({ length: size - 1 }, (_, n) => n + 2))
    writeSync(file, Buffer.alloc(64, 0xff), 0, 64, (page - 1) * 4096);
  closeSync(file);
}

const cases: [string, number, RegExp, (data: string) => void][] = [
  ['no file', 3, /there is no .*state\.db; is --data/, (data) => rmSync(pathsOf(data).db)],
  [
    'no directory',
    3,
    /there is no .*state\.db; is --data/,
    (data) => rmSync(data, { recursive: true }),
  ],
  [
    'an empty file',
    3,
    /is empty: .*start the worker/,
    (data) => writeFileSync(pathsOf(data).db, ''),
  ],
  [
    'a header of garbage',
    1,
    /is no database; the worker's next start/,
    (data) => writeFileSync(pathsOf(data).db, 'x'.repeat(5_000)),
  ],
  [
    'a page that is damaged',
    1,
    /is damaged; the worker's next start/,
    (data) => damage(pathsOf(data).db, 'known', 'lane'),
  ],
  [
    'all pages damaged',
    1,
    /is damaged; the worker's next start/,
    (data) => damage(pathsOf(data).db),
  ],
  [
    'a folder in its place',
    1,
    /is no file; move it away/,
    (data) => {
      rmSync(pathsOf(data).db);
      mkdirSync(pathsOf(data).db);
    },
  ],
  [
    'a newer schema that this program may not read',
    5,
    /use the newer program/,
    (data) =>
      alter(
        data,
        "pragma user_version = 99; update meta set value = '99' where name = 'min_reader'",
      ),
  ],
];

function alter(data: string, sql: string): void {
  const db = new Database(pathsOf(data).db);
  db.exec(sql);
  db.close();
}

test.each(cases)(
  '%s: exit %i and one line that says what to do, nothing changed (C2, C3)',
  async (_what, exit, line, harm) => {
    const data = atRest();
    harm(data);
    const before = snapshot(data);
    for (const look of looks) expectOneLine(await tidemark([...look, '--data', data]), exit, line);
    expect(snapshot(data)).toEqual(before);
  },
  30_000,
);

test('a file that may not be opened is told with whose right is missing (C3)', async () => {
  const data = atRest();
  const before = snapshot(data);
  const layer = new FaultLayer(data, folder());
  layer.fail({ open: 'EACCES' });
  for (const look of looks)
    expectOneLine(
      await tidemark([...look, '--data', data], { env: layer.env }),
      1,
      /run this as the user of the worker/,
    );
  expect(snapshot(data)).toEqual(before);
}, 30_000);

test.each([[['known', 'lane']], [[]]])(
  'damaged pages %j: no verb that reads ends with a stack trace',
  async (tables) => {
    const data = atRest();
    damage(pathsOf(data).db, ...tables);
    for (const verb of ['stats', 'ls', 'export', 'verify']) {
      const { code, stderr } = await tidemark([
        'journal',
        verb,
        '--data',
        data,
        '--nats',
        'nats://127.0.0.1:1',
      ]);
      expect({ verb, code, isTrace: /\n {4}at /.test(stderr) }).toEqual({
        verb,
        code: verb === 'verify' ? 6 : 1,
        isTrace: false,
      });
    }
  },
  30_000,
);

test.each(goldenNames.filter((name) => name !== 'state-v3'))(
  '%s, of schema 1, is read as it is and stays so; verify finds it sound (C2, A9)',
  async (name) => {
    const data = folder();
    placeGolden(name, data);
    const { Store, Hub, Lanes, Marks } = goldenFacts(name);
    const before = snapshot(data);
    const status = await json<OfflineStatus>('status', '--offline', '--data', data);
    expect(status).toMatchObject({
      Offline: true,
      HubID: Hub,
      Store,
      SchemaVersion: 1,
      LastStart: null,
      Faults: null,
      LockHeldBy: null,
      Balance: { queue: { Difference: 0 }, manifest: { Difference: 0 } },
    });
    expect([status.Queue, status.Manifest].map(({ Seq }) => Seq)).toEqual(
      Lanes.map(({ head }, lane) => ({ Head: head, Mark: Marks[lane]?.seq })),
    );
    expect(status.Queue).toMatchObject({
      State: 'assigned',
      Pending: name === 'state-v1' ? 66 : 77,
      DeadLetters: name === 'state-v1' ? 0 : 1,
    });
    const marks = await json<MarksFile>('hwm', 'show', '--offline', '--data', data);
    expect(marks).toMatchObject({
      Offline: true,
      Store,
      Queue: { [Marks[0]?.beacon ?? '']: { 1: { Seq: Marks[0]?.seq } } },
    });
    expect(await tidemark(['journal', 'verify', '--data', data])).toMatchObject({
      code: 0,
      stdout: 'the journal is sound\n',
    });
    expect(snapshot(data)).toEqual(before);
  },
  30_000,
);
