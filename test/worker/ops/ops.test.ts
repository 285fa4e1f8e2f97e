/**
 * Running operations: effects and marker as one, failures, races, skips, dry runs, and long ones in
 * steps.
 */
import { expect, onTestFinished, test } from 'vitest';
import { openWritable } from '../../../worker/state/connection.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { until } from '../../kit/until.ts';
import { kinds, leaveOutOf, OpsBench } from '../../kit/worker/ops-fixture.ts';

const skippable = 'export const isSkippable = true;';

test('B6 — the second of three throws: its effects are gone, the first is applied, the third not called', async () => {
  const bench = new OpsBench();
  bench.op('1-good');
  bench.op('2-bad', "throw new Error('does not fit')");
  bench.op('3-never');
  const report = await bench.run();
  expect(kinds(report)).toEqual(['1-good applied', '2-bad failed']);
  expect(report).toMatchObject({ NotAttempted: 1, Results: [{}, { Error: 'does not fit' }] });
  expect(bench.effects()).toEqual(['1-good']);
  expect(bench.applied()).toEqual(['1-good']);
  expect(bench.operations().summary()).toMatchObject({
    Pending: 1,
    Failed: 1,
    Skipped: 0,
    Drift: 0,
  });
});

test('B6 — a failed attempt is kept; the mended operation goes through in its place, not as a late one', async () => {
  const bench = new OpsBench();
  bench.op('1-bad', "throw new Error('first try')");
  bench.op('2-next');
  await bench.run();
  bench.op('1-bad');
  expect(kinds(await bench.run())).toEqual(['1-bad applied', '2-next applied']);
  expect(bench.operations().history('1-bad')).toMatchObject([
    { Result: 'applied', Error: null },
    { Result: 'failed', Error: 'first try', EndedAt: expect.any(String) as string },
  ]);
  expect(() => bench.operations().history('nobody')).toThrow(/was never run here/);
});

test('a dry run that goes well says nothing about how an operation stands', async () => {
  const bench = new OpsBench();
  bench.op('a', "throw new Error('first try')");
  await bench.run();
  bench.op('a');
  expect(kinds(await bench.run({ isDryRun: true }))).toEqual(['a rolled_back']);
  expect(bench.operations().status()).toMatchObject({
    Failed: 1,
    Operations: [{ State: 'failed', LastError: 'first try' }],
  });
});

test('B7 — a step gets no network handle, and may not end the transaction its marker is in', async () => {
  const bench = new OpsBench();
  bench.op(
    '1-looks',
    'context.db.prepare("insert into effect (what) values (?)").run(Object.keys(context).sort().join())',
  );
  bench.op('2-commits', "context.db.exec('commit')");
  const report = await bench.run();
  expect(bench.effects()[1]).toBe('args,db,hubId,nowMs,prepared,say');
  expect(report.Results[1]).toMatchObject({
    Result: 'failed',
    Error: expect.stringMatching(/ended the transaction/) as string,
  });
  expect(bench.applied()).toEqual(['1-looks']);
});

test('B8 B9 — the marker is read again under the write lock: the second runs nothing and reports raced', async () => {
  const bench = new OpsBench();
  bench.file(
    'a.ts',
    `export const description = 'a'; export const uses = ['backend'];
    export async function prepare(context: any) { await context.backend('wait'); }
    export function run(context: any) { context.db.prepare("insert into effect (what) values ('a')").run(); }`,
  );
  // A second connection to the same file, as another process would have it; its run is held up
  // between its look at what is pending and its step.
  const db = openWritable(bench.store.paths.db);
  onTestFinished(() => void db.close());
  const gate = Promise.withResolvers<null>();
  const slow = bench.operations({
    store: { db, paths: bench.store.paths, assertSameFiles: () => {} },
    host: 'host-2',
    backend: () => gate.promise,
  });
  const quick = bench.operations({ backend: () => Promise.resolve(null) });
  const second = slow.runPending(bench.request());
  await until('the second one has begun', () =>
    bench.store.db.prepare("select 1 from operation_attempt where host = 'host-2'").get(),
  );
  expect(kinds(await quick.runPending(bench.request()))).toEqual(['a applied']);
  gate.resolve(null);
  expect(kinds(await second)).toEqual(['a raced']);
  expect(bench.effects()).toEqual(['a']);
  expect(
    bench
      .operations()
      .history('a')
      .map((one) => `${one.Result} ${one.Host}`),
  ).toEqual(['applied host-1', 'raced host-2']);
  expect(bench.operations().summary()).toMatchObject({ Pending: 0, Failed: 0 });
});

