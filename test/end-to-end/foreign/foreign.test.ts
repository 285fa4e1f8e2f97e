/**
 * A worker in front of a beacon with the incumbent's quirks, in real processes: the same rows as
 * the independent fold, through kills of both.
 */
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../contracts/body/json-value.ts';
import { compareWithFold } from '../../kit/rows/compare.ts';
import { foldCalls } from '../../kit/rows/fold.ts';
import { connectHub, publish, type TestHub } from '../../kit/processes/hub.ts';
import { killRun } from '../../kit/processes/kill-run.ts';
import { orderComplaints } from '../../kit/rows/order.ts';
import { TidemarkProcess } from '../../kit/processes/processes.ts';
import type { Quirk } from '../../kit/quirky/quirky-beacon.ts';
import { quirkyRows } from '../../kit/quirky/quirky-beacon-rows.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { sampleWrites } from '../../kit/rows/trace.ts';
import { until } from '../../kit/until.ts';

const calls = sampleWrites(400);
const settled = { Wait: 'applied', WaitMs: 30_000 } as const;

async function listed(client: TestHub['client'], filter: JsonObject): Promise<unknown[]> {
  const { WorkItems } = await client.listWorkItems(filter);
  return (WorkItems as JsonObject[]).map((item) => item['WorkItemHash']);
}

const variants: { quirks: Quirk[] }[] = [
  { quirks: [] },
  { quirks: ['put-ignores-deleted', 'no-nonce', 'shut'] },
];

function rowsIn(stack: Stack, table: string): Record<string, unknown>[] {
  return (
    (quirkyRows(stack.backendPath) as ReadonlyMap<string, Record<string, unknown>[]>).get(table) ??
    []
  );
}

describe.for(variants)(
  "what a worker writes to a beacon with the incumbent's quirks $quirks",
  ({ quirks }) => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await Stack.start({ quirks });
    }, 120_000);
    afterAll(async () => {
      await stack?.[Symbol.asyncDispose]();
    });
    const rowsOf = (table: string) => rowsIn(stack, table);

    test('recorded traffic ends as its fold, each key in order; a second time changes nothing (I3, I7)', async () => {
      const published = await publish(stack.hub.client, calls);
      expect(published.refused).toEqual([]);
      const status = await stack.drained(120_000);
      expect(status.Queue).toMatchObject({ Carrier: 'meadow-proxy', DeadLetters: 0 });
      const rows = quirkyRows(stack.backendPath);
      expect(compareWithFold(rows, foldCalls(calls, stack.hubId), stack.hubId).first).toEqual([]);
      expect(orderComplaints(rows, stack.hubId, published.accepted)).toEqual([]);
      expect((await publish(stack.hub.client, calls)).duplicates).toBe(calls.length);
      await stack.drained();
      expect(quirkyRows(stack.backendPath)).toEqual(rows);
    }, 180_000);

    test('defect 13: an upsert after a remove brings the row back, again and again', async () => {
      const { client } = stack.hub;
      for (const round of [1, 2]) {
        await client.upsertManifest(
          { Hash: 'run-x', Status: 'Waiting', Output: { round } },
          settled,
        );
        await client.removeManifest('run-x', settled);
        expect(rowsOf('UVManifest').filter((row) => row['Hash'] === 'run-x')).toMatchObject([
          { Deleted: 1 },
        ]);
        expect(await client.getManifest('run-x')).toMatchObject({ Success: true, Manifest: null });
      }
      await client.upsertManifest({ Hash: 'run-x', Status: 'Complete', Output: { a: 2 } }, settled);
      expect(rowsOf('UVManifest').filter((row) => row['Hash'] === 'run-x')).toMatchObject([
        { Deleted: 0, Status: 'Complete' },
      ]);
      expect(await client.getManifest('run-x')).toMatchObject({
        Success: true,
        Manifest: { Status: 'Complete' },
      });
    }, 60_000);

    test('defect 37: hashes with filter text in them are written, updated and read as themselves', async () => {
      const { client } = stack.hub;
      const hashes = [
        'a~b',
        'a_b',
        'axb',
        'A~b',
        'nosuch~FBVOR~Status~EQ~Pending',
        'a,b',
        'a\\b',
        '100%',
        "o'brien",
        'a%7Eb',
      ];
      for (const WorkItemHash of hashes)
        await client.upsertWorkItem({ WorkItemHash, Status: 'Pending', RunID: 'tilde' });
      await client.updateWorkItem('nosuch~FBVOR~Status~EQ~Pending', { Status: 'HACKED' });
      await client.updateWorkItem('a~b', { Status: 'Mine' }, settled);
      await stack.drained();
      const found = Object.fromEntries(
        rowsOf('UVQueueWorkItem')
          .filter((row) => row['RunID'] === 'tilde')
          .map((row) => [row['WorkItemHash'], row['Status']]),
      );
      expect(found).toEqual({
        ...Object.fromEntries(hashes.map((hash) => [hash, 'Pending'])),
        'a~b': 'Mine',
        'nosuch~FBVOR~Status~EQ~Pending': 'HACKED',
      });
      for (const hash of hashes)
        expect(await client.getWorkItemByHash(hash)).toMatchObject({
          Success: true,
          WorkItem: { WorkItemHash: hash },
        });
    }, 60_000);

    test('defect 32: lists go beyond the page the beacon gives', async () => {
      const { client } = stack.hub;
      for (let index = 0; index < 620; index++)
        void client
          .upsertWorkItem({
            WorkItemHash: `many-${String(index).padStart(4, '0')}`,
            RunID: 'many',
            EnqueuedAt: '2026-01-01T00:00:00.000Z',
          })
          .catch(() => undefined);
      const hashes = await until(
        'all are listed',
        async () => {
          const items = await listed(client, {
            RunID: 'many',
            Limit: 1_000,
            OrderBy: 'WorkItemHash',
          });
          if (items.length !== 620) throw new Error(`${items.length} of 620`);
          return items;
        },
        { deadlineMs: 40_000 },
      );
      expect(new Set(hashes).size).toBe(620);
      await stack.drained();
      expect(
        await listed(client, { RunID: 'many', Limit: 1_000, OrderBy: 'WorkItemHash' }),
      ).toEqual(hashes);
    }, 90_000);
  },
);

