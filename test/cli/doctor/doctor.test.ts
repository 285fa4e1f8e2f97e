/**
 * `tidemark doctor`: each line says what it found, and the exit code whether somebody has to look.
 */
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import { examine } from '../../../cli/doctor/doctor.ts';
import { syncCheck } from '../../../cli/doctor/doctor-disk.ts';
import { offlineMarks } from '../../../cli/offline/offline.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { takeWriterLock } from '../../../worker/state/open/writer-lock.ts';
import { placeGolden } from '../../kit/worker/golden.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { storeAtRest, tidemark } from '../../kit/processes/cli-fixture.ts';

function atRest() {
  const { data } = storeAtRest();
  return { data, paths: pathsOf(data) };
}

const notOk = (data: string, nowMs = Date.now()) =>
  examine(data, nowMs).filter(({ Level }) => Level !== 'ok');

test('a store at rest has nothing that wants attention', () => {
  expect(notOk(atRest().data)).toEqual([]);
});

test.each<[string, string, RegExp, (paths: ReturnType<typeof pathsOf>) => void]>([
  ['no store', 'store', /there is no/, ({ db }) => rmSync(db)],
  [
    'garbage',
    'store',
    /no database/,
    ({ db }) => writeFileSync(db, 'x'.repeat(5000), { mode: 0o600 }),
  ],
  ['wide modes', 'modes', /others have access/, ({ db }) => chmodSync(db, 0o644)],
  [
    'a rescue',
    'rescue',
    /1 wait/,
    ({ rescueDir }) => mkdirSync(join(rescueDir, '20260101T000000000-1'), { recursive: true }),
  ],
  [
    'files set aside',
    'aside',
    /1 set aside/,
    ({ asideDir }) => mkdirSync(join(asideDir, 'x'), { recursive: true }),
  ],
  [
    'a start without a stop',
    'worker',
    /gone without a stop/,
    ({ db }) => alter(db, 'update boot set stopped_ms = null, pid = 4194305'),
  ],
  [
    'a token that others can read',
    'modes',
    /others have access to .*token/,
    ({ dataDir }) => writeFileSync(join(dataDir, 'token'), 'x', { mode: 0o644 }),
  ],
  ['marks without their file', 'marks file', /there is no/, (paths) => marked(paths, null)],
  [
    'a file of marks that is none',
    'marks file',
    /is not JSON/,
    (paths) => marked(paths, () => '{'),
  ],
  [
    'a file of marks of another store',
    'marks file',
    /is of store other/,
    (paths) => marked(paths, (file) => ({ ...file, Store: 'other' })),
  ],
  [
    'a file of marks behind its store',
    'marks file',
    /is behind the store: queue of db-1\/1 at 0, the store at 7/,
    (paths) => marked(paths, (file) => ({ ...file, Queue: {} })),
  ],
  [
    'a store behind its file of marks',
    'marks file',
    /says more than the store: queue of db-1\/1 at 9, the store at 7/,
    (paths) =>
      marked(paths, (file) => {
        const text = JSON.stringify(file).replace('"Seq":7', '"Seq":9');
        return JSON.parse(text) as object;
      }),
  ],
  [
    'a lock that another process holds',
    'lock',
    new RegExp(`pid ${process.pid} holds it, and is not the worker`),
    ({ dataDir }) => {
      const lock = takeWriterLock(pathsOf(dataDir));
      onTestFinished(() => void lock.close());
    },
  ],
])('%s is told', (_what, Name, found, harm) => {
  const { data, paths } = atRest();
  harm(paths);
  expect(notOk(data)).toEqual([
    {
      Name,
      Level: expect.stringMatching(/warn|fail/),
      What: expect.stringMatching(found),
      Do: expect.stringMatching(/./),
    },
  ]);
});

test('an older schema is told', () => {
  const { data } = atRest();
  placeGolden('state-v1', data);
  expect(notOk(data)).toContainEqual({
    Name: 'schema',
    Level: 'warn',
    What: expect.stringMatching(/version 1 of/),
    Do: expect.stringMatching(/./),
  });
});

test('a running worker without its lock, and without its reserve, is told', () => {
  const { data, paths } = atRest();
  alter(paths.db, `update boot set stopped_ms = null, pid = ${process.pid}`);
  expect(notOk(data).map(({ Name, What }) => [Name, What])).toEqual([
    ['lock', expect.stringMatching(/does not hold it: nobody is seen/)],
    ['reserve', expect.stringMatching(/no room is kept/)],
  ]);
});

test('syncs that are ignored are told as too fast, a disk as it is, and a folder that cannot be written', () => {
  const memory = tempDir('doctor', '/dev/shm');
  onTestFinished(() => memory[Symbol.dispose]());
  expect(syncCheck(memory.path, systemClock)).toMatchObject({
    Level: 'warn',
    What: expect.stringMatching(/faster than any disk/),
  });
  expect(examine(memory.path, Date.now())).toContainEqual(
    expect.objectContaining({ Name: 'file system', Level: 'fail' }),
  );
  const { data } = atRest();
  expect(syncCheck(data, systemClock)).toMatchObject({
    What: expect.stringMatching(/^a synced write takes [\d.]+ [um]s/),
  });
  expect(readdirSync(data).filter((name) => name.startsWith('.doctor'))).toEqual([]);
  expect(syncCheck(join(data, 'none'), systemClock)).toMatchObject({
    Level: 'warn',
    What: expect.stringMatching(/cannot be measured/),
  });
  const slow = { ...systemClock, monotonicMs: ticking(60) };
  expect(syncCheck(data, slow)).toMatchObject({
    Level: 'warn',
    What: expect.stringMatching(/60\.0 ms/),
    Do: expect.stringMatching(/faster disk/),
  });
});

/** Each look at the clock is so much later. */
function ticking(byMs: number): () => number {
  let nowMs = 0;
  return () => (nowMs += byMs);
}

/** A mark of Seq 7, and the file that says so, changed. */
function marked(
  { db, dataDir, marks }: ReturnType<typeof pathsOf>,
  change: ((file: object) => object | string) | null,
): void {
  alter(
    db,
    `insert into database values (1, 'db-1', 1); insert into mark (database, lane, seq, ` +
      `applied, present, skipped, store_id) values (1, 0, 7, 0, 0, 0, '')`,
  );
  const changed = change?.(offlineMarks(dataDir, Date.now()));
  if (changed !== undefined)
    writeFileSync(marks, typeof changed === 'string' ? changed : JSON.stringify(changed));
}

function alter(path: string, sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}

test('a clock behind the last accepted write is told', () => {
  const { data } = atRest();
  const folder = pathsOf(data);
  placeGolden('state-v1', folder.dataDir);
  expect(notOk(data, 1_700_000_000_000).map(({ Name }) => Name)).toContain('clock');
});

test('exit 6 without bus, and one JSON document', async () => {
  const { data } = atRest();
  const ran = await tidemark(['doctor', '--json', '--data', data, '--nats', 'nats://127.0.0.1:1']);
  expect(ran.code).toBe(6);
  const { Checks } = JSON.parse(ran.stdout) as { Checks: { Name: string; Level: string }[] };
  expect(Checks.filter(({ Level }) => Level !== 'ok').map(({ Name }) => Name)).toEqual(['bus']);
});
