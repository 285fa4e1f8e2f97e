/**
 * The drop-in bridges against a real worker: the incumbent's envelopes, its questions about state,
 * and what a hub in JavaScript hands over.
 */
import { expect, test } from 'vitest';
import { type ManifestStoreBridge, QueuePersistenceBridge } from '../../dropin/bridges.ts';
import { readRows } from '../kit/rows/compare.ts';
import { TestNats } from '../kit/servers/nats.ts';
import { until } from '../kit/until.ts';
import { ok, openBridges } from '../kit/processes/open-bridges.ts';

const { stack, kept, queueOf, manifestsOf } = openBridges();

/** Each method once: what it is, the call, and what the answer holds. */
function callsOf(
  queue: QueuePersistenceBridge,
  manifests: ManifestStoreBridge,
): [string, () => Promise<object>, object][] {
  return [
    [
      'upsertWorkItem',
      () =>
        queue.upsertWorkItem({
          WorkItemHash: 'e1',
          Status: 'Pending',
          EnqueuedAt: '2026-01-01T00:00:00.000Z',
        }),
      ok,
    ],
    ['updateWorkItem', () => queue.updateWorkItem('e1', { Status: 'Running' }), ok],
    ['appendEvent', () => queue.appendEvent({ WorkItemHash: 'e1', EventType: 'enqueued' }), ok],
    ['insertAttempt', () => queue.insertAttempt({ WorkItemHash: 'e1', AttemptNumber: 1 }), ok],
    [
      'updateAttemptOutcome',
      () => queue.updateAttemptOutcome('e1', 1, { Outcome: 'Complete' }),
      ok,
    ],
    [
      'getWorkItemByHash',
      () => queue.getWorkItemByHash('e1'),
      {
        ...ok,
        WorkItem: expect.objectContaining({ WorkItemHash: 'e1', Status: 'Running' }) as object,
      },
    ],
    [
      'a miss',
      () => queue.getWorkItemByHash('nosuch'),
      { Available: true, Success: false, WorkItem: null, Code: 'NOT_FOUND' },
    ],
    [
      'getEvents',
      () => queue.getEvents('e1'),
      { ...ok, Events: [expect.objectContaining({ EventType: 'enqueued' }) as object] },
    ],
    ['getEvents with the limit 0 the incumbent sends', () => queue.getEvents('e1', 0), ok],
    ['getEvents of nothing', () => queue.getEvents('nosuch', 99_999), { ...ok, Events: [] }],
    [
      'upsertManifest',
      () => manifests.upsertManifest({ Hash: 'm1', Status: 'Complete', Output: { deep: [1] } }),
      ok,
    ],
    [
      'getManifest',
      () => manifests.getManifest('m1'),
      { ...ok, Manifest: { Hash: 'm1', Status: 'Complete', Output: { deep: [1] } } },
    ],
    [
      'a manifest that is not',
      () => manifests.getManifest('nosuch'),
      { Available: true, Success: false, Manifest: null, Code: 'NOT_FOUND' },
    ],
    ['removeManifest', () => manifests.removeManifest('m1'), ok],
    ['removeManifest of nothing', () => manifests.removeManifest('nosuch'), ok],
  ];
}

test('every method of the incumbent is there, synchronous or with a promise that resolves, as there', async () => {
  const queue = queueOf();
  const manifests = manifestsOf();
  for (const [what, send, expected] of callsOf(queue, manifests)) {
    const call = send();
    expect({ what, isPromise: call instanceof Promise, ...(await call) }).toMatchObject({
      what,
      isPromise: true,
      ...expected,
    });
  }
  expect(
    await queue.listWorkItems({
      Status: 'Running',
      OrderBy: '-EnqueuedAt',
      Limit: 99_999,
      RunID: '',
    }),
  ).toMatchObject({ ...ok, WorkItems: [expect.objectContaining({ WorkItemHash: 'e1' })] });
  expect(await manifests.listManifests()).toMatchObject({ ...ok, Manifests: [] });
  expect(queue.onBeaconConnected('bcn-1')).toBeUndefined();
  const prototype = (bridge: object) => Object.getOwnPropertyNames(Object.getPrototypeOf(bridge));
  expect(prototype(queue)).toEqual(
    expect.arrayContaining([
      'upsertWorkItem',
      'updateWorkItem',
      'appendEvent',
      'insertAttempt',
      'updateAttemptOutcome',
      'getWorkItemByHash',
      'listWorkItems',
      'getEvents',
    ]),
  );
  expect(prototype(manifests)).toEqual(
    expect.arrayContaining(['upsertManifest', 'removeManifest', 'getManifest', 'listManifests']),
  );
});

