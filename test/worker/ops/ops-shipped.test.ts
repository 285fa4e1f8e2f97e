/** The operations that come with the program, by their effects on a real store. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { shippedOperations } from '../../../worker/ops/shipped.ts';
import { hubId, upsert, event, manifest, patch } from '../../kit/worker/fixture.ts';
import { OpsBench } from '../../kit/worker/ops-fixture.ts';

const nowMs = Date.UTC(2026, 10, 21);
const dayMs = 24 * 3_600_000;

function runShipped(
  bench: OpsBench,
  id: string,
  args: Record<string, string> = {},
  isDryRun = false,
) {
  return bench
    .operations()
    .runOne(id, bench.request({ args, isDryRun }))
    .then((report) => report.Results[0]);
}

const number = (bench: OpsBench, pragma: string) =>
  Number(bench.store.db.pragma(pragma, { simple: true }));

function fillAndEmpty(bench: OpsBench, rows = 3_000): void {
  bench.store.db.exec(
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows}) ` +
      'insert into effect (what) select hex(randomblob(2000)) from n',
  );
  bench.store.db.exec('delete from effect');
}

test('all shipped operations say what they do, and run any number of times', async () => {
  const bench = new OpsBench();
  expect([...shippedOperations.keys()]).toEqual([
    'compact',
    'purge-dead-letters',
    'rebuild-projection',
    'verify-applied',
  ]);
  for (let count = 1; count <= 2; count++)
    expect(await runShipped(bench, 'rebuild-projection')).toMatchObject({
      Type: 'shipped',
      Result: 'applied',
    });
  expect(bench.operations().history('rebuild-projection')).toHaveLength(2);
  expect(bench.operations().status()).toMatchObject({
    Pending: 0,
    Operations: [],
    Shipped: [{}, {}, { LastResult: 'applied' }, {}],
  });
});

test('compact — free pages go back in steps, with turns between them, and the file is smaller', async () => {
  const bench = new OpsBench();
  fillAndEmpty(bench);
  const before = { free: number(bench, 'freelist_count'), pages: number(bench, 'page_count') };
  expect(before.free).toBeGreaterThan(3 * limits.compactStepPages);
  const result = await runShipped(bench, 'compact');
  expect(result).toMatchObject({ Result: 'applied', Note: `${before.free} pages returned` });
  expect(result?.Steps).toBeGreaterThan(3);
  expect(number(bench, 'freelist_count')).toBe(0);
  expect(number(bench, 'page_count')).toBeLessThan(before.pages - before.free + 1);
});

test('compact — a store made without auto_vacuum is named so, and written anew only when asked for', async () => {
  const bench = new OpsBench();
  bench.store.db.pragma('auto_vacuum = none');
  bench.store.db.exec('vacuum');
  fillAndEmpty(bench);
  const before = number(bench, 'page_count');
  expect(await runShipped(bench, 'compact')).toMatchObject({
    Result: 'failed',
    Error: expect.stringMatching(/full=yes/) as string,
  });
  expect(await runShipped(bench, 'compact', { full: 'maybe' })).toMatchObject({
    Result: 'failed',
    Error: 'full=maybe: expected yes or no',
  });
  expect(await runShipped(bench, 'compact', { full: 'yes' })).toMatchObject({ Result: 'applied' });
  expect(number(bench, 'page_count')).toBeLessThan(before / 2);
  expect(number(bench, 'auto_vacuum')).toBe(2);
  expect(bench.store.db.pragma('quick_check', { simple: true })).toBe('ok');
  bench.store.assertSameFiles();
  expect(await runShipped(bench, 'compact', {}, true)).toMatchObject({
    Result: 'failed',
    Error: expect.stringMatching(/outside a transaction/) as string,
  });
});

/** A store with one database that has taken everything of the queue lane but what is held. */
function withBlocked(
  bench: OpsBench,
  dead: readonly { at: number; reason: string; sinceMs: number }[],
) {
  const local = openLocal(bench.store, hubId);
  const appended = local.journal.append(
    dead.flatMap(({ at }) => [
      upsert(`key-${at}`, `dead ${at}`),
      patch(`key-${at}`, `behind ${at}`, { Status: 'Done' }),
    ]),
    nowMs,
  );
  const seqs = appended.map((one) => ('seq' in one ? one.seq : 0));
  const mark = local.marks.open('db-1', 1, 'queue', 0, 0);
  bench.store.db.prepare('insert into assignment values (0, ?, 1, 0)').run('db-1');
  local.marks.settle(mark.database, 'queue', {
    throughSeq: seqs.at(-1) as number,
    throughGuid: Buffer.alloc(16),
    recordedMs: nowMs,
    nowMs,
    applied: 0,
    present: 0,
    carrier: 'batch',
    blocked: dead.flatMap(({ at, reason }, index) => [
      { seq: seqs[2 * index] as number, key: `key-${at}`, state: 'dead' as const, reason },
      {
        seq: seqs[2 * index + 1] as number,
        key: `key-${at}`,
        state: 'parked' as const,
        reason: null,
      },
    ]),
  });
  dead.forEach(({ sinceMs }, index) =>
    bench.store.db
      .prepare('update held set since_ms = ? where seq = ?')
      .run(sinceMs, seqs[2 * index]),
  );
  const { database } = mark;
  return { local, database, seqs };
}