test.for([
  ['neither skippable nor flagged', '', [], 'applied'],
  ['flagged and not skippable', '', ['A_B'], 'applied'],
  ['skippable and not flagged', skippable, ['A'], 'applied'],
  ['both', skippable, ['A_B'], 'skipped'],
] as const)('B10 — an operation that is %s', async ([, exports, flags, result]) => {
  const bench = new OpsBench();
  bench.op('a-b', '', exports);
  const report = await bench.run({}, { skips: { flags: [...flags], allUntilMs: null } });
  expect(kinds(report)).toEqual([`a-b ${result}`]);
  expect(bench.applied()).toEqual(result === 'applied' ? ['a-b'] : []);
});

test('B10 — a skip is recorded with its why, shows in health, takes along what requires it, is undone', async () => {
  const bench = new OpsBench();
  bench.op('1-a', '', skippable);
  bench.op('2-b', '', "export const requires = ['1-a'];");
  bench.op('3-c');
  expect(kinds(await bench.run({}, { skips: { flags: ['1_A'], allUntilMs: null } }))).toEqual([
    '1-a skipped',
    '2-b skipped',
    '3-c applied',
  ]);
  expect(bench.operations().summary()).toMatchObject({ Skipped: 2, Pending: 0 });
  expect(bench.operations().history('1-a')).toMatchObject([
    { Result: 'skipped', Note: 'TIDEMARK_SKIP_OP_1_A=1' },
  ]);
  expect(bench.operations().history('2-b')).toMatchObject([
    { Result: 'skipped', Note: 'it requires 1-a, which is skipped' },
  ]);
  expect(kinds(await bench.run())).toEqual(['1-a applied', '2-b applied']);
});

test('B10 — ops skip needs a skippable operation, a reason and a time to come; it ends by itself', async () => {
  const bench = new OpsBench();
  const clock = new ManualClock();
  bench.op('a');
  const operations = bench.operations({ clock });
  const leaveOut = (reason: string, untilMs: number) =>
    leaveOutOf(operations, 'a', { reason, untilMs });
  await expect(leaveOut('night', clock.nowMs() + 1)).rejects.toThrow(/not skippable/);
  bench.op('a', '', skippable);
  await expect(leaveOut(' ', clock.nowMs() + 1)).rejects.toThrow(/needs a reason/);
  await expect(leaveOut('night', clock.nowMs())).rejects.toThrow(/time in the future/);
  await expect(leaveOut('night', Number.NaN)).rejects.toThrow(/time in the future/);
  await leaveOut('broken at night', clock.nowMs() + 60_000);
  expect(operations.status()).toMatchObject({
    Skipped: 1,
    Operations: [
      {
        State: 'skipped',
        By: 'cli',
        Host: 'host-1',
        Note: 'broken at night',
        Until: '2026-01-01T00:01:00.000Z',
      },
    ],
  });
  expect(kinds(await operations.runPending(bench.request()))).toEqual(['a skipped']);
  await clock.advance(60_000);
  expect(kinds(await operations.runPending(bench.request()))).toEqual(['a applied']);
  await expect(leaveOut('night', clock.nowMs() + 1)).rejects.toThrow(/is applied/);
});

test('B11 — all are skipped until a time, also those that are not skippable; then they run', async () => {
  const bench = new OpsBench();
  const clock = new ManualClock();
  bench.op('a');
  bench.file('b.ts', 'not even code');
  const parts = { clock, skips: { flags: [], allUntilMs: clock.nowMs() + 1_000 } };
  expect(kinds(await bench.run({}, parts))).toEqual(['a skipped', 'b skipped']);
  expect(bench.operations(parts).summary()).toMatchObject({ Skipped: 2 });
  bench.remove('b.ts');
  await clock.advance(1_000);
  expect(kinds(await bench.run({}, parts))).toEqual(['a applied']);
});

