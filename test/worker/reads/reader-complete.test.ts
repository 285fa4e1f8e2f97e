/**
 * A journal that still has everything answers for what it never heard of, with the database away.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { upsert } from '../../kit/worker/fixture.ts';
import { World } from '../../kit/worker/with-beacon.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
  await world.startBeacon('db-1');
  await world.assign('db-1');
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

test('a miss is null from the whole journal, and UNAVAILABLE only once bodies were given up', async () => {
  await world.accept(upsert('here', 'here1', { Status: 'x' }));
  await world.drained();
  const away = () =>
    until(
      'the beacon is away',
      () => world.destinations.assignments.targetOf('queue')?.state === 'waiting-for-beacon',
    );
  await world.stopBeacon('db-1');
  await away();
  const miss = await world.read('QP_GetWorkItemByHash', { WorkItemHash: 'nobody' });
  expect(miss).toMatchObject({ Success: true, WorkItem: null, Source: 'journal' });
  expect(miss).not.toHaveProperty('Partial');
  await world.forget();
  await expect(
    world.read('QP_GetWorkItemByHash', { WorkItemHash: 'nobody' }),
  ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
