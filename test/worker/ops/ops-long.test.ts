/**
 * Operations of several steps: turns of the event loop, cursors, stops, and what a dead process left.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { OperationTable } from '../../../worker/ops/table.ts';
import { kinds, OpsBench } from '../../kit/worker/ops-fixture.ts';

test('B19 — a long one gives the event loop a turn between its steps', async () => {
  const bench = new OpsBench();
  bench.longOp('a', 50);
  let turns = 0;
  const counting = (async () => {
    for (; turns < 1_000 && bench.applied().length === 0; turns++) await turn();
  })();
  expect((await bench.run()).Results).toMatchObject([
    { Result: 'applied', Steps: 50, Changes: 50 },
  ]);
  await counting;
  expect(turns).toBeGreaterThan(40);
  expect(bench.effects()).toHaveLength(50);
});

test('B19 — one that broke off goes on from its saved cursor, and no step is done twice', async () => {
  const bench = new OpsBench();
  bench.longOp('a', 10, "if (at === 6) throw new Error('power');");
  expect((await bench.run()).Results).toMatchObject([{ Result: 'failed', Steps: 5 }]);
  expect(bench.effects()).toHaveLength(5);
  bench.longOp('a', 10);
  expect((await bench.run()).Results).toMatchObject([
    { Result: 'applied', Steps: 10, Changes: 10 },
  ]);
  expect(bench.effects()).toEqual(Array.from({ length: 10 }, (_, at) => `a ${at + 1}`));
  expect(bench.store.db.prepare('select count(*) from operation_progress').pluck().get()).toBe(0);
});

test('B19 — told to stop, a long one ends between two steps, and the next start goes on', async () => {
  const bench = new OpsBench();
  bench.longOp('a', 10);
  const stop = new AbortController();
  stop.abort();
  expect(kinds(await bench.run({ stop: stop.signal }))).toEqual(['a interrupted']);
  expect(bench.effects()).toHaveLength(1);
  expect(kinds(await bench.run())).toEqual(['a applied']);
  expect(bench.effects()).toHaveLength(10);
});

test('B19 — before intake only the short ones run, up to the first long one; the rest follows in order', async () => {
  const bench = new OpsBench();
  bench.op('1-short');
  bench.longOp('2-long', 2);
  bench.op('3-short');
  const early = await bench.run({ isQuickOnly: true });
  expect(kinds(early)).toEqual(['1-short applied']);
  expect(early.Left).toBe(2);
  expect(kinds(await bench.run())).toEqual(['2-long applied', '3-short applied']);
});

test('an attempt that died with its process is told as interrupted, and the operation is pending', async () => {
  const bench = new OpsBench();
  bench.op('a');
  new OperationTable(bench.store.db).start(
    { type: 'operator', id: 'a', sha256: '' },
    { by: 'boot', host: 'h', pid: 1, version: '1' },
    0,
  );
  expect(bench.operations().history('a')).toMatchObject([{ Result: 'interrupted' }]);
  expect(bench.operations().summary()).toMatchObject({ Pending: 1, Failed: 0 });
});
