/**
 * Defects of the incumbent's delivery, each turned into what must hold here; real bus and
 * databeacon.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WriteEnvelope } from '../../contracts/envelope.ts';
import { readRows } from '../kit/rows/compare.ts';
import { until } from '../kit/until.ts';
import { event, manifest, patch, upsert, write } from '../kit/worker/fixture.ts';
import { World } from '../kit/worker/with-beacon.ts';

let world: World;
beforeEach(async () => {
  world = await World.start();
});
afterEach(async () => {
  await world?.[Symbol.asyncDispose]();
});

const rows = (table: string, beacon = 'db-1', connection = 1) =>
  readRows(world.databasePath(beacon, connection), table);
const hashes = () =>
  rows('UVQueueWorkItem')
    .map((row) => row['WorkItemHash'])
    .toSorted();
const attempt = (hash: string, name: string, fields: object) =>
  write('QP_InsertAttempt', name, { Attempt: { WorkItemHash: hash, AttemptNumber: 1, ...fields } });
const outcome = (hash: string, name: string, fields: object) =>
  write('QP_UpdateAttemptOutcome', name, { WorkItemHash: hash, AttemptNumber: 1, Patch: fields });

const carriers: [string, boolean][] = [
  ['batch', true],
  ['meadow-proxy', false],
];

async function attach(): Promise<void> {
  await world.startBeacon('db-1');
  await world.assign('db-1');
}

describe('a backlog', () => {
  test('defect 2: what was written before there was a database, and while it was away, is delivered', async () => {
    await world.accept(
      upsert('before', 'before'),
      event('before', 'before-event'),
      manifest('m', 'before-manifest'),
    );
    await attach();
    await world.drained();
    await world.stopBeacon('db-1');
    await world.accept(
      upsert('away', 'away'),
      patch('before', 'away-patch', { Status: 'Running' }),
    );
    await world.startBeacon('db-1');
    await world.drained();
    expect(hashes()).toEqual(['away', 'before']);
    expect(rows('UVQueueWorkItem').find((row) => row['WorkItemHash'] === 'before')).toMatchObject({
      Status: 'Running',
    });
    expect(rows('UVManifest')).toHaveLength(1);
    expect(rows('UVQueueWorkItemEvent')).toHaveLength(1);
  });

  test('defect 5: all of the items that share one millisecond arrive', async () => {
    const at = { EnqueuedAt: '2026-01-01T00:00:00.000Z' };
    await world.accept(...Array.from({ length: 50 }, (_, n) => upsert(`w${n}`, `w${n}`, at)));
    await attach();
    await world.drained();
    expect(hashes()).toHaveLength(50);
  });

  test('defect 6: a backlog of 6000 items and more drains to the end', async () => {
    for (let from = 0; from < 6_500; from += 500) {
      await world.accept(
        ...Array.from({ length: 500 }, (_, n) =>
          upsert(`w${from + n}`, `w${from + n}`, { EnqueuedAt: 'same' }),
        ),
      );
    }
    await attach();
    await world.drained();
    expect(rows('UVQueueWorkItem')).toHaveLength(6_500);
  });

  test('defect 8: attempts are in it, with their outcomes', async () => {
    await world.accept(
      upsert('w', 'w'),
      attempt('w', 'a', { BeaconID: 'b', DispatchedAt: 'd', Outcome: 'Dispatched' }),
      outcome('w', 'o', { CompletedAt: 'c', Outcome: 'Complete', DurationMs: 5 }),
    );
    await attach();
    await world.drained();
    expect(rows('UVQueueWorkItemAttempt')).toMatchObject([
      { BeaconID: 'b', StartedAt: 'd', EndedAt: 'c', Outcome: 'Complete', DurationMs: 5 },
    ]);
  });

  test('defect 9, defect 10: events without a GUID keep what identifies them, and none is taken for another', async () => {
    const named = Array.from({ length: 5 }, (_, n) =>
      event('w', `e${n}`, { EventType: 'enqueued' }),
    );
    await world.accept(...named);
    await attach();
    await world.drained();
    const stored = rows('UVQueueWorkItemEvent');
    expect(stored.map((row) => row['EventGUID']).toSorted()).toEqual(
      named.map((one) => one.eventGuid).toSorted(),
    );
    expect(stored.every((row) => /^\d{4}-/.test(String(row['EmittedAt'])))).toBe(true);
  });

  test('defect 18: an item with an older EnqueuedAt than those delivered is not behind any mark', async () => {
    await attach();
    await world.accept(upsert('new', 'new', { EnqueuedAt: '2026-06-01' }));
    await world.drained();
    await world.accept(upsert('old', 'old', { EnqueuedAt: '2020-01-01' }), upsert('none', 'none'));
    await world.drained();
    expect(hashes()).toEqual(['new', 'none', 'old']);
  });

  test('defect 19: no more than a thousand events of one item is no more than any other number', async () => {
    await world.accept(
      upsert('w', 'w'),
      ...Array.from({ length: 1_500 }, (_, n) => event('w', `e${n}`)),
    );
    await attach();
    await world.drained();
    expect(rows('UVQueueWorkItemEvent')).toHaveLength(1_500);
  });
});

describe('order', () => {
  test('defect 7: updates after the delivery of an item are delivered', async () => {
    await attach();
    await world.accept(upsert('w', 'w', { Status: 'Pending', EnqueuedAt: 'x' }));
    await world.drained();
    await world.stopBeacon('db-1');
    await world.accept(
      patch('w', 'p', { Status: 'Complete' }),
      event('w', 'e', { EventType: 'completed' }),
    );
    await world.startBeacon('db-1');
    await world.drained();
    expect(rows('UVQueueWorkItem')).toMatchObject([{ Status: 'Complete', EnqueuedAt: 'x' }]);
    expect(rows('UVQueueWorkItemEvent')).toHaveLength(1);
  });

  test('defect 14: a backlog that is still on its way cannot overwrite a newer write', async () => {
    await world.accept(
      ...Array.from({ length: 400 }, (_, n) => upsert(`w${n}`, `w${n}`, { Status: 'Pending' })),
    );
    await world.startBeacon('db-1');
    const assigned = world.assign('db-1');
    await world.accept(
      ...Array.from({ length: 400 }, (_, n) => patch(`w${n}`, `p${n}`, { Status: 'Complete' })),
    );
    await assigned;
    await world.drained();
    expect(rows('UVQueueWorkItem').filter((row) => row['Status'] !== 'Complete')).toEqual([]);
  });

  test.each(carriers)(
    'defect 15: an update right behind its upsert finds it, by %s',
    async (_name, isBatchOn) => {
      await world.startBeacon('db-1', { isBatchOn });
      await world.assign('db-1');
      const pairs = Array.from({ length: 200 }, (_, n): WriteEnvelope[] => [
        upsert(`w${n}`, `w${n}`, { Status: 'Pending', Priority: n }),
        patch(`w${n}`, `p${n}`, { Status: 'Running' }),
      ]);
      await world.accept(...pairs.flat());
      await world.drained();
      const stored = rows('UVQueueWorkItem');
      expect(stored).toHaveLength(200);
      expect(
        stored.filter(
          (row) =>
            row['Status'] !== 'Running' || `w${String(row['Priority'])}` !== row['WorkItemHash'],
        ),
      ).toEqual([]);
    },
  );

  test.each(carriers)(
    'defect 12, defect 13: an upsert overwrites, also after a removal, by %s',
    async (_name, isBatchOn) => {
      await world.startBeacon('db-1', { isBatchOn });
      await world.assign('db-1');
      for (const one of [
        manifest('m', 'm1', { Status: 'Waiting', Live: true }),
        manifest('m', 'm2', { Status: 'Complete' }),
        write('MS_RemoveManifest', 'm3', { RunHash: 'm' }),
      ]) {
        await world.accept(one);
        await world.drained();
      }
      expect(rows('UVManifest')).toMatchObject([{ Status: 'Complete', Live: 0, Deleted: 1 }]);
      await world.accept(manifest('m', 'm4', { Status: 'Again' }));
      await world.drained();
      expect(rows('UVManifest')).toMatchObject([{ Status: 'Again', Deleted: 0 }]);
    },
  );

  test.each(carriers)(
    'defect 11: an event that says otherwise under a known GUID is no success, by %s',
    async (_name, isBatchOn) => {
      await world.startBeacon('db-1', { isBatchOn });
      await world.assign('db-1');
      const first = event('w', 'e1', { EventGUID: 'shared', EventType: 'enqueued' });
      await world.accept(
        first,
        event('w', 'e2', { EventGUID: 'shared', EventType: 'enqueued' }),
        event('w', 'e3', { EventGUID: 'shared', EventType: 'failed' }),
        event('v', 'e4'),
      );
      const mark = () => world.destinations.deliveries.queue.mark();
      const [dead, ...more] = await until('the conflict is a dead letter', () => {
        const all = world.local.blocked.list(mark()?.database ?? 0, 10);
        return all.length > 0 ? all : null;
      });
      expect(more).toEqual([]);
      expect(dead?.reason).toMatch(/^conflict: .*EventType/);
      expect(mark()).toMatchObject({ applied: 2, present: 1 });
      expect(rows('UVQueueWorkItemEvent')).toHaveLength(2);
    },
  );
});

describe('real traffic', () => {
  test.each(carriers)(
    'defect 1, defect 43: the life of a polled item as a coordinator writes it, a stall included, arrives whole, by %s',
    async (_name, isBatchOn) => {
      await world.startBeacon('db-1', { isBatchOn });
      await world.assign('db-1');
      await world.accept(
        upsert('w', 'w', {
          CreatedAt: 'c',
          RequireAffinityMatch: false,
          Settings: { a: { b: 1 } },
          RunID: null,
          Health: null,
          RetryAfter: 1_795_228_237_902,
          LastError: null,
          Result: null,
        }),
        event('w', 'e1', {
          RunID: 'r',
          FromStatus: '',
          ToStatus: 'Pending',
          Payload: { Capability: 'Shell', Priority: 0 },
        }),
        patch('w', 'p1', {
          Status: 'Running',
          StartedAt: 's',
          DispatchedAt: 'd',
          LastEventAt: 'l',
          QueueWaitMs: 12,
          AttemptNumber: 1,
        }),
        attempt('w', 'a1', { BeaconID: 'b', DispatchedAt: 'd', Outcome: 'Dispatched' }),
        patch('w', 'p2', { Status: 'Stalled', StalledAt: 'stalled' }),
        patch('w', 'p3', { Status: 'Complete', CompletedAt: 'c', Result: { ok: true } }),
        outcome('w', 'o1', { CompletedAt: 'c', Outcome: 'Complete', DurationMs: 5 }),
      );
      await world.drained();
      expect(rows('UVQueueWorkItem')).toMatchObject([
        {
          Status: 'Complete',
          StalledAt: 'stalled',
          CreatedAt: 'c',
          RequireAffinityMatch: 0,
          RunID: '',
          Settings: '{"a":{"b":1}}',
          RetryAfter: '1795228237902',
          Result: '{"ok":true}',
        },
      ]);
      expect(rows('UVQueueWorkItemEvent')).toMatchObject([
        { RunID: 'r', Payload: '{"Capability":"Shell","Priority":0}' },
      ]);
      expect(rows('UVQueueWorkItemAttempt')).toMatchObject([
        { DispatchedAt: 'd', CompletedAt: 'c', DurationMs: 5, Outcome: 'Complete' },
      ]);
    },
  );
});

describe('where it goes', () => {
  test('defect 20: with two databeacons there, only the assigned one gets tables and rows', async () => {
    await world.startBeacon('customer');
    await world.startBeacon('db-1');
    await world.assign('db-1');
    await world.accept(upsert('w', 'w'), manifest('m', 'm'));
    await world.drained();
    expect(hashes()).toEqual(['w']);
    expect(() => rows('UVQueueWorkItem', 'customer')).toThrow(/no such table|unable to open/);
  });

  test('defect 24: after a re-assignment to another connection of the same beacon, that database gets everything', async () => {
    await attach();
    await world.accept(upsert('one', 'one'));
    await world.drained();
    await world.assign('db-1', 2);
    await world.accept(upsert('two', 'two'));
    await world.drained();
    expect(
      rows('UVQueueWorkItem', 'db-1', 2)
        .map((row) => row['WorkItemHash'])
        .toSorted(),
    ).toEqual(['one', 'two']);
    expect(hashes()).toEqual(['one']);
  });

  test('defect 47: hubs share a database without sharing rows', async () => {
    await attach();
    await world.accept(upsert('w', 'w'));
    await world.drained();
    expect(rows('UVQueueWorkItem')).toMatchObject([{ HubID: 'hub1', WorkItemHash: 'w' }]);
  });
});
