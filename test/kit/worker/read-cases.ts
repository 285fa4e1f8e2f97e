/**
 * What a hub must read of its own writes, wherever they were delivered to: a databeacon's tables or
 * a legacy beacon's store.
 */
import { expect } from 'vitest';
import type { JsonObject } from '../../../contracts/body/json-value.ts';
import { event, patch, upsert } from './fixture.ts';
import type { World } from './with-beacon.ts';

/**
 * A patch that is pending lies over the row that was delivered, though the journal has forgotten
 * it.
 */
export async function seesPendingOverDelivered(world: World): Promise<void> {
  const item = () => world.read('QP_GetWorkItemByHash', { WorkItemHash: 'over' });
  await world.accept(
    upsert('over', 'over1', {
      Status: 'Pending',
      Priority: 4,
      Odd: { a: 1 },
      Settings: { deep: [1] },
    }),
  );
  await world.drained();
  expect(await item()).toMatchObject({
    Source: 'beacon',
    WorkItem: {
      Status: 'Pending',
      Settings: { deep: [1] },
      Extra: { Odd: { a: 1 } },
      MaxAttempts: 1,
      CancelRequested: false,
    },
  });
  await world.forget();
  world.core.setPaused(true);
  await world.accept(patch('over', 'over2', { Status: 'Running', More: 2 }));
  const now = { Status: 'Running', Priority: 4, Extra: { Odd: { a: 1 }, More: 2 } };
  expect(await item()).toMatchObject({ Source: 'merged', WorkItem: now });
  world.core.setPaused(false);
  await world.drained();
  expect(await item()).toMatchObject({ Source: 'beacon', WorkItem: now });
}

/** Events come once, oldest first, pending ones among the others. */
export async function seesEventsInOrder(world: World): Promise<void> {
  await world.accept(
    event('ev', 'ev2', { EmittedAt: '2', EventType: 'second' }),
    event('ev', 'ev4', { EmittedAt: '4', EventType: 'fourth', Seq: 1 }),
  );
  await world.drained();
  world.core.setPaused(true);
  await world.accept(
    event('ev', 'ev1', { EmittedAt: '1', EventType: 'first' }),
    event('ev', 'ev3', { EmittedAt: '4', EventType: 'third', Payload: { p: 1 } }),
  );
  const read = (more: object = {}) => world.read('QP_GetEvents', { WorkItemHash: 'ev', ...more });
  const types = async (more: object = {}) =>
    ((await read(more))['Events'] as JsonObject[]).map((one) => one['EventType']);
  expect(await types()).toEqual(['first', 'second', 'third', 'fourth']);
  expect(await types({ Limit: 2 })).toEqual(['first', 'second']);
  world.core.setPaused(false);
  await world.drained();
  expect(await types()).toEqual(['first', 'second', 'third', 'fourth']);
  expect(await types({ Limit: 0 })).toHaveLength(4);
  expect(await read()).toMatchObject({
    Source: 'beacon',
    Events: [{}, {}, { Payload: { p: 1 } }, {}],
  });
}
