/**
 * Recorded traffic through the real processes: the database equals the independent fold, once and
 * again, with either carrier and either client.
 */
import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { subjects } from '../../contracts/subjects.ts';
import { compareWithFold, readRows } from '../kit/rows/compare.ts';
import { foldCalls } from '../kit/rows/fold.ts';
import { connectHub, publish } from '../kit/processes/hub.ts';
import { orderComplaints } from '../kit/rows/order.ts';
import { Stack } from '../kit/processes/stack.ts';
import { guidOf, sampleWrites, type TraceCall } from '../kit/rows/trace.ts';

const calls = sampleWrites(600);
const tables = ['UVQueueWorkItem', 'UVQueueWorkItemEvent', 'UVQueueWorkItemAttempt', 'UVManifest'];
const compare = (stack: Stack, given: readonly TraceCall[]) =>
  compareWithFold(stack.backendPath, foldCalls(given, stack.hubId), stack.hubId).first;

describe.for([
  { carrier: 'batch', beaconArgs: [] },
  { carrier: 'meadow-proxy', beaconArgs: ['--no-batch'] },
])('the trace through $carrier', ({ carrier, beaconArgs }) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ beaconArgs });
  }, 120_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  test('the database equals the fold of the calls, each key in order (I7)', async () => {
    const published = await publish(stack.hub.client, calls);
    expect(published.refused).toEqual([]);
    expect(published.duplicates).toBe(0);
    const status = await stack.drained(120_000);
    expect(status.Queue.Carrier).toBe(carrier);
    expect(compare(stack, calls)).toEqual([]);
    expect(orderComplaints(stack.backendPath, stack.hubId, published.accepted)).toEqual([]);
    expect(Object.values(status.Balance).map((lane) => lane.Difference)).toEqual([0, 0]);
  }, 180_000);

  test('the same calls a second time are all duplicates and change nothing (I3)', async () => {
    const before = tables.map((table) => readRows(stack.backendPath, table));
    const again = await publish(stack.hub.client, calls);
    expect(again.duplicates).toBe(calls.length);
    await stack.drained();
    expect(tables.map((table) => readRows(stack.backendPath, table))).toEqual(before);
  }, 120_000);
});

describe('hubs of other kinds', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ hub: 'other-hub' });
  }, 120_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  test('a hub on the 2.x NATS client with plain JSON in batches gets the same rows', async () => {
    await using hub = await connectHub(stack.nats.url, {
      library: 'v2',
      hub: stack.hubId,
      encoding: 'json',
      batch: true,
    });
    const published = await publish(hub.client, calls, 128);
    expect(published.refused).toEqual([]);
    await stack.drained();
    expect(compare(stack, calls)).toEqual([]);
  }, 120_000);

  test('a plain request without headers is answered in JSON, synced, and found again by every read', async () => {
    const Settings = {
      WorkItem: {
        WorkItemHash: 'plain-1',
        Status: 'Pending',
        Settings: { deep: [1] },
        EnqueuedAt: '2026-01-01T00:00:00.000Z',
        Strange: 'kept',
      },
    };
    const send = async (action: string, body: object) => {
      const reply = await stack.hub.request(
        subjects.action(stack.hubId, 'queue', action),
        JSON.stringify(body),
      );
      expect(reply.data[0]).toBe(0x7b);
      return JSON.parse(Buffer.from(reply.data).toString()) as Record<string, unknown>;
    };
    const EventGUID = guidOf('plain');
    const first = await send('QP_UpsertWorkItem', { EventGUID, Settings });
    expect(first).toMatchObject({
      Available: true,
      Success: true,
      Durability: 'synced',
      EventGUID,
      Duplicate: false,
    });
    expect(Number.isSafeInteger(first['Seq'])).toBe(true);
    expect(await send('QP_UpsertWorkItem', { EventGUID, Settings })).toMatchObject({
      Success: true,
      Duplicate: true,
      Seq: first['Seq'],
    });
    expect(
      await send('QP_UpsertWorkItem', {
        EventGUID,
        Settings: { WorkItem: { WorkItemHash: 'plain-2' } },
      }),
    ).toMatchObject({ Success: false, Code: 'CONFLICT' });
    expect(
      await send('QP_GetWorkItemByHash', { Settings: { WorkItemHash: 'plain-1' } }),
    ).toMatchObject({
      Success: true,
      WorkItem: { WorkItemHash: 'plain-1', Settings: { deep: [1] } },
    });
    expect(
      await send('QP_GetWorkItemByHash', { Settings: { WorkItemHash: 'nowhere' } }),
    ).toMatchObject({ Success: true, WorkItem: null });
    expect(await send('QP_GetEvents', { Settings: { WorkItemHash: 'plain-1' } })).toMatchObject({
      Success: true,
      Events: [],
    });
  });

  test('the same write in MessagePack is a duplicate of the one in JSON: encoding is not content (I3)', async () => {
    const write = { EventGUID: guidOf('both-encodings') };
    await using json = await connectHub(stack.nats.url, { hub: stack.hubId, encoding: 'json' });
    const item = {
      WorkItemHash: 'both',
      Priority: 3,
      Health: 0.25,
      Settings: { z: 1, a: [null, true] },
    };
    const first = await json.client.upsertWorkItem(item, write);
    expect(await stack.hub.client.upsertWorkItem(item, write)).toMatchObject({
      Seq: first.Seq,
      Duplicate: true,
    });
  });

  test('with Wait: applied the answer comes once the database has the write', async () => {
    const reply = await stack.hub.client.upsertWorkItem(
      { WorkItemHash: 'waited', Status: 'Running' },
      { Wait: 'applied', WaitMs: 20_000 },
    );
    expect(reply.Durability).toBe('applied');
    expect(
      readRows(stack.backendPath, 'UVQueueWorkItem').find(
        (row) => row['WorkItemHash'] === 'waited',
      ),
    ).toMatchObject({ Status: 'Running', HubID: stack.hubId });
  });

  test('a removed manifest is hidden, and a later upsert brings it back', async () => {
    const { client } = stack.hub;
    await client.upsertManifest({ Hash: 'run-x', Status: 'Waiting', Output: { a: 1 } });
    await client.removeManifest('run-x', { Wait: 'applied', WaitMs: 20_000 });
    expect(await client.getManifest('run-x')).toMatchObject({ Success: true, Manifest: null });
    await client.upsertManifest(
      { Hash: 'run-x', Status: 'Complete', Output: { a: 2 } },
      { Wait: 'applied', WaitMs: 20_000 },
    );
    expect(await client.getManifest('run-x')).toMatchObject({
      Success: true,
      Manifest: { Hash: 'run-x', Status: 'Complete', Output: { a: 2 } },
    });
  });

  test('a manifest larger than a message arrives whole through chunks', async () => {
    const Log = Array.from({ length: 350_000 }, (_, index) => guidOf(String(index)));
    const reply = await stack.hub.client.upsertManifest(
      { Hash: 'run-large', Status: 'Complete', Log },
      { Wait: 'applied', WaitMs: 40_000 },
    );
    expect(reply).toMatchObject({ Success: true, Durability: 'applied' });
    const row = readRows(stack.backendPath, 'UVManifest').find(
      (one) => one['Hash'] === 'run-large',
    );
    expect(JSON.parse(String(row?.['ManifestJSON']))).toEqual({
      Hash: 'run-large',
      Status: 'Complete',
      Log,
    });
    expect(statSync(stack.backendPath).size).toBeGreaterThan(8_000_000);
  }, 120_000);
});
