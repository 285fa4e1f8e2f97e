/**
 * The databeacon away: accepting goes on, the status tells the truth, reads answer from the
 * journal, and on its return nothing is left over.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareWithFold } from '../kit/rows/compare.ts';
import { foldCalls } from '../kit/rows/fold.ts';
import { publish } from '../kit/processes/hub.ts';
import { Stack } from '../kit/processes/stack.ts';
import { sampleWrites } from '../kit/rows/trace.ts';
import { until } from '../kit/until.ts';

describe('the databeacon goes away and comes back', () => {
  const calls = sampleWrites(400);
  const before = calls.slice(0, 100);
  const during = calls.slice(100);
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
    await publish(stack.hub.client, before);
    await stack.drained();
    await stack.beacon.kill();
  }, 120_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  test('the status is waiting-for-beacon within seconds', async () => {
    const status = await until(
      'the state follows',
      async () => {
        const now = await stack.status();
        return now.Queue.State === 'waiting-for-beacon' &&
          now.Manifest.State === 'waiting-for-beacon'
          ? now
          : null;
      },
      { deadlineMs: 10_000 },
    );
    expect(status.State).toBe('waiting-for-beacon');
    expect(status.Queue.AssignedBeaconID).toBe('db-1');
  });

  test('writes are accepted and synced as before, none refused, and wait in the journal (I1)', async () => {
    const published = await publish(stack.hub.client, during);
    expect(published.refused).toEqual([]);
    expect(published.accepted.length).toBe(during.length);
    const status = await stack.status();
    expect(status.Queue.Pending + status.Manifest.Pending).toBe(during.length);
  });

  test('reads answer from the journal and say so', async () => {
    const { client } = stack.hub;
    await client.upsertWorkItem({
      WorkItemHash: 'away-1',
      Status: 'Pending',
      EnqueuedAt: '2026-01-01T00:00:00.000Z',
    });
    await client.updateWorkItem('away-1', { Status: 'Running' });
    await client.appendEvent({ WorkItemHash: 'away-1', EventType: 'enqueued' });
    expect(await client.getWorkItemByHash('away-1')).toMatchObject({
      Success: true,
      Source: 'journal',
      WorkItem: { Status: 'Running' },
    });
    expect(await client.getEvents('away-1')).toMatchObject({
      Source: 'journal',
      Events: [{ EventType: 'enqueued' }],
    });
    expect(
      await client.listWorkItems({ Status: 'Running', Limit: 10, OrderBy: '-EnqueuedAt' }),
    ).toMatchObject({ Success: true, Source: 'journal' });
  });

  test('still ready: buffering is the job', async () => {
    expect((await fetch(`${stack.httpUrl}/readyz`)).status).toBe(200);
    expect((await fetch(`${stack.httpUrl}/healthz`)).status).toBe(200);
  });

  test('on its return the lag reaches zero and the rows are those of the fold (I5)', async () => {
    stack.beacon.restart();
    const status = await stack.drained(60_000);
    expect(status.Queue.Seq.Mark).toBe(status.Queue.Seq.Head);
    const missing = compareWithFold(
      stack.backendPath,
      foldCalls(calls, stack.hubId),
      stack.hubId,
    ).first.filter((one) => !one.key.startsWith('away-1') && one.what !== 'extra');
    expect(missing).toEqual([]);
    expect(await stack.hub.client.getWorkItemByHash('away-1')).toMatchObject({
      WorkItem: { Status: 'Running' },
    });
    expect((await stack.hub.client.getWorkItemByHash('away-1'))['Source']).not.toBe('journal');
  }, 90_000);
});
