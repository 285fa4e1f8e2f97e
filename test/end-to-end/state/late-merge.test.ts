/**
 * Writes that come back late, when newer ones of the same key are in the database already: the
 * newer values stay, and no event is lost or twice.
 */
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readRows } from '../../kit/rows/compare.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { until } from '../../kit/until.ts';

/**
 * An upsert, a patch and an event of work item 'w', each with a column that only this round has.
 */
async function writeRound({ hub: { client } }: Stack, round: 'older' | 'newer'): Promise<void> {
  const own = round === 'older' ? { RunID: 'run of older' } : { NodeHash: 'node of newer' };
  await client.upsertWorkItem(
    { WorkItemHash: 'w', Status: 'Pending', Capability: round, ...own },
    { EventGUID: guidOf(`${round} upsert`) },
  );
  await client.updateWorkItem(
    'w',
    { Status: `${round} patch`, HealthLabel: round },
    { EventGUID: guidOf(`${round} patch`) },
  );
  await client.appendEvent(
    { WorkItemHash: 'w', EventType: round, Payload: { round } },
    { EventGUID: guidOf(`${round} event`) },
  );
}

async function isBack(stack: Stack): Promise<void> {
  stack.worker.restart();
  await until('the worker answers', () => stack.status());
}

function workItem(stack: Stack) {
  const rows = readRows(stack.backendPath, 'UVQueueWorkItem');
  expect(rows).toHaveLength(1);
  return rows[0];
}

const eventTypes = (stack: Stack) =>
  readRows(stack.backendPath, 'UVQueueWorkItemEvent')
    .map((row) => row['EventType'])
    .toSorted();
const newest = {
  WorkItemHash: 'w',
  Status: 'newer patch',
  Capability: 'newer',
  HealthLabel: 'newer',
  NodeHash: 'node of newer',
};

test('a rescue put back after newer writes of its key were delivered changes none of them (D10, I2, I3)', async () => {
  await using stack = await Stack.start();
  const rescue = stack.workerFile('rescue');
  const away = `${stack.workerFile()}-rescue-away`;
  await stack.beacon.kill();
  await writeRound(stack, 'older');
  rmSync(stack.workerFile('state'), { recursive: true });
  expect(await stack.worker.exited).toBe('exit 1');
  expect(readdirSync(rescue)).toHaveLength(1);
  renameSync(rescue, away);

  await isBack(stack);
  const health = (await (await fetch(`${stack.httpUrl}/healthz`)).json()) as {
    Faults: { Class: string; What: string }[];
  };
  expect(health.Faults, 'what was lost is told').toContainEqual(
    expect.objectContaining({
      Class: 'store-lost',
      What: expect.stringContaining('a new, empty one') as string,
    }),
  );
  if ((await stack.status()).Queue.AssignedBeaconID === null)
    await stack.control('assign', { BeaconID: 'db-1', IDBeaconConnection: 1 });
  stack.beacon.restart();
  await writeRound(stack, 'newer');
  await stack.drained();
  const before = workItem(stack);
  expect(before).toMatchObject({ ...newest, RunID: '' });
  expect(eventTypes(stack)).toEqual(['newer']);

  expect(await stack.worker.stop()).toBe('exit 0');
  rmSync(rescue, { recursive: true, force: true });
  renameSync(away, rescue);
  await isBack(stack);
  await until('the older event is delivered', () => eventTypes(stack).length > 1, {
    deadlineMs: 20_000,
  });
  const status = await stack.drained();
  // Older writes of a row find a newer BridgeSeq: already present, so what only they had is not put
  // in either.
  expect(workItem(stack)).toEqual(before);
  expect(eventTypes(stack)).toEqual(['newer', 'older']);
  expect(status.Balance.queue).toMatchObject({ Accepted: 6, Difference: 0 });
  expect([status.Balance.manifest.Difference, status.Queue.DeadLetters]).toEqual([0, 0]);
}, 90_000);
