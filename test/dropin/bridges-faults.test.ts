/** What goes wrong at the drop-in bridges is said in the answer, never thrown. */
import { describe, expect, test } from 'vitest';
import type { NatsConnection } from '../../dropin/config.ts';
import { QueuePersistenceBridge } from '../../dropin/bridges.ts';
import { openBridges } from '../kit/processes/open-bridges.ts';

const { queueOf } = openBridges();

describe('what goes wrong is told, never thrown', () => {
  test.for<[string, (queue: QueuePersistenceBridge) => Promise<object>, object]>([
    [
      'nothing for an item',
      (queue) => queue.upsertWorkItem(undefined as never),
      {
        Available: true,
        Success: false,
        Code: 'INVALID_MESSAGE',
        Reason: expect.stringContaining('WorkItem') as string,
      },
    ],
    [
      'an item without its hash',
      (queue) => queue.upsertWorkItem({} as never),
      { Available: true, Success: false, Code: 'INVALID_MESSAGE' },
    ],
    [
      'a hash over 128 characters',
      (queue) => queue.updateWorkItem('x'.repeat(129), {}),
      { Available: true, Success: false, Code: 'INVALID_MESSAGE' },
    ],
    [
      'a circle',
      (queue) => queue.upsertWorkItem(circle()),
      { Available: true, Success: false, Code: 'INVALID_MESSAGE' },
    ],
    [
      'a filter the worker does not know',
      (queue) => queue.listWorkItems({ Colour: 'red' } as never),
      { Available: true, Success: false, Code: 'INVALID_MESSAGE', WorkItems: [] },
    ],
    [
      'a read of nothing',
      (queue) => queue.getWorkItemByHash(undefined as never),
      {
        Available: true,
        Success: false,
        Code: 'INVALID_MESSAGE',
        WorkItem: null,
        WorkItems: [],
        Events: [],
      },
    ],
  ])('%s', async ([, call, expected]) => {
    expect(await call(queueOf())).toMatchObject(expected);
  });

  test('no worker: writes end after GiveUpMs, reads after TimeoutMs, as not available, as status says', async () => {
    const lonely = queueOf({ HubID: 'nobody', GiveUpMs: 300, TimeoutMs: 300 });
    const [write, read] = await Promise.all([
      lonely.upsertWorkItem({ WorkItemHash: 'w' }),
      lonely.getWorkItemByHash('w'),
    ]);
    expect(write).toMatchObject({
      Available: false,
      Success: false,
      Reason: expect.any(String) as string,
    });
    expect(read).toMatchObject({
      Available: false,
      Success: false,
      WorkItem: null,
      WorkItems: [],
      Events: [],
    });
    expect(await lonely.setPersistenceAssignment('db-1', 1)).toMatchObject({
      Available: false,
      Success: false,
    });
    expect(lonely.getPersistenceStatus()).toMatchObject({
      State: 'waiting-for-beacon',
      LastError: expect.stringContaining('does not answer') as string,
    });
  });

  test('too much waiting is refused with its reason, by number and size, and taken when there is room', async () => {
    const lonely = queueOf({ HubID: 'nobody', WritesMax: 2, GiveUpMs: 400 });
    const waiting = [
      lonely.upsertWorkItem({ WorkItemHash: 'a' }),
      lonely.upsertWorkItem({ WorkItemHash: 'b' }),
    ];
    expect(await lonely.upsertWorkItem({ WorkItemHash: 'c' })).toMatchObject({
      Available: true,
      Success: false,
      Code: 'OVERLOADED',
      Reason: expect.stringContaining('2 writes') as string,
    });
    await Promise.all(waiting);
    expect(lonely.unanswered).toBe(0);
    const narrow = queueOf({ HubID: 'nobody', WriteCharsMax: 1_000, GiveUpMs: 400 });
    const first = narrow.upsertWorkItem({ WorkItemHash: 'a', Result: 'x'.repeat(900) });
    expect(
      await narrow.upsertWorkItem({ WorkItemHash: 'b', Result: 'x'.repeat(900) }),
    ).toMatchObject({ Available: true, Success: false, Code: 'OVERLOADED' });
    await first;
    expect(
      await narrow.upsertWorkItem({ WorkItemHash: 'b', Result: 'x'.repeat(900) }),
    ).toMatchObject({ Available: false });
  });

  test('options that cannot be are refused when the bridge is made', () => {
    expect(() => new QueuePersistenceBridge({ HubID: 'no blanks' })).toThrow(/HubID/);
    expect(() => new QueuePersistenceBridge({ TimeoutMs: -1 })).toThrow(/TimeoutMs/);
    expect(() => new QueuePersistenceBridge({ Connection: {} as NatsConnection })).toThrow(
      /Headers/,
    );
  });
});

function circle(): never {
  const item: Record<string, unknown> = { WorkItemHash: 'c' };
  item['Self'] = item;
  return item as never;
}
