/** `tidemark import-hub`: a hub's own store goes into the database, and writes over nothing there. */
import { mkdirSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readRows } from '../../kit/rows/compare.ts';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { tempDir } from '../../kit/temp-dir.ts';

const dir = tempDir('import-hub');
let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
  makeHub();
}, 90_000);
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const first = '2026-01-01T00:00:00.000Z';
const second = '2026-01-02T00:00:00.000Z';

/** The tables of a hub's store, as far as they matter, with three items and two runs. */
function makeHub(): void {
  mkdirSync(dir.at('beacon'), { recursive: true });
  const db = new Database(dir.at('beacon', 'beacon-queue.sqlite'));
  db.exec(`
    CREATE TABLE BeaconWorkItem (IDBeaconWorkItem INTEGER PRIMARY KEY, GUIDBeaconWorkItem TEXT,
      Deleted INTEGER, WorkItemHash TEXT, RunID TEXT, Capability TEXT, Settings TEXT, Status TEXT,
      EnqueuedAt TEXT, TimeoutMs INTEGER, Health TEXT, CreateDate TEXT);
    CREATE TABLE BeaconWorkItemEvent (IDBeaconWorkItemEvent INTEGER PRIMARY KEY, WorkItemHash TEXT,
      RunID TEXT, EventType TEXT, ToStatus TEXT, Payload TEXT, CreateDate TEXT);
    CREATE TABLE BeaconWorkItemAttempt (IDBeaconWorkItemAttempt INTEGER PRIMARY KEY,
      WorkItemHash TEXT, AttemptNumber INTEGER, Outcome TEXT, DispatchedAt TEXT);
    INSERT INTO BeaconWorkItem VALUES
      (1, 'g1', 0, 'old-1', 'run-1', 'Shell', '{"Command":"ls"}', 'Complete', '${first}', 300,
        '0.5', 'x'),
      (2, 'g2', 0, 'old-2', 'run-1', 'Shell', '{}', 'Pending', '${second}', 300, null, 'x'),
      (3, 'g3', 1, 'gone', 'run-1', 'Shell', '{}', 'Pending', '${second}', 300, null, 'x');
    INSERT INTO BeaconWorkItemEvent VALUES
      (1, 'old-1', 'run-1', 'enqueued', '', '{"n":1}', null),
      (2, 'old-1', 'run-1', 'completed', 'Complete', null, '${second}');
    INSERT INTO BeaconWorkItemAttempt VALUES (1, 'old-1', 1, 'Complete', '${first}');
  `);
  db.close();
  for (const [hash, status] of [
    ['run-1', 'Complete'],
    ['run-2', 'Error'],
  ] as const) {
    mkdirSync(dir.at('staging', hash), { recursive: true });
    writeFileSync(
      dir.at('staging', hash, 'Manifest_op.json'),
      JSON.stringify({ Hash: hash, OperationHash: 'op', Status: status, Output: { from: 'file' } }),
    );
  }
}

type Report = { Rows: { Kind: string; Found: number; Accepted: number; Duplicates: number }[] };

async function importIt(...more: string[]) {
  const ran = await tidemark(['import-hub', dir.path, '--nats', stack.nats.url, '--json', ...more]);
  expect({ code: ran.code, why: ran.code === 0 ? '' : ran.stderr }).toEqual({ code: 0, why: '' });
  await stack.drained();
  const report = JSON.parse(ran.stdout) as Report;
  return report.Rows.map((row) => [row.Kind, row.Found, row.Accepted, row.Duplicates]);
}

const itemsNow = () =>
  Object.fromEntries(
    readRows(stack.backendPath, 'UVQueueWorkItem').map((row) => [String(row['WorkItemHash']), row]),
  );

test('a dry run counts and sends nothing', async () => {
  expect(await importIt('--dry-run')).toEqual([
    ['items', 3, 0, 0],
    ['events', 2, 0, 0],
    ['attempts', 1, 0, 0],
    ['runs', 2, 0, 0],
  ]);
  expect(itemsNow()).toEqual({});
});

test('what lacks is made or filled, what is there stays, and a repeat changes nothing', async () => {
  const { client } = stack.hub;
  await client.upsertWorkItem({ WorkItemHash: 'old-2', Status: 'Running', RunID: '' });
  await client.upsertManifest({ Hash: 'run-2', Status: 'Complete', Output: { from: 'hub' } });
  await stack.drained();
  expect(await importIt()).toEqual([
    ['items', 3, 2, 0],
    ['events', 2, 2, 0],
    ['attempts', 1, 1, 0],
    ['runs', 2, 2, 0],
  ]);
  expect(itemsNow()).toMatchObject({
    'old-1': { Status: 'Complete', Settings: '{"Command":"ls"}', Health: 0.5, TimeoutMs: 300 },
    'old-2': { Status: 'Running', RunID: 'run-1', EnqueuedAt: second },
  });
  expect(itemsNow()).not.toHaveProperty('gone');
  const manifests = readRows(stack.backendPath, 'UVManifest').map((row) => [
    row['Hash'],
    row['Status'],
    (JSON.parse(String(row['ManifestJSON'])) as { Output: object }).Output,
  ]);
  expect(manifests.toSorted()).toEqual([
    ['run-1', 'Complete', { from: 'file' }],
    ['run-2', 'Complete', { from: 'hub' }],
  ]);
  const events = readRows(stack.backendPath, 'UVQueueWorkItemEvent');
  expect(events.map((row) => [row['EventType'], row['Seq'], row['EmittedAt']])).toEqual([
    ['enqueued', 1, first],
    ['completed', 2, second],
  ]);
  await client.updateWorkItem('old-1', { Status: 'Canceled' });
  expect(await importIt()).toEqual([
    ['items', 3, 0, 2],
    ['events', 2, 0, 2],
    ['attempts', 1, 0, 1],
    ['runs', 2, 0, 2],
  ]);
  expect(itemsNow()['old-1']).toMatchObject({ Status: 'Canceled' });
}, 60_000);

test('a row that the worker no longer knows as a repeat still fills only', async () => {
  const db = new Database(dir.at('beacon', 'beacon-queue.sqlite'));
  db.exec("UPDATE BeaconWorkItem SET Status = 'Error', Health = '0.9' WHERE IDBeaconWorkItem = 1");
  db.close();
  expect((await importIt())[0]).toEqual(['items', 3, 1, 1]);
  expect(itemsNow()['old-1']).toMatchObject({ Status: 'Canceled', Health: 0.5 });
}, 60_000);

test('a folder that is none of a hub is said', async () => {
  const ran = await tidemark(['import-hub', dir.at('none', 'of'), '--nats', stack.nats.url]);
  expect(ran.stderr).toContain('is no data folder of a hub');
  expect(ran.code).toBe(3);
});
