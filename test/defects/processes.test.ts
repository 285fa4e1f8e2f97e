/**
 * Defects of the incumbent that show when processes die and return: real bus, worker and
 * databeacon, killed without warning.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRows } from '../kit/rows/compare.ts';
import { Stack } from '../kit/processes/stack.ts';
import { until } from '../kit/until.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
}, 120_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
});

const rows = (table: string) => readRows(stack.backendPath, table);
const marksFile = () =>
  JSON.parse(readFileSync(stack.workerFile('persistence-bridge-hwm.json'), 'utf8')) as {
    Queue: Record<string, Record<string, { Seq: number; Pending: number }>>;
  };

async function restartWorker(): Promise<void> {
  stack.worker.restart();
  await until('the worker answers', () => stack.status(), { deadlineMs: 30_000 });
}

describe('a burst', () => {
  test('defect 16: 1500 writes at once are all accepted and all delivered', async () => {
    const { client } = stack.hub;
    const replies = await Promise.all(
      Array.from({ length: 1_500 }, (_, n) =>
        client.upsertWorkItem({ WorkItemHash: `burst-${n}`, Status: 'Pending' }),
      ),
    );
    expect(replies.filter((reply) => !reply.Success)).toEqual([]);
    await stack.drained();
    expect(
      rows('UVQueueWorkItem').filter((row) => String(row['WorkItemHash']).startsWith('burst-')),
    ).toHaveLength(1_500);
  });
});

describe('the databeacon is killed and comes back', () => {
  test('defect 22: it keeps its id, the mark goes on from where it was, nothing is sent twice', async () => {
    const { client } = stack.hub;
    await client.upsertWorkItem({ WorkItemHash: 'beacon-1', Status: 'a' });
    await stack.drained();
    const before = await stack.status();
    await stack.beacon.kill();
    const during = await client.updateWorkItem('beacon-1', { Status: 'b' });
    stack.beacon.restart();
    const after = await stack.drained();
    expect(after.Queue.AssignedBeaconID).toBe(before.Queue.AssignedBeaconID);
    expect(after.Queue.Seq.Mark).toBe(during.Seq);
    expect(after.Balance.queue.Applied).toBe(before.Balance.queue.Applied + 1);
    await until(
      'the file for people follows',
      () => marksFile().Queue['db-1']?.['1']?.Seq === during.Seq,
    );
    expect(Object.keys(marksFile().Queue)).toEqual(['db-1']);
  });

  test('defect 21: what an operator sees as the id of a beacon is what he assigns', async () => {
    const headers = {
      Authorization: `Bearer ${readFileSync(stack.workerFile('token'), 'utf8').trim()}`,
      'Content-Type': 'application/json',
    };
    const beacons = (await (await fetch(`${stack.httpUrl}/api/beacons`, { headers })).json()) as
      | { Beacons?: { BeaconID: string }[] }
      | { BeaconID: string }[];
    const [seen] = Array.isArray(beacons) ? beacons : (beacons.Beacons ?? []);
    expect(seen?.BeaconID).toBe('db-1');
    const body = JSON.stringify({ BeaconID: seen?.BeaconID, IDBeaconConnection: 1 });
    const reply = await fetch(`${stack.httpUrl}/Ultravisor/Persistence/Assign`, {
      method: 'POST',
      headers,
      body,
    });
    expect(await reply.json()).toMatchObject({
      Success: true,
      Queue: { AssignedBeaconID: 'db-1' },
    });
    await stack.drained();
  });
});

describe('the worker is killed and comes back', () => {
  test('defect 23: against a databeacon that went on running, every path works', async () => {
    const { client } = stack.hub;
    await stack.worker.kill();
    await restartWorker();
    await client.upsertWorkItem({ WorkItemHash: 'worker-1', Status: 'a' });
    await stack.drained();
    expect(await client.getWorkItemByHash('worker-1')).toMatchObject({
      Source: 'beacon',
      WorkItem: { Status: 'a' },
    });
    expect(await client.listWorkItems({ RunID: 'none' })).toMatchObject({
      Success: true,
      WorkItems: [],
    });
  });

  test('defect 17: manifests accepted before are delivered after, without anybody holding them in memory', async () => {
    const { client } = stack.hub;
    await stack.beacon.kill();
    for (let n = 0; n < 20; n++)
      await client.upsertManifest({
        Hash: `run-${n}`,
        Status: n % 2 ? 'Complete' : 'Running',
        StopTime: n % 2 ? `${n}` : '',
      });
    await stack.worker.kill();
    await restartWorker();
    stack.beacon.restart();
    await stack.drained();
    expect(rows('UVManifest')).toHaveLength(20);
  });

  test('defect 19: killed between a delivery and its mark, it sends again and nothing is there twice', async () => {
    const { client } = stack.hub;
    const writes = Promise.allSettled(
      Array.from({ length: 300 }, (_, n) =>
        client.appendEvent({ WorkItemHash: `crash-${n % 5}`, EventType: 'x', Payload: { n } }),
      ),
    );
    for (let n = 0; n < 3; n++) {
      await until('something is delivered', async () => (await stack.status()).Queue.Seq.Mark > 0);
      await stack.worker.kill();
      await restartWorker();
    }
    const accepted = (await writes).filter((one) => one.status === 'fulfilled');
    expect(accepted).toHaveLength(300);
    await stack.drained();
    const events = rows('UVQueueWorkItemEvent').filter((row) =>
      String(row['WorkItemHash']).startsWith('crash-'),
    );
    expect(events).toHaveLength(300);
    expect((await stack.status()).Balance.queue.Difference).toBe(0);
  }, 120_000);

  test('defect 27: torn files for people take nothing with them, neither mark nor assignment', async () => {
    const before = await stack.drained();
    await stack.worker.stop();
    const names = ['persistence-bridge-hwm.json', 'persistence-assignment.json'].map((name) =>
      stack.workerFile(name),
    );
    for (const name of names) {
      expect(existsSync(name)).toBe(true);
      writeFileSync(name, '{"Queue": {"db-1": {"1": {"Seq"');
    }
    await restartWorker();
    await stack.hub.client.upsertWorkItem({ WorkItemHash: 'torn', Status: 'a' });
    const after = await stack.drained();
    expect(after.Queue).toMatchObject({ AssignedBeaconID: 'db-1', AssignedBy: 'operator' });
    expect(after.Balance.queue.Applied).toBe(before.Balance.queue.Applied + 1);
    await until('the files are whole again', () =>
      names.every((name) => typeof JSON.parse(readFileSync(name, 'utf8')) === 'object'),
    );
  });
});
