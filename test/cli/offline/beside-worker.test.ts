/** Looking at a data directory offline while its worker runs, after a kill, and after a stop. */
import { expect, test } from 'vitest';
import type { MarksFile } from '../../../contracts/status.ts';
import type { OfflineStatus } from '../../../cli/offline/offline.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { until } from '../../kit/until.ts';
import { tidemark } from '../../kit/processes/cli-fixture.ts';

async function json<T>(...args: string[]): Promise<T> {
  const ran = await tidemark([...args, '--json']);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(ran.stdout) as T;
}

test('beside a running, a killed and a stopped worker: its own words, and who has the lock (C1, C4)', async () => {
  await using stack = await Stack.start();
  const data = stack.workerFile();
  await stack.hub.client.upsertWorkItem(
    { WorkItemHash: 'first', Status: 'Pending' },
    { Wait: 'applied', WaitMs: 20_000 },
  );
  await stack.control('pause');
  for (const hash of ['a', 'b', 'c'])
    await stack.hub.client.upsertWorkItem({ WorkItemHash: hash, Status: 'Pending' });
  const live = await stack.status();
  const look = () => json<OfflineStatus>('status', '--offline', '--data', data);
  const {
    OldestPendingMs: _age,
    State: _state,
    LastError: _error,
    BootstrappedAt: _at,
    AssignedBy: _by,
    ...queue
  } = live.Queue;
  const same = {
    Store: live.Store,
    Epoch: live.Epoch,
    HubID: live.HubID,
    Balance: live.Balance,
    Queue: { ...queue, Pending: 3, IsPaused: true, State: 'assigned' },
  };
  expect(await look()).toMatchObject({
    ...same,
    LockHeldBy: stack.worker.pid,
    LastStart: { Pid: stack.worker.pid, StoppedAt: null },
    Faults: [],
  });
  const { WrittenAt: _, ...marks } = await stack.control<MarksFile>('hwm');
  expect(await json('hwm', 'show', '--offline', '--data', data)).toMatchObject(marks);
  expect((await tidemark(['status', '--offline', '--data', data])).stdout).toContain(
    `pid ${stack.worker.pid} holds the lock`,
  );
  await stack.hub.client.upsertWorkItem({ WorkItemHash: 'd', Status: 'Pending' });
  await stack.worker.kill();
  expect(await look()).toMatchObject({
    LockHeldBy: null,
    LastStart: { StoppedAt: null },
    Queue: { Pending: 4 },
  });
  stack.worker.restart();
  await until('the worker answers again', () => stack.status());
  await stack.worker.stop();
  const stopped = await look();
  expect(stopped).toMatchObject({
    LockHeldBy: null,
    Store: live.Store,
    Balance: { queue: { Accepted: 5, Difference: 0 } },
  });
  expect(stopped.LastStart?.StoppedAt).toMatch(/Z$/);
  stack.worker.restart();
  await until('the worker is not put off by who looked', () => stack.status());
  expect(await look()).toMatchObject({
    LockHeldBy: stack.worker.pid,
    Faults: [],
    Store: live.Store,
  });
}, 120_000);
