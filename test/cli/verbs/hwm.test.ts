/**
 * Marks on the command line, against a real worker and databeacon: show, plan with what the
 * database has, and set.
 */
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MarkPlan, MarksSet } from '../../../contracts/mark-move.ts';
import { foldCalls } from '../../kit/rows/fold.ts';
import { compareWithFold, readRows } from '../../kit/rows/compare.ts';
import { publish } from '../../kit/processes/hub.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { sampleWrites } from '../../kit/rows/trace.ts';
import { type Ran, tidemark } from '../../kit/processes/cli-fixture.ts';

const calls = sampleWrites(200);
let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
  await publish(stack.hub.client, calls, 1);
  await stack.drained();
}, 120_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
});

const hwm = (...args: string[]): Promise<Ran> =>
  tidemark(['hwm', ...args, '--nats', stack.nats.url, '--hub', stack.hubId]);
async function json<T>(...args: string[]): Promise<T> {
  const ran = await hwm(...args, '--json');
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(ran.stdout) as T;
}

test('show lists the marks of both lanes', async () => {
  const { code, stdout } = await hwm('show');
  expect(code).toBe(0);
  expect(stdout).toMatch(/queue +db-1 +1/);
  expect(stdout).toMatch(/manifest +db-1 +1/);
});

test('status says how full the worker is', async () => {
  const { stdout } = await tidemark(['status', '--nats', stack.nats.url]);
  expect(stdout).toMatch(
    /journal [\d.]+ [KM]iB of 16\.0 GiB, at most 5000000 undelivered, disk [\d.]+ [MGT]iB free/,
  );
});

test('a plan tells what would go again and that the database has it; nothing changes', async () => {
  const before = await stack.status();
  const plan = await json<MarkPlan>('plan', '--to', '0');
  expect(plan.Plan).toMatch(/^[0-9a-f]{16}$/);
  expect(plan.Lanes.map((one) => one.Lane)).toEqual(['queue', 'manifest']);
  expect(plan.Lanes.reduce((sum, one) => sum + (one.Stretch?.Entries ?? 0), 0)).toBe(calls.length);
  for (const { Backend, From } of plan.Lanes) {
    if (!Backend.IsThere) throw new Error(Backend.Reason);
    expect(Backend.Mark).toMatchObject({ Seq: From });
    expect(Backend.Checked).toBeGreaterThan(5);
    expect(Backend.Has).toBe(Backend.Checked);
  }
  expect((await stack.status()).Queue.Seq).toEqual(before.Queue.Seq);
  const text = await hwm('plan', '--to', '0', '--lane', 'queue');
  expect(text.stdout).toMatch(
    /queue at db-1\/1: from \d+ to 0, backwards\n {2}\d+ entries, Seq \d+ to \d+, would be sent again/,
  );
  expect(text.stdout).toContain('UVQueueWorkItemEvent');
  expect(text.stdout).toContain(
    `plan ${(await json<MarkPlan>('plan', '--to', '0', '--lane', 'queue')).Plan}`,
  );
});

test('a set while delivery runs is refused with the words to say, exit 1', async () => {
  const ran = await hwm('set', '--to', '0', '--reason', 'a test');
  expect(ran).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('tidemark pause'),
  });
});

test.each([
  ['no reason', ['set', '--to', '0'], 2, '--reason'],
  ['a lane that is none', ['plan', '--to', '0', '--lane', 'x'], 2, 'queue, manifest'],
  ['a beacon without its connection', ['plan', '--to', '0', '--beacon', 'db-1'], 2, 'go together'],
  [
    'a database that has no mark',
    ['plan', '--to', '0', '--beacon', 'db-9', '--connection', '1'],
    3,
    'hwm show',
  ],
  ['a time that is none', ['plan', '--to', 'yesterday'], 2, 'neither a Seq nor a time'],
])('%s: exit code and a line that helps', async (_, args, code, line) => {
  const ran = await hwm(...args);
  expect(ran.stderr).toContain(line);
  expect(ran.code).toBe(code);
});

test("rows lost behind a database's back come again by a set back; those it has do not change (I4, I8)", async () => {
  const database = new Database(stack.backendPath);
  const lost = database.prepare('delete from UVQueueWorkItemEvent').run().changes;
  database.close();
  expect(lost).toBeGreaterThan(0);
  await stack.control('pause');
  const plan = await json<MarkPlan>('plan', '--to', '0', '--lane', 'queue');
  const [lane] = plan.Lanes;
  if (!lane?.Backend.IsThere) throw new Error('the database is away');
  expect(lane.Backend.Lacks.length, 'the plan sees what is missing').toBeGreaterThan(0);
  const done = await json<MarksSet>(
    'set',
    '--to',
    '0',
    '--lane',
    'queue',
    '--reason',
    'events were deleted',
    '--plan',
    plan.Plan,
  );
  expect(done.Lanes).toMatchObject([{ Lane: 'queue', To: 0, Again: lane.Stretch?.Entries }]);
  await stack.control('resume');
  const status = await stack.drained();
  expect(status.Balance.queue.Difference).toBe(0);
  expect(readRows(stack.backendPath, 'UVQueueWorkItemEvent').length).toBe(lost);
  expect(
    compareWithFold(stack.backendPath, foldCalls(calls, stack.hubId), stack.hubId).first,
  ).toEqual([]);
}, 60_000);

test('forwards is refused without --force; with it the entries are given up with their reason (I5, I10)', async () => {
  await stack.control('pause');
  const reply = await stack.hub.client.upsertWorkItem({
    WorkItemHash: 'skipped-1',
    Status: 'Pending',
  });
  const args = ['set', '--to', String(reply.Seq), '--lane', 'queue', '--reason', 'a poison'];
  expect(await hwm(...args)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/skip 1 entries.*--force/),
  });
  expect((await hwm('plan', '--to', String(reply.Seq), '--lane', 'queue')).stdout).toContain(
    `${reply.Seq} QP_UpsertWorkItem skipped-1`,
  );
  expect((await hwm(...args, '--force')).stdout).toMatch(/1 are skipped\nnow: tidemark resume/);
  await stack.control('resume');
  await stack.hub.client.upsertWorkItem({ WorkItemHash: 'after-1', Status: 'Pending' });
  const status = await stack.drained();
  expect(status.Balance.queue).toMatchObject({ DeadLettered: 1, Pending: 0, Difference: 0 });
  const hashes = readRows(stack.backendPath, 'UVQueueWorkItem').map((row) => row['WorkItemHash']);
  expect(hashes).toContain('after-1');
  expect(hashes).not.toContain('skipped-1');
  expect(await stack.control('locate', { EventGUID: reply.EventGUID })).toMatchObject({
    State: 'dead-lettered',
    Reason: 'skipped by hwm set: a poison',
  });
}, 60_000);
