/**
 * One owner of a hub, also in local mode: workers with data directories of their own, a machine that
 * is lost, one that was only paused, a replacement whose clock is behind.
 */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Location } from '../../contracts/status.ts';
import { freePort } from '../../runtime/bus/nats-server.ts';
import { tidemark } from '../kit/processes/cli-fixture.ts';
import { connectHub } from '../kit/processes/hub.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { Stack } from '../kit/processes/stack.ts';
import { readRows } from '../kit/rows/compare.ts';
import { root } from '../kit/source.ts';
import { until } from '../kit/until.ts';

const behind = {
  NODE_OPTIONS: `--import ${join(root, 'test/kit/processes/clock-behind.ts')}`,
};

async function stackOfTest(): Promise<Stack> {
  const stack = await Stack.start();
  onTestFinished(() => stack[Symbol.asyncDispose]());
  return stack;
}

/** A second worker of the stack's hub, over a data directory of its own. */
async function secondOf(
  stack: Stack,
  { args = [], env = {} }: { args?: string[]; env?: Record<string, string> } = {},
): Promise<{ worker: TidemarkProcess; http: string; data: string }> {
  const http = `127.0.0.1:${await freePort()}`;
  const data = stack.workerFile('..', 'second');
  const given = ['worker', '--hub', stack.hubId, '--data', data, '--http', http];
  const worker = new TidemarkProcess([...given, '--nats', stack.nats.url, ...args], env);
  onTestFinished(() => worker.kill());
  return { worker, http: `http://${http}`, data };
}

async function healthAt(http: string): Promise<Record<string, unknown>> {
  return (await (await fetch(`${http}/healthz`)).json()) as Record<string, unknown>;
}

async function assigned(stack: Stack, http: string): Promise<void> {
  await until('the second worker serves', async () => (await healthAt(http))['Ready'] === true, {
    deadlineMs: 30_000,
  });
  await until(
    'it is assigned',
    () => stack.control('assign', { BeaconID: 'db-1', IDBeaconConnection: 1 }),
    { deadlineMs: 30_000 },
  );
  await until(
    'it has a Term',
    async () => Number((await healthAt(http))['Term']) > 0 && (await stack.status()).Term !== null,
    { deadlineMs: 30_000 },
  );
}

const rowsOf = (stack: Stack) =>
  new Map(
    readRows(stack.backendPath, 'UVQueueWorkItem').map(
      (row) => [row['WorkItemHash'], row] as const,
    ),
  );

test('I11: a worker does not start beside another of its hub, and names it', async () => {
  const stack = await stackOfTest();
  const { worker } = await secondOf(stack);
  expect(await worker.exited).toBe('exit 4');
  expect(worker.stderr).toContain(stack.httpUrl);
  expect(worker.stderr).toContain('--take-over');
  expect(await stack.hub.client.upsertWorkItem({ WorkItemHash: 'a' })).toMatchObject({
    Success: true,
  });
}, 120_000);

test('I11: one that is told to take over does; the other ends with 4, and does so again', async () => {
  const stack = await stackOfTest();
  await stack.hub.client.upsertWorkItem(
    { WorkItemHash: 'a', Status: 'First' },
    { Wait: 'applied' },
  );
  expect((await stack.status()).Term).toBe(1);
  const second = await secondOf(stack, { args: ['--take-over'] });
  expect(await stack.worker.exited).toBe('exit 4');
  await assigned(stack, second.http);
  expect(await healthAt(second.http)).toMatchObject({ Term: 2, Role: 'active' });
  await stack.hub.client.updateWorkItem('a', { Status: 'Second' }, { Wait: 'applied' });
  expect(rowsOf(stack).get('a')).toMatchObject({ Status: 'Second', BridgeTerm: 2 });
  stack.worker.restart();
  expect(await stack.worker.exited).toBe('exit 4');
  // The one that was ended has the last word when an operator says so.
  await second.worker.stop();
  const again = new TidemarkProcess([...stack.worker.args, '--take-over']);
  onTestFinished(() => again.kill());
  await until(
    'it took a Term above the other',
    async () => (await healthAt(stack.httpUrl))['Term'] === 3,
    { deadlineMs: 30_000 },
  );
  // What was said once is not said again.
  const plain = new TidemarkProcess(second.worker.args.filter((one) => one !== '--take-over'));
  onTestFinished(() => plain.kill());
  expect(await plain.exited).toBe('exit 4');
}, 180_000);

