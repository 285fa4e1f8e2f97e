/**
 * A worker in front of a beacon of the legacy capabilities, in real processes: the rows of the fold
 * through outages and kills, refusals, and rows that were only in memory.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { subjects } from '../../../contracts/subjects.ts';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import { compareWithFold } from '../../kit/rows/compare.ts';
import { foldCalls } from '../../kit/rows/fold.ts';
import { publish } from '../../kit/processes/hub.ts';
import { legacyDocs, legacyRows } from '../../kit/rows/legacy-rows.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { guidOf, sampleWrites } from '../../kit/rows/trace.ts';
import { until } from '../../kit/until.ts';

const calls = sampleWrites(400);

/** Asks the beacon itself. */
async function askBeacon(
  stack: Stack,
  capability: string,
  action: string,
  Settings: object,
): Promise<Record<string, unknown>> {
  const reply = await stack.hub.request(
    subjects.capability('db-1', capability, action),
    JSON.stringify({ Settings }),
    { 'Content-Type': 'application/json' },
  );
  return (JSON.parse(Buffer.from(reply.data).toString()) as { Outputs: Record<string, unknown> })
    .Outputs;
}

/**
 * Events of each work item, in the order in which the beacon got them, are in the order of
 * acceptance.
 */
function arrivals(stack: Stack): Map<string, unknown[]> {
  return new Map(
    [
      ...Map.groupBy(legacyDocs(stack.legacyPath, 'events'), (event) =>
        String(event['WorkItemHash']),
      ),
    ].map(([hash, events]) => [hash, events.map((event) => event['EventGUID'])]),
  );
}

