/**
 * Operations with a real worker: at its start, told by the command line, beside the writes, and
 * over a SIGKILL.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OperationsView } from '../../worker/ops/views.ts';
import { tidemark } from '../kit/processes/cli-fixture.ts';
import { Stack } from '../kit/processes/stack.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { until } from '../kit/until.ts';

const dir = tempDir('ops');
const folder = dir.at('ops');
let stack: Stack;

const op = (id: string, more = '') =>
  writeFileSync(
    join(folder, `${id}.ts`),
    `export const description: string = 'does ${id}';
  export function run(context: any) { context.db.prepare("insert into meta values (?, '')").run('${id}'); ${more} }`,
  );
/** Each step leaves a row and takes a while of the only thread. */
const longOp = (id: string, steps: number, stepMs: number) =>
  writeFileSync(
    join(folder, `${id}.ts`),
    `export const description = 'does ${id}';
  export function step(context: any, cursor: string | null) {
    const at = Number(cursor ?? 0) + 1;
    context.db.prepare("insert into meta values (?, '')").run('${id} ' + String(at).padStart(4, '0'));
    for (const end = performance.now() + ${stepMs}; performance.now() < end;);
    return { cursor: at >= ${steps} ? null : String(at), note: 'step ' + at };
  }`,
  );
/**
 * The longest answer to a write while an operation holds the thread for a few milliseconds a step,
 * ms.
 */
const slowestMsMax = 1_000;

async function health(): Promise<{
  Ops: Pick<OperationsView, 'Pending' | 'Failed' | 'Skipped' | 'Drift' | 'Problem'>;
}> {
  return (await fetch(`${stack.httpUrl}/healthz`)).json() as never;
}

function ops(...args: string[]) {
  return tidemark(['ops', ...args, '--nats', stack.nats.url, '--data', dir.at('nowhere')]);
}

function metaNames(like: string): string[] {
  const db = new Database(stack.workerFile('state', 'state.db'), { readonly: true });
  try {
    return db
      .prepare('select name from meta where name like ? order by name')
      .pluck()
      .all(like) as string[];
  } finally {
    db.close();
  }
}

async function restartWorker(): Promise<void> {
  stack.worker.restart();
  await until('the worker answers', () => stack.status());
}

beforeAll(async () => {
  mkdirSync(folder);
  op('2026-01-01-a');
  op('2026-01-02-bad', "throw new Error('not on this host')");
  op('2026-01-03-c');
  stack = await Stack.start({ workerArgs: ['--ops-dir', folder] });
}, 90_000);

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

test('B6 — at the start one is applied, one fails, no next; the worker takes writes, and health says so', async () => {
  expect((await health()).Ops).toEqual({
    Pending: 1,
    Failed: 1,
    Skipped: 0,
    Drift: 0,
    Problem: null,
  });
  expect(stack.worker.stderr).toMatch(/operation failed; 1 not attempted/);
  expect(
    await stack.hub.client.upsertWorkItem({ WorkItemHash: 'w1', Status: 'Pending' }),
  ).toMatchObject({ Success: true });
  expect(metaNames('2026%')).toEqual(['2026-01-01-a']);
});

test('B15 B16 — the command line asks the worker, waits for it, and ends as the run ended', async () => {
  expect((await ops('status')).code).toBe(6);
  expect(await ops('run')).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /2026-01-02-bad +failed .*not on this host[\s\S]*1 not attempted/,
    ) as string,
  });
  op('2026-01-02-bad');
  expect(await ops('run', '--dry-run')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/rolled back/) as string,
  });
  expect(metaNames('2026%')).toHaveLength(1);
  expect((await ops('run')).code).toBe(0);
  expect((await ops('status')).code).toBe(0);
  expect(JSON.parse((await ops('history', '2026-01-02-bad', '--json')).stdout)).toMatchObject({
    Attempts: [
      { Result: 'applied', By: 'control', Pid: stack.worker.pid },
      { Result: 'rolled_back' },
      { Result: 'failed', By: 'control' },
      { Result: 'failed', By: 'boot' },
    ],
  });
  expect((await ops('run', 'nobody')).code).toBe(3);
  expect(await (await fetch(`${stack.httpUrl}/api/ops`)).json()).toMatchObject({
    Pending: 0,
    Operations: [{ State: 'applied' }, { State: 'applied' }, { State: 'applied' }],
  });
  expect((await health()).Ops).toMatchObject({ Pending: 0, Failed: 0 });
});