test('I11: a worker that was only paused stops, and no key keeps an older value', async () => {
  const stack = await stackOfTest();
  await using hub = await connectHub(stack.nats.url, { timeoutMs: 1_500 });
  const keys = Array.from({ length: 10 }, (_, n) => `k${n}`);
  for (const key of keys)
    await hub.client.upsertWorkItem({ WorkItemHash: key, Status: 'v0' }, { Wait: 'applied' });
  process.kill(stack.worker.pid, 'SIGSTOP');
  const second = await secondOf(stack);
  await until(
    'the second worker serves',
    async () => (await healthAt(second.http))['Ready'] === true,
    { deadlineMs: 40_000 },
  );
  // Some requests wait in the paused one's socket meanwhile, and are sent again.
  await until(
    'it is assigned',
    () => stack.control('assign', { BeaconID: 'db-1', IDBeaconConnection: 1 }),
    { deadlineMs: 60_000 },
  );
  const last = new Map<string, string>();
  for (let n = 1; n <= 3; n++)
    for (const key of keys) {
      await hub.client.updateWorkItem(key, { Status: `v${n}` });
      last.set(key, `v${n}`);
    }
  process.kill(stack.worker.pid, 'SIGCONT');
  const sinceMs = Date.now();
  expect(await stack.worker.exited).toBe('exit 4');
  expect(Date.now() - sinceMs).toBeLessThan(5_000);
  for (const key of keys) {
    await hub.client.updateWorkItem(key, { Status: 'v4' });
    last.set(key, 'v4');
  }
  await stack.drained();
  const rows = rowsOf(stack);
  for (const [key, value] of last)
    expect(rows.get(key), key).toMatchObject({ Status: value, BridgeTerm: 2 });
  const { Balance } = await stack.status();
  expect(Balance.queue.Difference).toBe(0);
}, 240_000);

test('I11: for a lost machine: a replacement wins with a clock behind, and takes in what is found', async () => {
  const stack = await stackOfTest();
  const { client } = stack.hub;
  for (const key of ['a', 'b', 'c'])
    await client.upsertWorkItem({ WorkItemHash: key, Status: 'Old' }, { Wait: 'applied' });
  await stack.beacon.stop();
  const stranded = {
    b: '10000000-0000-4000-8000-000000000001',
    d: '10000000-0000-4000-8000-000000000002',
  };
  await client.updateWorkItem('b', { Status: 'Stranded' }, { EventGUID: stranded.b });
  await client.upsertWorkItem({ WorkItemHash: 'd', Status: 'Stranded' }, { EventGUID: stranded.d });
  await stack.worker.kill();
  const lost = stack.workerFile('..', 'lost');
  renameSync(stack.workerFile(), lost);
  stack.beacon.restart();
  const second = await secondOf(stack, { env: behind });
  await assigned(stack, second.http);
  for (const key of ['a', 'b'])
    await client.updateWorkItem(key, { Status: 'New' }, { Wait: 'applied', WaitMs: 30_000 });
  expect(second.worker.stderr).toContain('another store of hub hub1');
  expect(second.worker.stderr).toContain('journal export');
  expect(rowsOf(stack).get('a')).toMatchObject({ Status: 'New', BridgeTerm: 2 });
  expect(rowsOf(stack).get('c')).toMatchObject({ Status: 'Old', BridgeTerm: 1 });

  await second.worker.stop();
  const file = stack.workerFile('..', 'lost.jsonl');
  expect((await tidemark(['journal', 'export', '--data', lost, '--out', file])).code).toBe(0);
  const taken = await tidemark(['journal', 'import', file, '--data', second.data]);
  expect(taken.stderr + taken.stdout).toMatch(/imported/i);
  second.worker.restart();
  await stack.drained();
  const { Balance, Queue } = await stack.status();
  expect(Balance.queue).toMatchObject({ Difference: 0, DeadLettered: 0 });
  expect(Balance.queue.Superseded).toBeGreaterThanOrEqual(1);
  expect(Queue.DeadLetters).toBe(0);
  expect(rowsOf(stack).get('b')).toMatchObject({ Status: 'New', BridgeTerm: 2 });
  expect(rowsOf(stack).get('d')).toMatchObject({ Status: 'Stranded', BridgeTerm: 1 });
  const where = (guid: string) => stack.control<Location>('locate', { EventGUID: guid });
  expect(await where(stranded.b)).toMatchObject({ State: 'superseded' });
  expect(await where(stranded.d)).toMatchObject({ State: 'applied' });
}, 240_000);

test('I11: under Kubernetes a worker that is not the owner stays up, not ready', async () => {
  const stack = await stackOfTest();
  await stack.hub.client.upsertWorkItem({ WorkItemHash: 'a' }, { Wait: 'applied' });
  const second = await secondOf(stack, { args: ['--take-over'] });
  expect(await stack.worker.exited).toBe('exit 4');
  await assigned(stack, second.http);
  const pod = new TidemarkProcess(stack.worker.args, { KUBERNETES_SERVICE_HOST: '10.0.0.1' });
  onTestFinished(() => pod.kill());
  const answer = await until('it says why', async () => {
    const ready = await fetch(`${stack.httpUrl}/readyz`);
    expect(ready.status).toBe(503);
    return ready.text();
  });
  expect(answer).toContain('another store');
  expect((await fetch(`${stack.httpUrl}/livez`)).status).toBe(200);
  expect(await pod.stop()).toBe('exit 4');
}, 180_000);