test('purge-dead-letters — by age and reason; what is parked behind may go, counts stay whole (I10)', async () => {
  const bench = new OpsBench();
  const { local, database, seqs } = withBlocked(bench, [
    { at: 1, reason: 'rejected: too long', sinceMs: 0 },
    { at: 2, reason: 'rejected: too long', sinceMs: Date.now() },
    { at: 3, reason: 'conflict: other', sinceMs: 0 },
  ]);
  expect(await runShipped(bench, 'purge-dead-letters')).toMatchObject({
    Result: 'failed',
    Error: expect.stringMatching(/say which/) as string,
  });
  expect(
    local.blocked.released.next(database, 'queue', 10).runs.flatMap((run) => run.seqs),
  ).toEqual([]);
  const args = { 'older-than-days': '30', reason: 'too long' };
  expect(await runShipped(bench, 'purge-dead-letters', args, true)).toMatchObject({
    Result: 'rolled_back',
    Tables: { held: { Updated: 1 } },
  });
  expect(await runShipped(bench, 'purge-dead-letters', args)).toMatchObject({
    Result: 'applied',
    Note: '1 dead letters dropped',
  });
  expect([
    local.blocked.count(database, 'queue', 'dead'),
    local.blocked.count(database, 'queue', 'dropped'),
    local.blocked.count(database, 'queue', 'parked'),
  ]).toEqual([2, 1, 3]);
  expect(
    local.blocked.released.next(database, 'queue', 10).runs.flatMap((run) => run.seqs),
  ).toEqual([seqs[1]]);
  expect(
    await runShipped(bench, 'purge-dead-letters', { 'older-than-days': '0', lane: 'manifest' }),
  ).toMatchObject({ Note: '0 dead letters dropped' });
  expect(await runShipped(bench, 'purge-dead-letters', { 'older-than-days': '0' })).toMatchObject({
    Note: '2 dead letters dropped',
  });
  expect(
    local.blocked.released.next(database, 'queue', 10).runs.flatMap((run) => run.seqs),
  ).toEqual([seqs[1], seqs[3], seqs[5]]);
});

test('purge-dead-letters — many go in steps', async () => {
  const bench = new OpsBench();
  const count = limits.purgeStepEntries + 10;
  const { local, database } = withBlocked(
    bench,
    Array.from({ length: count }, (_, at) => ({ at, reason: 'x', sinceMs: nowMs - 40 * dayMs })),
  );
  expect(await runShipped(bench, 'purge-dead-letters', { reason: 'x' })).toMatchObject({
    Steps: 2,
    Note: `${count} dead letters dropped`,
  });
  expect(local.blocked.count(database, 'queue', 'dropped')).toBe(count);
});