test('arguments are taken as they are at the call; later changes are not written, a key keeps its order', async () => {
  const queue = queueOf();
  const item: Record<string, unknown> & { WorkItemHash: string } = {
    WorkItemHash: 'snap',
    Status: 'Pending',
    Settings: { n: 1 },
    EnqueuedAt: 't0',
  };
  const calls = [queue.upsertWorkItem(item)];
  (item['Settings'] as { n: number }).n = 2;
  item['Status'] = 'Changed';
  const patch = { LastEventAt: 't1' };
  for (let turn = 1; turn <= 50; turn++) {
    patch.LastEventAt = `t${turn}`;
    calls.push(queue.updateWorkItem('snap', patch));
  }
  item.WorkItemHash = 'other';
  const seqs = (await Promise.all(calls)).map((answer) => Number(answer['Seq']));
  expect(seqs).toEqual(seqs.toSorted((one, other) => one - other));
  await stack().drained();
  const rows = readRows(stack().backendPath, 'UVQueueWorkItem').filter((row) =>
    ['snap', 'other'].includes(String(row['WorkItemHash'])),
  );
  expect(rows).toMatchObject([
    { WorkItemHash: 'snap', Status: 'Pending', Settings: '{"n":1}', LastEventAt: 't50' },
  ]);
});

test('a read of a key comes behind the writes of it that the caller did not wait for', async () => {
  const queue = queueOf();
  for (let turn = 0; turn < 20; turn++) {
    void queue.upsertWorkItem({ WorkItemHash: `ryw-${turn}`, Status: 'Pending' });
    void queue.updateWorkItem(`ryw-${turn}`, { Status: 'Running' });
    expect(await queue.getWorkItemByHash(`ryw-${turn}`)).toMatchObject({
      Success: true,
      WorkItem: { Status: 'Running' },
    });
  }
});

const statusKeys = [
  'State',
  'AssignedBeaconID',
  'IDBeaconConnection',
  'LastError',
  'BootstrappedAt',
  'AssignedAt',
  'Unanswered',
  'File',
];
const beaconOf = (queue: QueuePersistenceBridge) => [
  queue.getBeaconID(),
  queue.isBeaconAvailable(),
  queue.isMeadowProxyMode(),
  queue.getPersistenceBeacon(),
];

test("the status is kept: after an assignment, after the worker's word; clear, assign as the incumbent", async () => {
  const queue = queueOf();
  const manifests = manifestsOf();
  const fresh = await until(
    'the bridge heard of the worker',
    () => queue.getPersistenceStatus().State === 'bootstrapped' && queue.getPersistenceStatus(),
  );
  expect(Object.keys(fresh)).toEqual(statusKeys);
  expect(fresh).toMatchObject({
    AssignedBeaconID: 'db-1',
    IDBeaconConnection: 1,
    LastError: null,
    BootstrappedAt: expect.any(String) as string,
    AssignedAt: expect.any(String) as string,
  });
  expect(beaconOf(queue)).toEqual([
    'db-1',
    true,
    true,
    { BeaconID: 'db-1', IDBeaconConnection: 1 },
  ]);
  const cleared = queue.clearPersistenceAssignment();
  expect(queue.getPersistenceStatus()).toMatchObject({
    State: 'unassigned',
    AssignedBeaconID: null,
    IDBeaconConnection: 0,
    AssignedAt: null,
  });
  expect(beaconOf(queue)).toEqual([null, false, false, null]);
  expect(await cleared).toMatchObject(ok);
  await until(
    'the other bridge heard of it',
    () => manifests.getPersistenceStatus().State === 'unassigned',
  );
  const assigned = manifests.setPersistenceAssignment('db-1', 1);
  expect(manifests.getPersistenceStatus()).toMatchObject({
    State: 'waiting-for-beacon',
    AssignedBeaconID: 'db-1',
    IDBeaconConnection: 1,
  });
  expect(await assigned).toMatchObject(ok);
  await until(
    'both are bootstrapped',
    () => queue.isMeadowProxyMode() && manifests.isMeadowProxyMode(),
  );
  await stack().beacon.kill();
  await until(
    'both hear that the beacon is away',
    () => queue.getPersistenceStatus().State === 'waiting-for-beacon' && !queue.isBeaconAvailable(),
  );
  expect(await queue.upsertWorkItem({ WorkItemHash: 'in-the-outage' })).toMatchObject(ok);
  stack().beacon.restart();
  await until('it is back', () => queue.isBeaconAvailable() && manifests.isBeaconAvailable(), {
    deadlineMs: 45_000,
  });
  expect(await queue.setPersistenceAssignment('no blanks', 1)).toMatchObject({
    Available: true,
    Success: false,
    Reason: expect.stringContaining('BeaconID') as string,
  });
  await until(
    'a refused assignment changed nothing',
    () => queue.getPersistenceStatus().AssignedBeaconID === 'db-1',
  );
}, 120_000);

test('a bridge made before there is a bus keeps its writes, says what is missing, drops them when closed', async () => {
  await using nats = await TestNats.start();
  await nats.kill();
  const queue = kept(new QueuePersistenceBridge({ NatsURL: nats.url }));
  const call = queue.upsertWorkItem({ WorkItemHash: 'early' });
  await nats.start();
  await until('the bridge says the worker is missing', () =>
    /does not answer/.test(queue.getPersistenceStatus().LastError ?? ''),
  );
  expect(queue.unanswered).toBe(1);
  expect(await queue.close(0)).toBe(1);
  expect(await call).toMatchObject({
    Available: false,
    Success: false,
    Reason: expect.stringContaining('closed') as string,
  });
});