describe('rows in a file', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ provider: 'sqlite' });
  }, 120_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });
  const differences = () =>
    compareWithFold(
      legacyRows(stack.legacyPath, stack.hubId),
      foldCalls(calls, stack.hubId),
      stack.hubId,
    ).first;

  test('the status says legacy, bootstrapped, on the bus and on the command line', async () => {
    const { State, Queue, Manifest } = await stack.status();
    expect([State, Queue.Carrier, Manifest.Carrier, Queue.State, Queue.LastError]).toEqual([
      'bootstrapped',
      'legacy',
      'legacy',
      'bootstrapped',
      null,
    ]);
    const told = await tidemark(['status', '--nats', stack.nats.url, '--data', stack.workerFile()]);
    expect([told.code, told.stdout]).toEqual([0, expect.stringContaining('legacy')]);
  });

  test('0 means its one store as 1 does; of a beacon with databases, or one nobody knows, it is refused', async () => {
    const assign = (beacon: string, connection: string) =>
      tidemark([
        'assign',
        beacon,
        connection,
        '--nats',
        stack.nats.url,
        '--data',
        stack.workerFile(),
      ]);
    expect(await assign('db-1', '0')).toMatchObject({ code: 0 });
    await until('it is bootstrapped', async () => {
      const { State, Queue } = await stack.status();
      return State === 'bootstrapped' && Queue.IDBeaconConnection === 0;
    });
    expect(await assign('db-1', '1')).toMatchObject({ code: 0 });
    await until('it is bootstrapped', async () => {
      const { State, Queue } = await stack.status();
      return State === 'bootstrapped' && Queue.IDBeaconConnection === 1;
    });
    const refused = await assign('nobody', '0');
    expect([refused.code === 0, refused.stderr]).toEqual([
      false,
      expect.stringContaining('IDBeaconConnection'),
    ]);
  });

  test('recorded traffic through kill -9 of beacon and worker ends as its fold, events once (I2, I3, I7)', async () => {
    const killAt = [
      [40, 'beacon'],
      [110, 'worker'],
      [170, 'beacon'],
      [230, 'beacon'],
      [290, 'worker'],
    ] as const;
    const left = [...killAt];
    let killing = Promise.resolve();
    const published = await publish(stack.hub.client, calls, 16, (answered) => {
      const next = left[0];
      if (!next || answered < next[0]) return null;
      left.shift();
      killing = killing.then(async () => {
        await stack[next[1]].kill();
        stack[next[1]].restart();
      });
      return null;
    });
    await killing;
    expect([published.refused, left]).toEqual([[], []]);
    const status = await stack.drained(90_000);
    expect([
      status.Queue.DeadLetters,
      status.Manifest.DeadLetters,
      status.Balance.queue.Difference,
      status.Balance.manifest.Difference,
    ]).toEqual([0, 0, 0, 0]);
    expect(differences()).toEqual([]);
    const accepted = Map.groupBy(
      published.accepted.filter((one) => one.method === 'appendEvent'),
      (one) => (one.args[0] as { WorkItemHash: string }).WorkItemHash,
    );
    for (const [hash, events] of arrivals(stack))
      expect(events).toEqual(
        accepted
          .get(hash)
          ?.toSorted((a, b) => a.seq - b.seq)
          .map((one) => one.eventGuid),
      );
  }, 240_000);

  test('sent a second time nothing changes (I3)', async () => {
    const before = legacyRows(stack.legacyPath, stack.hubId);
    expect((await publish(stack.hub.client, calls)).duplicates).toBe(calls.length);
    await stack.drained();
    expect(legacyRows(stack.legacyPath, stack.hubId)).toEqual(before);
  }, 60_000);

  test('an outage: accepted, read from the journal, then delivered in order; old rows stay (I1, I5)', async () => {
    const { client } = stack.hub;
    await stack.beacon.kill();
    await until('it is away', async () => (await stack.status()).State === 'waiting-for-beacon');
    await client.upsertWorkItem({
      WorkItemHash: 'away-1',
      Status: 'Pending',
      EnqueuedAt: '2026-01-01T00:00:00.000Z',
    });
    for (let n = 0; n < 50; n++)
      await client.updateWorkItem('away-1', { Priority: n, Status: 'Running' });
    expect(await client.getWorkItemByHash('away-1')).toMatchObject({
      Source: 'journal',
      WorkItem: { Priority: 49 },
    });
    expect((await stack.status()).Queue.Pending).toBe(51);
    stack.beacon.restart();
    await stack.drained();
    expect(await client.getWorkItemByHash('away-1')).toMatchObject({
      Source: 'beacon',
      WorkItem: { Priority: 49, Status: 'Running' },
    });
    expect(await client.listWorkItems({ OrderBy: '-EnqueuedAt', Limit: 1_000 })).toMatchObject({
      Source: 'beacon',
    });
    expect(differences().filter((one) => one.what !== 'extra')).toEqual([]);
  }, 90_000);

  test('a refused write is a dead letter and its key waits until it is given up; the others flow (I7)', async () => {
    const { client } = stack.hub;
    const stolen = {
      EventGUID: guidOf('stolen'),
      WorkItemHash: 'bad',
      EventType: 'of another hub',
      EmittedAt: '1',
    };
    expect(await askBeacon(stack, 'QueuePersistence', 'QP_AppendEvent', { Event: stolen })).toEqual(
      { Success: true },
    );
    await client.upsertWorkItem({ WorkItemHash: 'bad', Status: 'one' });
    await client.appendEvent({ ...stolen, EventType: 'ours' });
    await client.updateWorkItem('bad', { Status: 'two' });
    await client.upsertWorkItem(
      { WorkItemHash: 'good', Status: 'fine' },
      { Wait: 'applied', WaitMs: 20_000 },
    );
    const dead = () =>
      stack.control<{ DeadLetters: { Seq: number; Reason: string }[] }>('dead-letters', {
        Verb: 'list',
      });
    const [letter] = await until('it is a dead letter', async () => {
      const list = (await dead()).DeadLetters;
      return list.length > 0 ? list : null;
    });
    expect(letter?.Reason).toMatch(/exists with other values in EventType/);
    const kept = async () =>
      (await askBeacon(stack, 'QueuePersistence', 'QP_GetWorkItemByHash', { WorkItemHash: 'bad' }))[
        'WorkItem'
      ];
    await until(
      'what waits is counted',
      async () => (await stack.status()).Queue.DeadLetters === 1,
    );
    expect(await kept()).toMatchObject({ Status: 'one' });
    expect(await client.getWorkItemByHash('bad')).toMatchObject({
      Source: 'merged',
      WorkItem: { Status: 'two' },
    });
    await stack.control('dead-letters', { Verb: 'drop', Seq: letter?.Seq });
    await stack.drained();
    expect(await kept()).toMatchObject({ Status: 'two' });
  }, 60_000);

  test('an orderly restart of the beacon keeps all and sends nothing again', async () => {
    const before = (await stack.status()).Balance.queue;
    const rows = legacyRows(stack.legacyPath, stack.hubId);
    expect(await stack.beacon.stop()).toBe('exit 0');
    stack.beacon.restart();
    await until('it is there again', async () => (await stack.status()).State === 'bootstrapped');
    expect(await stack.hub.client.getWorkItemByHash('good')).toMatchObject({
      Source: 'beacon',
      WorkItem: { Status: 'fine' },
    });
    expect((await stack.status()).Balance.queue).toEqual(before);
    expect(legacyRows(stack.legacyPath, stack.hubId)).toEqual(rows);
  }, 60_000);
});

test('rows in memory: after kill -9 of their beacon all is sent again, reads are those of the fold (I4)', async () => {
  await using stack = await Stack.start({ provider: 'memory' });
  await publish(stack.hub.client, calls);
  await stack.drained();
  await stack.beacon.kill();
  stack.beacon.restart();
  const items = [...foldCalls(calls, stack.hubId).UVQueueWorkItem.values()];
  await until(
    'all of them are there again',
    async () => {
      const { WorkItems } = await askBeacon(stack, 'QueuePersistence', 'QP_ListWorkItems', {
        Filter: { Limit: 5_000 },
      });
      return Array.isArray(WorkItems) && WorkItems.length === items.length;
    },
    { deadlineMs: 30_000 },
  );
  const status = await stack.drained();
  expect([status.Queue.Carrier, status.Queue.DeadLetters]).toEqual(['legacy', 0]);
  for (const item of items) {
    const read = await stack.hub.client.getWorkItemByHash(String(item['WorkItemHash']));
    expect(read).toMatchObject({
      Source: 'beacon',
      WorkItem: {
        Status: item['Status'],
        Priority: item['Priority'],
        CompletedAt: item['CompletedAt'],
      },
    });
  }
  for (const run of foldCalls(calls, stack.hubId).UVManifest.values()) {
    expect(await stack.hub.client.getManifest(String(run['Hash']))).toMatchObject({
      Source: 'beacon',
      Manifest: JSON.parse(String(run['ManifestJSON'])) as object,
    });
  }
}, 120_000);