describe.for(variants)(
  "others beside a worker, with the incumbent's quirks $quirks",
  ({ quirks }) => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await Stack.start({ quirks });
    }, 120_000);
    afterAll(async () => {
      await stack?.[Symbol.asyncDispose]();
    });
    const rowsOf = (table: string) => rowsIn(stack, table);

    test('defect 11: what another row holds is no success, and an equal row is', async () => {
      const { client } = stack.hub;
      const write = (RunID: string) =>
        client.appendEvent({
          EventGUID: 'a7a7a7a7-0000-4000-8000-000000000001',
          WorkItemHash: 'twice',
          EventType: 'made',
          EmittedAt: '2026-01-01T00:00:00.000Z',
          RunID,
        });
      await write('one');
      await stack.drained();
      // The journal knows its own doubles; this row is somebody else's with the same GUID.
      const database = new Database(stack.backendPath);
      const insert = database.prepare(
        'INSERT INTO UVQueueWorkItemEvent (EventGUID, WorkItemHash, EventType, EmittedAt, ' +
          "HubID, Payload) VALUES (?, 'thrice', ?, '', ?, '{}')",
      );
      insert.run('a7a7a7a7-0000-4000-8000-000000000002', 'other', stack.hubId);
      database.close();
      await client.appendEvent({
        EventGUID: 'a7a7a7a7-0000-4000-8000-000000000002',
        WorkItemHash: 'thrice',
        EventType: 'made',
      });
      const status = await stack.drained();
      expect(status.Queue.DeadLetters).toBe(1);
      expect(
        rowsOf('UVQueueWorkItemEvent').filter((row) => row['WorkItemHash'] === 'thrice'),
      ).toMatchObject([{ EventType: 'other' }]);
      expect(
        rowsOf('UVQueueWorkItemEvent').filter((row) => row['WorkItemHash'] === 'twice'),
      ).toMatchObject([{ RunID: 'one' }]);
    }, 60_000);

    test('a restarted beacon forgot its endpoints and is bootstrapped anew (defects 23, 25)', async () => {
      const { client } = stack.hub;
      await client.upsertManifest({ Hash: 'run-x', Status: 'Complete' });
      await stack.beacon.kill();
      await client.upsertWorkItem({ WorkItemHash: 'meanwhile', Status: 'Pending' });
      stack.beacon.restart();
      await stack.drained();
      await stack.worker.kill();
      stack.worker.restart();
      await until(
        'the worker is back',
        async () => (await stack.status()).State === 'bootstrapped',
        { deadlineMs: 40_000 },
      );
      await client.updateWorkItem('meanwhile', { Status: 'Complete' }, settled);
      expect(
        rowsOf('UVQueueWorkItem').filter((row) => row['WorkItemHash'] === 'meanwhile'),
      ).toMatchObject([{ Status: 'Complete' }]);
    }, 120_000);

    test("defect 47: two hubs write the same hashes to the same tables and never see each other's rows", async () => {
      const dir = stack.workerFile('..', 'other-worker');
      await using worker = new TidemarkProcess([
        'worker',
        '--hub',
        'hub2',
        '--data',
        dir,
        '--http',
        '127.0.0.1:0',
        '--nats',
        stack.nats.url,
      ]);
      await using hub = await connectHub(stack.nats.url, { hub: 'hub2' });
      const control = () =>
        hub.request(
          'tidemark.hub2.control.assign',
          JSON.stringify({ BeaconID: 'db-1', IDBeaconConnection: 1 }),
          { 'Content-Type': 'application/json' },
        );
      await until(
        `the second worker is assigned\n${worker.tail()}`,
        async () =>
          Buffer.from((await control()).data)
            .toString()
            .includes('"db-1"'),
        { deadlineMs: 40_000 },
      );
      await hub.client.upsertWorkItem({ WorkItemHash: 'meanwhile', Status: 'Theirs' }, settled);
      await hub.client.upsertManifest({ Hash: 'run-x', Status: 'Theirs' }, settled);
      await hub.client.removeManifest('run-x', settled);
      const statuses = Object.fromEntries(
        rowsOf('UVQueueWorkItem')
          .filter((row) => row['WorkItemHash'] === 'meanwhile')
          .map((row) => [row['HubID'], row['Status']]),
      );
      expect(statuses).toEqual({ [stack.hubId]: 'Complete', hub2: 'Theirs' });
      expect(await stack.hub.client.getManifest('run-x')).toMatchObject({
        Manifest: { Status: 'Complete' },
      });
      expect(await listed(hub.client, { Limit: 1_000 })).toEqual(['meanwhile']);
    }, 120_000);
  },
);

test('worker and beacon killed again and again: nothing lost, nothing twice, order right (I1, I5, I7)', async () => {
  const report = await killRun({
    calls,
    killsEach: 2,
    seed: 41,
    only: ['worker', 'beacon'],
    quirks: ['shut'],
    drainMs: 120_000,
  });
  expect(report).toMatchObject({
    refused: [],
    sharedSeqs: 0,
    order: [],
    comparison: { differences: 0 },
    kills: { worker: 2, beacon: 2 },
  });
}, 240_000);
