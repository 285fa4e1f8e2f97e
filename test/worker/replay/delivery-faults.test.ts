/**
 * Delivery when the worker's own store fails under it: that is never taken for the beacon's fault,
 * and never tried for ever.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { upsert } from '../../kit/worker/fixture.ts';
import { World } from '../../kit/worker/with-beacon.ts';

describe('delivery over a store that fails', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
    await world.startBeacon('db-1');
    await world.assign('db-1');
  }, 60_000);
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  test('an error that fits no class ends the worker after some in a row, not after one, and the beacon is not blamed', async () => {
    await world.accept(upsert('w', 'delivered'));
    await world.drained();
    world.core.setPaused(true);
    await world.accept(upsert('w', 'waiting'));
    world.local.store.db.exec('alter table held rename to elsewhere');
    world.core.setPaused(false);
    await until('the fault is told', () => world.faults.length > 0);
    expect(world.faults[0]).toContain('the journal failed');
    expect(
      world.destinations.directory.list().map((one) => one.BeaconID),
      'still there',
    ).toEqual(['db-1']);
    expect(world.destinations.assignments.targetOf('queue')?.isReady).toBe(true);
  });

  test('once it works again, delivery goes on where it was', async () => {
    world.local.store.db.exec('alter table elsewhere rename to held');
    await world.drained();
    world.faults.length = 0;
    expect(world.destinations.deliveries.queue.mark()?.seq).toBe(
      world.local.journal.counts('queue').head,
    );
  });

  test('a handle that was closed is told at once', async () => {
    world.local.store.db.close();
    world.core.wakeAll();
    await until('the fault is told', () => world.faults.length > 0);
    expect(world.faults[0]).toContain('not open');
  });
});