test('B12 — the marker says who, where, with which program, how long, and how many rows', async () => {
  const bench = new OpsBench();
  bench.op(
    'a',
    "context.db.exec(\"insert into effect (what) values ('x'), ('y')\"); return 'two more'",
  );
  for (const by of ['boot', 'cli', 'control'] as const) {
    bench.store.db.exec('delete from operation');
    await bench.run({ by });
    expect(
      bench.store.db
        .prepare('select applied_by, host, pid, app_version, changes, note, title from operation')
        .get(),
    ).toEqual({
      applied_by: by,
      host: 'host-1',
      pid: process.pid,
      app_version: '9.9.9',
      changes: 3,
      note: 'two more',
      title: 'does a',
    });
  }
});

test('B16 — a dry run executes, tells the rows by table, and leaves nothing behind', async () => {
  const bench = new OpsBench();
  bench.store.db.exec("insert into effect (what) values ('old'), ('older')");
  bench.op(
    'a',
    "context.db.exec(\"update effect set what = 'new' where id = 1; delete from effect " +
      "where id = 2; insert into meta values ('x', 'y')\")",
  );
  const report = await bench.run({ isDryRun: true });
  expect(kinds(report)).toEqual(['a rolled_back']);
  expect(report.Results[0]?.Tables).toEqual({
    effect: { Inserted: 1, Updated: 1, Deleted: 1 },
    meta: { Inserted: 1, Updated: 0, Deleted: 0 },
  });
  expect(bench.effects()).toEqual(['old', 'older']);
  expect(bench.store.db.prepare('select count(*) from temp.sqlite_schema').pluck().get()).toBe(0);
  expect(bench.store.meta('x')).toBeUndefined();
  expect(bench.operations().summary()).toMatchObject({ Pending: 1, Failed: 0 });
});

test('B16 — a dry run of one that fails says why, and rolls back as well', async () => {
  const bench = new OpsBench();
  bench.op('a', "throw new Error('no')");
  expect((await bench.run({ isDryRun: true })).Results).toMatchObject([
    { Result: 'failed', Error: 'no' },
  ]);
  expect(bench.store.db.inTransaction).toBe(false);
  expect(bench.effects()).toEqual([]);
});

test.for([
  ['false', 'return false'],
  ['an object that says it failed', 'return { Success: false }'],
  ['a promise', 'return Promise.resolve()'],
] as const)('B18 — one that returns %s is not applied', async ([, more]) => {
  const bench = new OpsBench();
  bench.op('a', more);
  expect((await bench.run()).Results).toMatchObject([
    {
      Result: 'failed',
      Error: expect.stringMatching(/run must return nothing or a note/) as string,
    },
  ]);
  expect(bench.effects()).toEqual([]);
});

test('health is told of operations also when the store cannot be read', () => {
  const bench = new OpsBench();
  const operations = bench.operations();
  bench.store.close();
  expect(operations.summary()).toMatchObject({
    Pending: 0,
    Problem: expect.stringMatching(/the operations cannot be read/) as string,
  });
});

test('one at a time: a second run is refused while one runs', async () => {
  const bench = new OpsBench();
  bench.longOp('a', 5);
  const operations = bench.operations();
  const first = operations.runPending(bench.request());
  await expect(operations.runOne('compact', bench.request())).rejects.toEqual(
    expect.objectContaining({ code: 'CONFLICT' }),
  );
  expect(kinds(await first)).toEqual(['a applied']);
});

test('arguments an operation does not know are refused before it runs', async () => {
  const bench = new OpsBench();
  bench.op('a');
  await expect(bench.operations().runOne('a', bench.request({ args: { x: '1' } }))).rejects.toThrow(
    /takes no x; its arguments: none/,
  );
  await expect(bench.operations().runOne('nobody', bench.request())).rejects.toEqual(
    expect.objectContaining({ code: 'NOT_FOUND' }),
  );
});