test('rebuild-projection — rows that say something wrong say what the journal says again', async () => {
  const bench = new OpsBench();
  const { journal, projection } = openLocal(bench.store, hubId);
  journal.append(
    [
      upsert('w1', '1', { Status: 'Pending' }),
      patch('w1', '2', { Status: 'Done' }),
      event('w1', '3'),
      manifest('m1', '4', { Status: 'Ok' }),
    ],
    nowMs,
  );
  await projection.catchUp('queue');
  await projection.catchUp('manifest');
  const dump = () => bench.store.db.prepare('select * from projected order by tbl, key, sub').all();
  const right = dump();
  bench.store.db.exec(
    'update projected set doc = \'{"Deleted":0}\'; insert into projected values ' +
      "('UVQueueWorkItem', 'ghost', '', 1, '{}')",
  );
  expect(await runShipped(bench, 'rebuild-projection')).toMatchObject({ Result: 'applied' });
  await projection.catchUp('queue');
  await projection.catchUp('manifest');
  expect(dump()).toEqual(right);
});

test('rebuild-projection — rows are forgotten in steps; a view that says caught up has everything', async () => {
  const bench = new OpsBench();
  const { journal, projection } = openLocal(bench.store, hubId);
  const count = 3 * limits.rebuildStepRows;
  journal.append(
    Array.from({ length: count }, (_, at) => upsert(`w${at}`, `${at}`, { Status: 'Pending' })),
    nowMs,
  );
  await projection.catchUp('queue');
  const ended = new AbortController();
  const running = runShipped(bench, 'rebuild-projection').finally(() => ended.abort());
  const rows = new Set<unknown>();
  for (; !ended.signal.aborted; await turn()) {
    await projection.catchUp('queue');
    if (projection.position('queue') === journal.counts('queue').head)
      rows.add(
        bench.store.db
          .prepare("select count(*) from projected where json_extract(doc, '$.Status') = 'Pending'")
          .pluck()
          .get(),
      );
  }
  expect((await running)?.Steps).toBeGreaterThan(4);
  expect([...rows]).toEqual([count]);
  await projection.catchUp('queue');
  expect(bench.store.db.prepare('select count(*) from projected').pluck().get()).toBe(count);
});

test('rebuild-projection — what was learnt from bodies that are given up is kept', async () => {
  const bench = new OpsBench();
  const { journal, projection } = openLocal(bench.store, hubId);
  journal.append([upsert('w1', '1', { Status: 'Pending', Capability: 'Shell' })], nowMs);
  const given = journal.readAfter('queue', 0, 10, 1_000_000);
  journal.append([patch('w1', '2', { Status: 'Done' }), event('w1', '3')], nowMs);
  await projection.catchUp('queue');
  const right = bench.store.db.prepare('select * from projected order by tbl').all();
  journal.strip('queue', given);
  bench.store.db.exec(
    "update projected set doc = json_set(doc, '$.Status', 'Wrong') where tbl = 'UVQueueWorkItem'",
  );
  await runShipped(bench, 'rebuild-projection', { lane: 'queue' });
  await projection.catchUp('queue');
  expect(bench.store.db.prepare('select * from projected order by tbl').all()).toEqual(right);
});

test('verify-applied needs a worker that can ask the database', async () => {
  expect(await runShipped(new OpsBench(), 'verify-applied')).toMatchObject({
    Result: 'failed',
    Error: expect.stringMatching(/needs a running worker/) as string,
  });
});

test('B19 — the worker writes between the steps of an operation', async () => {
  const bench = new OpsBench();
  fillAndEmpty(bench, 6_000);
  const ended = new AbortController();
  const running = runShipped(bench, 'compact').finally(() => ended.abort());
  let written = 0;
  for (; !ended.signal.aborted; written++) {
    bench.store.setMeta('written', String(written));
    await turn();
  }
  expect((await running)?.Result).toBe('applied');
  expect(written).toBeGreaterThan(5);
});
