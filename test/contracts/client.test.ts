/**
 * The hub client against a scripted worker on a real bus, over the 3.x NATS client and the 2.x one.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isGuid } from '../../contracts/envelope.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { connectHub } from '../kit/processes/hub.ts';
import { TestNats } from '../kit/servers/nats.ts';
import { accept, type Heard, ScriptedWorker } from '../kit/processes/scripted-worker.ts';
import { guidOf } from '../kit/rows/trace.ts';
import { until } from '../kit/until.ts';

let nats: TestNats;
beforeAll(async () => {
  nats = await TestNats.start();
});
afterAll(async () => {
  await nats[Symbol.asyncDispose]();
});

const fast = { retry: { firstMs: 5, longestMs: 20 }, timeoutMs: 150 };
const item = (WorkItemHash: string, more: object = {}) => ({
  WorkItemHash,
  Status: 'Pending',
  ...more,
});
const guids = (heard: Heard[]) => heard.map(({ body }) => body['EventGUID']);
const workItemOf = ({ body }: Heard) => (body['Settings'] as JsonObject)['WorkItem'] as JsonObject;

describe.for(['v3', 'v2'] as const)('client over nats %s', (library) => {
  const hubOf = (options: object = {}) =>
    connectHub(nats.url, { library, hub: `hub-${library}`, ...fast, ...options });
  const workerOf = (answer?: ScriptedWorker['answer']) =>
    ScriptedWorker.start(nats.url, `hub-${library}`, answer);

  test.for(['msgpack', 'json'] as const)(
    'every action reaches its subject with its Settings, in %s',
    async (encoding) => {
      await using worker = await workerOf();
      await using hub = await hubOf({ encoding });
      const { client } = hub;
      await client.upsertWorkItem(item('w'));
      await client.updateWorkItem(
        'w',
        { Status: 'Running' },
        { RemoteUser: 'ann', At: '2026-01-01T00:00:00.000Z' },
      );
      await client.insertAttempt({ WorkItemHash: 'w', AttemptNumber: 1 });
      await client.updateAttemptOutcome('w', 1, { Outcome: 'Complete' });
      await client.upsertManifest({ Hash: 'm' });
      await client.removeManifest('m');
      await client.getWorkItemByHash('w');
      await client.listWorkItems({ Status: ['Pending'], Limit: 3 });
      await client.getEvents('w', 7);
      await client.getManifest('m');
      await client.listManifests();
      expect(worker.heard.map(({ action, body }) => [action, body['Settings']])).toEqual([
        ['QP_UpsertWorkItem', { WorkItem: { WorkItemHash: 'w', Status: 'Pending' } }],
        ['QP_UpdateWorkItem', { WorkItemHash: 'w', Patch: { Status: 'Running' } }],
        ['QP_InsertAttempt', { Attempt: { WorkItemHash: 'w', AttemptNumber: 1 } }],
        [
          'QP_UpdateAttemptOutcome',
          { WorkItemHash: 'w', AttemptNumber: 1, Patch: { Outcome: 'Complete' } },
        ],
        ['MS_UpsertManifest', { Manifest: { Hash: 'm' } }],
        ['MS_RemoveManifest', { RunHash: 'm' }],
        ['QP_GetWorkItemByHash', { WorkItemHash: 'w' }],
        ['QP_ListWorkItems', { Filter: { Status: ['Pending'], Limit: 3 } }],
        ['QP_GetEvents', { WorkItemHash: 'w', Limit: 7 }],
        ['MS_GetManifest', { RunHash: 'm' }],
        ['MS_ListManifests', { Filter: {} }],
      ]);
      expect(worker.heard[1]?.body).toMatchObject({
        RemoteUser: 'ann',
        At: '2026-01-01T00:00:00.000Z',
      });
      const written = guids(worker.heard.slice(0, 6));
      expect(written.every(isGuid)).toBe(true);
      expect(new Set(written).size).toBe(6);
    },
  );

  test("events get EventGUID, Seq, EmittedAt, the same for event and write; the caller's identity stays", async () => {
    await using worker = await workerOf();
    await using hub = await hubOf();
    await hub.client.appendEvent({ WorkItemHash: 'w', EventType: 'enqueued' });
    await hub.client.appendEvent({
      WorkItemHash: 'w',
      EventType: 'dispatched',
      Seq: 40,
      EmittedAt: 'then',
    });
    await hub.client.appendEvent({ WorkItemHash: 'w', EventType: 'completed' });
    await hub.client.appendEvent({ WorkItemHash: 'w' }, { EventGUID: guidOf('mine') });
    const events = worker.heard.map(
      ({ body }) => (body['Settings'] as JsonObject)['Event'] as JsonObject,
    );
    expect(events.map((event) => event['EventGUID'])).toEqual(guids(worker.heard));
    expect(events.map((event) => event['Seq'])).toEqual([1, 40, 2, undefined]);
    expect(events[0]?.['EmittedAt']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(events[1]?.['EmittedAt']).toBe('then');
    expect(events[3]).toEqual({ WorkItemHash: 'w', EventGUID: guidOf('mine') });
  });

  test('refusals that pass, silence and nobody there are tried again with the same EventGUID', async () => {
    await using hub = await hubOf();
    const accepted = hub.client.upsertWorkItem(item('w'));
    const script = [
      'silence',
      { refuse: 'OVERLOADED', retryAfterMs: 30 },
      { refuse: 'UNAVAILABLE' },
      { refuse: 'STORAGE_FAILED' },
    ] as const;
    await using worker = await workerOf(({ body }, count) => script[count - 1] ?? accept(body));
    await expect(accepted).resolves.toMatchObject({ Success: true, Seq: 1 });
    expect(worker.heard.length).toBe(5);
    expect(new Set(guids(worker.heard)).size).toBe(1);
  });

  test.for(['INVALID_MESSAGE', 'CONFLICT', 'TOO_LARGE', 'INTERNAL'] as const)(
    '%s is not tried again',
    async (refuse) => {
      await using worker = await workerOf();
      await using hub = await hubOf();
      worker.answer = () => ({ refuse });
      await expect(hub.client.upsertWorkItem(item('w'))).rejects.toMatchObject({
        code: refuse,
        message: 'refused by the script',
      });
      expect(worker.heard.length).toBe(1);
    },
  );

  test('after giveUpMs the caller gets the last error', async () => {
    await using worker = await workerOf();
    await using hub = await hubOf({ retry: { firstMs: 5, longestMs: 10, giveUpMs: 60 } });
    worker.answer = () => ({ refuse: 'OVERLOADED' });
    await expect(hub.client.upsertWorkItem(item('w'))).rejects.toMatchObject({
      code: 'OVERLOADED',
    });
    expect(worker.heard.length).toBeGreaterThan(1);
  });

  test('one write of a key is unanswered at a time, the others follow in order, other keys go on (I7)', async () => {
    await using worker = await workerOf();
    await using hub = await hubOf({ timeoutMs: 5_000 });
    const gate = Promise.withResolvers<undefined>();
    worker.answer = async (heard) => {
      if (workItemOf(heard)['WorkItemHash'] === 'slow') await gate.promise;
      return accept(heard.body);
    };
    const slow = [1, 2, 3].map((Priority) => hub.client.upsertWorkItem(item('slow', { Priority })));
    await Promise.all(
      [1, 2, 3].map((Priority) => hub.client.upsertWorkItem(item(`quick${Priority}`))),
    );
    expect(
      worker.heard.filter((heard) => workItemOf(heard)['WorkItemHash'] === 'slow').length,
    ).toBe(1);
    expect(hub.client.unanswered).toBe(3);
    gate.resolve(undefined);
    await Promise.all(slow);
    expect(
      worker.heard
        .map(workItemOf)
        .filter((one) => one['WorkItemHash'] === 'slow')
        .map((one) => one['Priority']),
    ).toEqual([1, 2, 3]);
    expect(hub.client.unanswered).toBe(0);
  });

  test('a refused write does not hold up the next one of its key', async () => {
    await using worker = await workerOf();
    await using hub = await hubOf();
    worker.answer = ({ body }, count) =>
      count === 1 ? { refuse: 'INVALID_MESSAGE' } : accept(body);
    const both = await Promise.allSettled([
      hub.client.updateWorkItem('w', { Status: 'bad' }),
      hub.client.updateWorkItem('w', { Status: 'good' }),
    ]);
    expect(both.map((one) => one.status)).toEqual(['rejected', 'fulfilled']);
  });

  test('arguments are taken as they are at the call, and undefined members are not sent', async () => {
    await using worker = await workerOf();
    await using hub = await hubOf();
    const mutable = item('w', { Result: undefined, At: new Date(0) });
    const both = [hub.client.upsertWorkItem(mutable), hub.client.upsertWorkItem(mutable)];
    mutable.Status = 'changed';
    await Promise.all(both);
    expect(worker.heard.map(workItemOf)).toEqual(
      [1, 2].map(() => ({ WorkItemHash: 'w', Status: 'Pending', At: '1970-01-01T00:00:00.000Z' })),
    );
  });

  test('batch mode: keys share a request, a key is in one at a time, each item has its own answer', async () => {
    await using worker = await workerOf();
    await using hub = await hubOf({ batch: { itemsMax: 10, delayMs: 3 }, timeoutMs: 5_000 });
    worker.answer = ({ body }) => {
      const reply = accept(body);
      const results = reply['Results'] as JsonObject[];
      const bad = (body['Items'] as JsonObject[]).findIndex((one) =>
        JSON.stringify(one).includes('"bad"'),
      );
      if (bad >= 0)
        results[bad] = { Available: true, Success: false, Code: 'INVALID_MESSAGE', Reason: 'bad' };
      return reply;
    };
    const writes = Array.from({ length: 40 }, (_, index) =>
      hub.client.updateWorkItem(`w${index % 20}`, {
        Priority: index,
        ...(index === 7 ? { Status: 'bad' } : {}),
      }),
    );
    const settled = await Promise.allSettled(writes);
    expect(settled.flatMap((one, index) => (one.status === 'rejected' ? [index] : []))).toEqual([
      7,
    ]);
    expect(worker.heard.every(({ action }) => action === 'batch')).toBe(true);
    expect(worker.heard.length).toBeLessThan(20);
    const items = worker.heard.map(({ body }) =>
      (body['Items'] as JsonObject[]).map((one) => one['Settings'] as JsonObject),
    );
    for (const batch of items)
      expect(new Set(batch.map((one) => one['WorkItemHash'])).size).toBe(batch.length);
    const order = items
      .flat()
      .map((one) => [one['WorkItemHash'], (one['Patch'] as JsonObject)['Priority']]);
    for (let key = 0; key < 20; key++)
      expect(order.filter(([hash]) => hash === `w${key}`).map(([, priority]) => priority)).toEqual([
        key,
        key + 20,
      ]);
  });

  test('batch mode: a lost batch is tried again with the same EventGUIDs', async () => {
    await using worker = await workerOf();
    await using hub = await hubOf({ batch: true });
    worker.answer = ({ body }, count) => (count === 1 ? 'silence' : accept(body));
    await Promise.all(['a', 'b', 'c'].map((hash) => hub.client.upsertWorkItem(item(hash))));
    const sent = worker.heard.map(({ body }) =>
      (body['Items'] as JsonObject[]).map((one) => String(one['EventGUID'])),
    );
    expect(new Set(sent.slice(1).flat())).toEqual(new Set(sent[0]));
  });

  test('above 64 KiB a body is gzipped', async () => {
    await using worker = await workerOf();
    await using hub = await hubOf();
    await hub.client.upsertManifest({ Hash: 'm', Log: 'line\n'.repeat(100_000) });
    expect(worker.heard[0]).toMatchObject({ zipped: true });
    expect(worker.heard[0]?.bytes).toBeLessThan(64 * 1024);
  });

  test.for(['msgpack', 'json'] as const)(
    'above max_payload a body goes in chunks, and the last answer is that of the whole (%s)',
    async (encoding) => {
      await using worker = await workerOf();
      await using hub = await hubOf({ encoding, timeoutMs: 10_000 });
      const manifest = { Hash: 'm', Log: randomBytes(9_000_000).toString('base64') };
      await expect(hub.client.upsertManifest(manifest)).resolves.toMatchObject({
        Success: true,
        Durability: 'synced',
      });
      expect(worker.chunks).toBeGreaterThan(1);
      expect(worker.heard.length).toBe(1);
      expect(worker.heard[0]?.action).toBe('MS_UpsertManifest');
      expect(worker.heard[0]?.body['Settings']).toEqual({ Manifest: manifest });
    },
  );

  test('over 64 MiB is TOO_LARGE before anything is sent, also where gzip would make it small (I9)', async () => {
    await using worker = await workerOf();
    await using hub = await hubOf();
    await expect(
      hub.client.upsertManifest({ Hash: 'm', Log: 'x'.repeat(limits.bodyBytesMax) }),
    ).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(worker.heard.length + worker.chunks).toBe(0);
  });

  test('a closed connection is CLOSED at once', async () => {
    const hub = await hubOf();
    await hub[Symbol.asyncDispose]();
    await expect(hub.client.upsertWorkItem(item('w'))).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('the bus killed and started again in the middle loses nothing: same EventGUID, accepted', async () => {
    await using own = await TestNats.start();
    await using hub = await connectHub(own.url, { library, ...fast });
    await own.kill();
    const accepted = hub.client.upsertWorkItem(item('w'));
    await until('the write waits', () => hub.client.unanswered === 1);
    await own.start();
    await using worker = await ScriptedWorker.start(own.url);
    await expect(accepted).resolves.toMatchObject({ Success: true });
    expect(new Set(guids(worker.heard)).size).toBe(1);
  });
});
