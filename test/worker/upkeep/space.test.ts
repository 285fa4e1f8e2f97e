/**
 * Room in the file goes back to the disk: after a backlog was delivered and its retention is over,
 * in small steps, and only while idle.
 */
import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import type { Assignments } from '../../../worker/beacons/assignments.ts';
import { Intake } from '../../../worker/intake/intake.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { Retention } from '../../../worker/upkeep/retention.ts';
import { openReadOnly } from '../../../worker/state/connection.ts';
import { Space } from '../../../worker/upkeep/space.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { hubId, openStore, patch, roomy, silent } from '../../kit/worker/fixture.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';

const MiB = 1024 * 1024;

/** A run whose journal took and delivered about 40 MiB, and gave the bodies up. */
async function drained(): Promise<LaneRun> {
  const run = LaneRun.ofTest();
  for (let lot = 0; lot < 20; lot++) {
    run.append(
      ...Array.from({ length: 100 }, (_, n) =>
        patch(`k${n}`, `n${lot}-${n}`, { Result: 'x'.repeat(20_000), [`F${lot * 100 + n}`]: 1 }),
      ),
    );
  }
  await run.rest();
  await new Retention(
    {
      ...run.local,
      assignments: { of: () => run.assigned } as unknown as Assignments,
      clock: run.clock,
    },
    { entries: 0, ms: 0 },
  ).sweep();
  run.local.store.checkpoint('truncate');
  return run;
}

test('the file shrinks after a drained backlog lost its bodies, and keeps a little to write into', async () => {
  const run = await drained();
  const { store } = run.local;
  const size = () => statSync(store.paths.db).size;
  expect(size()).toBeGreaterThan(35 * MiB);
  const faults: unknown[] = [];
  const space = new Space({ store, clock: run.clock, onFault: (error) => faults.push(error) });
  expect(await space.giveBack(), 'the first look only sees what was written before').toBe(0);
  const steps: number[] = [];
  const pragma = store.db.pragma.bind(store.db);
  store.db.pragma = (text, options) => {
    if (text.startsWith('incremental_vacuum')) steps.push(Number(/\d+/.exec(text)?.[0]));
    return pragma(text, options);
  };
  expect(await space.giveBack()).toBeGreaterThan((20 * MiB) / 4096);
  expect(Math.max(...steps), 'one step is small').toBeLessThanOrEqual(limits.spaceStepPages);
  expect(size()).toBeLessThan(20 * MiB);
  expect(store.logBytes(), 'the log did not keep all that was moved').toBeLessThan(
    2 * limits.checkpointBytes,
  );
  expect(Number(store.db.pragma('freelist_count', { simple: true })) * 4096).toBeGreaterThanOrEqual(
    limits.spaceKeptBytes,
  );
  expect(store.db.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(await space.giveBack(), 'then it rests').toBe(0);
  expect(faults).toEqual([]);
  expect(run.balance.Difference).toBe(0);
});

test('nothing is given back while the store is written to, and a step ends when a write comes', async () => {
  const run = await drained();
  const { store } = run.local;
  const space = new Space({ store, clock: run.clock, onFault: () => undefined });
  await space.giveBack();
  run.append(patch('a', 'more', {}));
  expect(await space.giveBack()).toBe(0);
  const going = space.giveBack();
  run.append(patch('a', 'even-more', {}));
  expect(await going).toBeLessThanOrEqual(limits.spaceStepPages);
});

/** Intake over a real store, and writes of about 20 KB through it. */
function loaded() {
  const store = openStore();
  const { journal } = openLocal(store, hubId);
  const intake = new Intake({
    store,
    journal,
    clock: new ManualClock(),
    log: silent,
    pressure: roomy,
    events: { onAccepted: () => {}, onFault: () => {} },
  });
  let count = 0;
  const load = async (bytes: number) => {
    let longest = 0;
    for (let sent = 0; sent < bytes; sent += 50 * 20_000) {
      await Promise.all(
        Array.from({ length: 50 }, () =>
          intake.accept(patch('a', `n${count++}`, { Result: 'x'.repeat(20_000) })),
        ),
      );
      longest = Math.max(longest, store.logBytes());
    }
    return longest;
  };
  return { store, load };
}

test('the log stays short under load (I9)', async () => {
  const { load } = loaded();
  expect(await load(60 * MiB)).toBeLessThan(2 * limits.checkpointBytes);
});

test('the log grows only by what is written while a reader looks on, and is reused behind it (C6, I9)', async () => {
  const { store, load } = loaded();
  await load(4 * MiB);
  const reader = openReadOnly(store.paths.db);
  reader.exec('begin');
  const seen = reader.prepare('select count(*) from entry').pluck().get();
  const longest = await load(24 * MiB);
  expect(longest).toBeGreaterThan(2 * limits.checkpointBytes);
  expect(
    reader.prepare('select count(*) from entry').pluck().get(),
    'the reader sees what it saw',
  ).toBe(seen);
  reader.exec('commit');
  reader.close();
  expect(await load(40 * MiB), 'no longer than it was').toBeLessThan(
    longest + limits.checkpointBytes,
  );
  store.checkpoint('truncate');
  expect(store.logBytes()).toBe(0);
});