test('B4 — a file that cannot be loaded keeps no worker down; its problem is in health', async () => {
  writeFileSync(join(folder, '2026-01-04-typo.ts'), 'export const = 1;');
  await stack.worker.stop();
  await restartWorker();
  expect((await health()).Ops).toMatchObject({
    Pending: 1,
    Problem: expect.stringMatching(/2026-01-04-typo\.ts cannot be loaded/) as string,
  });
  expect(
    await stack.hub.client.upsertWorkItem({ WorkItemHash: 'w2', Status: 'Pending' }),
  ).toMatchObject({ Success: true });
  rmSync(join(folder, '2026-01-04-typo.ts'));
});

test('B19 — writes are answered while an operation of many steps runs, and its lines come as it goes', async () => {
  longOp('2026-02-01-long', 150, 10);
  const running = ops('run');
  await until('it has begun', () => metaNames('2026-02-01-long%').length > 0);
  let slowest = 0;
  let written = 0;
  while (metaNames('2026-02-01-long%').length < 150) {
    const startedMs = performance.now();
    expect(
      await stack.hub.client.appendEvent({ WorkItemHash: 'w1', EventType: 'x' }),
    ).toMatchObject({ Success: true });
    slowest = Math.max(slowest, performance.now() - startedMs);
    written += 1;
  }
  expect(written).toBeGreaterThan(10);
  expect(slowest).toBeLessThan(slowestMsMax);
  expect((await health()).Ops).toMatchObject({ Failed: 0 });
  expect(await running).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^step 1$[\s\S]*^step 150$/m) as string,
  });
});

test('B19 — killed in the middle, the next start goes on with it, takes writes, does no step twice', async () => {
  longOp('2026-02-02-killed', 200, 10);
  const running = tidemark(['ops', 'run', '--nats', stack.nats.url, '--data', stack.workerFile()]);
  await until('it is in the middle', () => metaNames('2026-02-02-killed%').length > 20);
  await stack.worker.kill();
  // The command does not take over what a worker had begun: it would hold the store that the next
  // worker needs.
  expect(await running).toMatchObject({ code: 4 });
  expect(metaNames('2026-02-02-killed%').length).toBeLessThan(200);
  await restartWorker();
  expect(await stack.hub.client.appendEvent({ WorkItemHash: 'w1', EventType: 'x' })).toMatchObject({
    Success: true,
  });
  await until('it is applied', async () => (await ops('status')).code === 0);
  expect(metaNames('2026-02-02-killed%')).toHaveLength(200);
  expect(JSON.parse((await ops('history', '2026-02-02-killed', '--json')).stdout)).toMatchObject({
    Attempts: [
      { Result: 'applied', By: 'boot' },
      { Result: 'interrupted', By: 'control' },
    ],
  });
}, 60_000);

test('told to stop in the middle, the worker leaves in order, and the next start goes on', async () => {
  longOp('2026-02-03-stopped', 500, 5);
  void ops('run');
  await until('it is in the middle', () => metaNames('2026-02-03-stopped%').length > 5);
  expect(await stack.worker.stop()).toBe('exit 0');
  expect(metaNames('2026-02-03-stopped%').length).toBeLessThan(500);
  await restartWorker();
  await until('it is applied', async () => (await ops('status')).code === 0);
  expect(metaNames('2026-02-03-stopped%')).toHaveLength(500);
}, 60_000);

test('verify-applied through the worker finds everything delivered, and what it repairs goes out at once', async () => {
  await stack.drained();
  const db = new Database(stack.backendPath);
  expect(db.prepare("delete from UVQueueWorkItem where WorkItemHash = 'w2'").run().changes).toBe(1);
  expect(await ops('run', 'verify-applied', '--set', 'repair=yes')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/1 missing, 0 older.*1 sent again/) as string,
  });
  await until('the row is back', () =>
    db.prepare("select 1 from UVQueueWorkItem where WorkItemHash = 'w2'").get(),
  );
  db.close();
  await stack.drained();
  expect(await ops('run', 'verify-applied', '--set', 'last=50')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/entries checked, all are in the database/) as string,
  });
});
