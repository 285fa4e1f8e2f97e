/**
 * Reads over a legacy beacon: the same answers as from a database or the journal, with what is
 * pending put over them; and a beacon that lost its rows.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { event, manifest, patch, upsert, write } from '../../kit/worker/fixture.ts';
import { seesEventsInOrder, seesPendingOverDelivered } from '../../kit/worker/read-cases.ts';
import { World } from '../../kit/worker/with-beacon.ts';

describe.each(['memory', 'sqlite'] as const)('provider %s', (provider) => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
    await world.startBeacon('old-1', { databases: [], provider });
    await world.assign('old-1', 0);
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  test('a hub sees what it wrote, delivered or pending, over what the journal has forgotten (defect 34)', async () => {
    await seesPendingOverDelivered(world);
    expect(await world.read('QP_GetWorkItemByHash', { WorkItemHash: 'nobody' })).toMatchObject({
      Success: true,
      WorkItem: null,
      Source: 'beacon',
    });
  });

  test('events come once, oldest first, pending ones among the others', () =>
    seesEventsInOrder(world));

  test('a manifest as it was sent with its row beside it, in short in lists, whole where that is wanted, gone when removed (defect 36)', async () => {
    const sent = {
      Hash: 'm',
      Status: 'Complete',
      Live: true,
      StartTime: 's',
      Output: { deep: [1, null] },
    };
    const { Hash, ...fields } = sent;
    await world.accept(manifest(Hash, 'm1', fields));
    await world.drained();
    const get = () => world.read('MS_GetManifest', { RunHash: 'm' });
    const list = async (more: object = {}) =>
      (await world.read('MS_ListManifests', { Filter: { Status: 'Complete', ...more } }))[
        'Manifests'
      ];
    expect(await get()).toMatchObject({
      Source: 'beacon',
      Manifest: sent,
      Row: { Hash: 'm', Status: 'Complete', Live: true, ElapsedMs: 0 },
    });
    expect(await list()).toMatchObject([{ Hash: 'm', Live: true }]);
    expect(JSON.stringify(await list())).not.toContain('deep');
    expect(await list({ Full: true })).toMatchObject([{ Hash: 'm', ManifestJSON: sent }]);
    world.core.setPaused(true);
    await world.accept(write('MS_RemoveManifest', 'm2', { RunHash: 'm' }));
    expect([await get(), await list()]).toMatchObject([{ Source: 'merged', Manifest: null }, []]);
    world.core.setPaused(false);
    await world.drained();
    expect([await get(), await list()]).toMatchObject([{ Source: 'beacon', Manifest: null }, []]);
  });

  test('lists, page by page, are those of the journal, whatever the order (defects 32, 33)', async () => {
    const statuses = ['Pending', 'Running', 'Complete'];
    await world.accept(
      ...Array.from({ length: 60 }, (_, n) =>
        upsert(`l${(n * 37) % 60}`, `l${n}`, {
          RunID: 'lists',
          Status: statuses[n % 3],
          EnqueuedAt: `2026-01-0${1 + (n % 4)}`,
          Priority: n % 5,
        }),
      ),
    );
    await world.drained();
    const filters = [
      {},
      { OrderBy: '-EnqueuedAt' },
      { OrderBy: 'Priority DESC' },
      { Status: ['Running', 'Complete'], OrderBy: '-WorkItemHash' },
      { Status: 'Pending' },
    ].map((filter) => ({ ...filter, RunID: 'lists', Limit: 7 }));
    const all = () => Promise.all(filters.map((filter) => world.list('QP_ListWorkItems', filter)));
    const fromBeacon = await all();
    world.core.setPaused(true);
    await world.accept(patch('l5', 'l5 late', { Status: 'Pending', EnqueuedAt: '2026-01-09' }));
    const merged = await all();
    expect(new Set(fromBeacon.flatMap((one) => [...one.sources]))).toEqual(new Set(['beacon']));
    if (provider === 'memory') {
      world.core.setPaused(false);
      return;
    }
    await world.stopBeacon('old-1');
    await until(
      'it is away',
      () => world.destinations.assignments.targetOf('queue')?.state === 'waiting-for-beacon',
    );
    const fromJournal = await all();
    expect(new Set(fromJournal.flatMap((one) => [...one.sources]))).toEqual(new Set(['journal']));
    const names = (lists: typeof merged) =>
      lists.map(({ rows }) =>
        rows.map((row) => [row['WorkItemHash'], row['Status'], row['Priority'], row['EnqueuedAt']]),
      );
    expect(names(merged)).toEqual(names(fromJournal));
    expect(fromBeacon.map(({ rows }) => rows.length)).toEqual([60, 60, 60, 40, 20]);
    await world.startBeacon('old-1', { databases: [], provider });
    world.core.setPaused(false);
    await world.drained();
    expect(names(await all())).toEqual(names(fromJournal));
  });

  test('it keeps no mark to compare with, and says so to who asks', async () => {
    const backend = world.destinations.deliveries.queue.backend('old-1', 0);
    await expect(backend?.mark()).rejects.toThrow('legacy');
    await expect(
      world.core.hub
        .view('queue')
        .fromBackend({ Table: 'UVQueueWorkItemAttempt', Terms: [], Order: [], Limit: 1 }),
    ).rejects.toThrow('legacy');
  });
});

test('rows that were only in memory are sent again when their beacon begins anew, as far as the journal has them', async () => {
  await using world = await World.start();
  const start = () => world.startBeacon('old-1', { databases: [], provider: 'memory' });
  await start();
  await world.assign('old-1');
  await world.accept(
    upsert('w', 'w', { Status: 'Pending' }),
    event('w', 'e', { EmittedAt: '1' }),
    manifest('m', 'm', { Status: 'Waiting' }),
  );
  await world.drained();
  await world.stopBeacon('old-1');
  await until(
    'it is away',
    () => world.destinations.assignments.targetOf('queue')?.state === 'waiting-for-beacon',
  );
  await start();
  await until('all is there again', async () => {
    const [item, events, run] = await Promise.all([
      world.read('QP_GetWorkItemByHash', { WorkItemHash: 'w' }),
      world.read('QP_GetEvents', { WorkItemHash: 'w' }),
      world.read('MS_GetManifest', { RunHash: 'm' }),
    ]);
    return (
      item.Source === 'beacon' &&
      item['WorkItem'] !== null &&
      (events['Events'] as unknown[]).length === 1 &&
      run['Manifest'] !== null
    );
  });
});
