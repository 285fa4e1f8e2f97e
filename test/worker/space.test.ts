/** Room in the file goes back to the disk: after a backlog was delivered and its retention is over, in small steps, and only while idle. */
import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { limits } from '../../contracts/limits.ts';
import type { Assignments } from '../../worker/assignments.ts';
import { Retention } from '../../worker/retention.ts';
import { Space } from '../../worker/state/space.ts';
import { patch } from './fixture.ts';
import { LaneRun } from './lane-run.ts';

const MiB = 1024 * 1024;

/** A run whose journal took and delivered about 40 MiB, and gave the bodies up. */
async function drained(): Promise<LaneRun> {
  const run = LaneRun.ofTest();
  for (let lot = 0; lot < 20; lot++) {
    run.append(...Array.from({ length: 100 }, (_, n) => patch(`k${n}`, `n${lot}-${n}`, { Result: 'x'.repeat(20_000), [`F${lot * 100 + n}`]: 1 })));
  }
  await run.rest();
  await new Retention({ ...run.local, assignments: { of: () => run.assigned } as unknown as Assignments, clock: run.clock }, { entries: 0, ms: 0 }).sweep();
  run.local.store.db.pragma('wal_checkpoint(truncate)');
  return run;
}

test('the file shrinks after a drained backlog lost its bodies, and keeps a little to write into', async () => {
  const run = await drained();
  const { store } = run.local;
  const size = () => statSync(store.paths.db).size;
  expect(size()).toBeGreaterThan(35 * MiB);
  const faults: unknown[] = [];
  const space = new Space({ db: store.db, clock: run.clock, onFault: (error) => faults.push(error) });
  expect(await space.giveBack(), 'the first look only sees what was written before').toBe(0);
  const steps: number[] = [];
  const pragma = store.db.pragma.bind(store.db);
  store.db.pragma = (text, options) => {
    if (text.startsWith('incremental_vacuum')) steps.push(Number(/\d+/.exec(text)?.[0]));
    return pragma(text, options);
  };
  expect(await space.giveBack()).toBeGreaterThan(20 * MiB / 4096);
  expect(Math.max(...steps), 'one step is small').toBeLessThanOrEqual(limits.spaceStepPages);
  store.db.pragma('wal_checkpoint(truncate)');
  expect(size()).toBeLessThan(20 * MiB);
  expect(Number(store.db.pragma('freelist_count', { simple: true })) * 4096).toBeGreaterThanOrEqual(limits.spaceKeptBytes);
  expect(store.db.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(await space.giveBack(), 'then it rests').toBe(0);
  expect(faults).toEqual([]);
  expect(run.balance.Difference).toBe(0);
});

test('nothing is given back while the store is written to, and a step ends when a write comes', async () => {
  const run = await drained();
  const { store } = run.local;
  const space = new Space({ db: store.db, clock: run.clock, onFault: () => undefined });
  await space.giveBack();
  run.append(patch('a', 'more', {}));
  expect(await space.giveBack()).toBe(0);
  const going = space.giveBack();
  run.append(patch('a', 'even-more', {}));
  expect(await going).toBeLessThanOrEqual(limits.spaceStepPages);
});
