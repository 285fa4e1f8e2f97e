/**
 * The legacy capabilities on a real bus, over each provider: what is kept, what is told, what is
 * refused; and that both providers answer alike.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../../contracts/body/json-value.ts';
import type { Presence } from '../../../contracts/presence.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import { SqliteProvider } from '../../../beacon/legacy/sqlite-provider.ts';
import { readAudit } from '../../../beacon/databases/state.ts';
import type { TestNats } from '../../kit/servers/nats.ts';
import { until } from '../../kit/until.ts';
import { tempFolder } from '../../kit/beacon/fixture.ts';
import { type Ask, startOn, withBus } from '../../kit/beacon/with-bus.ts';

let nats: TestNats;
let bus: Bus;
withBus((...on) => {
  [nats, bus] = on;
});

const start = (provider: 'memory' | 'sqlite', more: object = {}) =>
  startOn(nats, bus, { databases: [], provider, ...more });
const queue = (ask: Ask) => (action: string, settings: object) =>
  ask<JsonObject>('QueuePersistence', `QP_${action}`, {
    QueueMetadata: { From: 'a coordinator' },
    ...settings,
  });
const manifests = (ask: Ask) => (action: string, settings: object) =>
  ask<JsonObject>('ManifestStore', `MS_${action}`, { ...settings });
const hashes = (outputs: JsonObject, list = 'WorkItems', name = 'WorkItemHash') =>
  (outputs[list] as JsonObject[]).map((row) => row[name]);

describe.each(['memory', 'sqlite'] as const)('provider %s', (provider) => {
  test('presence tells both capabilities and one store with an identity; the audit has the requests', async () => {
    const { heard, ask, beacon, config } = await start(provider);
    const first = await until('it is heard', () => heard[0]);
    expect(first).toMatchObject({
      Status: 'Online',
      Nonce: beacon.nonce,
      Capabilities: ['QueuePersistence', 'ManifestStore'],
      Connections: [
        {
          IDBeaconConnection: 1,
          Name: 'legacy',
          Engine: provider,
          Connected: true,
          StoreID: expect.stringMatching(/^[0-9a-f-]{36}$/),
        },
      ],
    });
    await queue(ask)('UpsertWorkItem', { WorkItem: { WorkItemHash: 'w' } });
    await until('the line is written', () =>
      readAudit(config.dataDir, { limit: 10 }).some(
        (line) => line.action === 'QP_UpsertWorkItem' && line.outcome === 'ok',
      ),
    );
  });

  test('an upsert merges, a patch of what is not there is told (defect 15)', async () => {
    const q = queue((await start(provider)).ask);
    expect(
      await q('UpsertWorkItem', {
        WorkItem: { WorkItemHash: 'w', Status: 'Queued', Settings: { a: [1, null] }, Odd: 'kept' },
      }),
    ).toEqual({ Success: true });
    expect(
      await q('UpsertWorkItem', { WorkItem: { WorkItemHash: 'w', Priority: 4, Status: null } }),
    ).toEqual({ Success: true });
    expect(
      await q('UpdateWorkItem', {
        WorkItemHash: 'w',
        Patch: { WorkItemHash: 'other', HealthLabel: 'Good' },
      }),
    ).toEqual({ Success: true });
    expect(await q('GetWorkItemByHash', { WorkItemHash: 'w' })).toMatchObject({
      Success: true,
      WorkItem: {
        WorkItemHash: 'w',
        Status: 'Pending',
        Settings: { a: [1, null] },
        Odd: 'kept',
        Priority: 4,
        HealthLabel: 'Good',
        MaxAttempts: 1,
        CancelRequested: false,
      },
    });
    expect(await q('UpdateWorkItem', { WorkItemHash: 'nobody', Patch: { Status: 'x' } })).toEqual({
      Success: false,
      Code: 'NOT_FOUND',
      Reason: expect.stringContaining('nobody'),
    });
    expect(await q('GetWorkItemByHash', { WorkItemHash: 'nobody' })).toEqual({
      Success: false,
      WorkItem: null,
    });
    expect(await q('GetWorkItemByHash', { WorkItemHash: 'other' })).toMatchObject({
      WorkItem: null,
    });
  });

  test('an event is kept once by its GUID, no other takes it, one without gets one (defects 10, 46)', async () => {
    const q = queue((await start(provider)).ask);
    const event = {
      EventGUID: 'g1',
      WorkItemHash: 'w',
      EventType: 'started',
      EmittedAt: '2',
      Seq: 0,
      Payload: { a: 1 },
    };
    expect(await q('AppendEvent', { Event: event })).toEqual({ Success: true });
    expect(await q('AppendEvent', { Event: { ...event, EmittedAt: '3' } })).toEqual({
      Success: true,
      AlreadyPresent: true,
    });
    expect(await q('AppendEvent', { Event: { ...event, Payload: { a: 2 } } })).toEqual({
      Success: false,
      Reason: expect.stringContaining('Payload'),
    });
    for (const EmittedAt of ['3', '1'])
      await q('AppendEvent', {
        Event: { WorkItemHash: 'w', EventType: `at ${EmittedAt}`, EmittedAt },
      });
    await q('AppendEvent', { Event: { ...event, EventGUID: 'g2', WorkItemHash: 'other' } });
    const { Events } = (await q('GetEvents', { WorkItemHash: 'w', Limit: 0 })) as {
      Events: JsonObject[];
    };
    expect(Events.map((one) => one['EventType'])).toEqual(['at 1', 'started', 'at 3']);
    expect(new Set(Events.map((one) => one['EventGUID'])).size).toBe(3);
    expect((await q('GetEvents', { WorkItemHash: 'w', Limit: 1 }))['Events']).toHaveLength(1);
  });

  test('an attempt is kept once by hash and number, and a repeat of its insert takes no outcome back', async () => {
    const kit = await start(provider);
    const q = queue(kit.ask);
    const attempt = { WorkItemHash: 'w', AttemptNumber: 1, Outcome: 'Dispatched' };
    expect(
      await q('UpdateAttemptOutcome', {
        WorkItemHash: 'w',
        AttemptNumber: 1,
        Patch: { Outcome: 'Complete' },
      }),
    ).toMatchObject({
      Success: false,
      Code: 'NOT_FOUND',
      Reason: expect.stringContaining('attempt 1'),
    });
    expect(await q('InsertAttempt', { Attempt: attempt })).toEqual({ Success: true });
    expect(
      await q('UpdateAttemptOutcome', {
        WorkItemHash: 'w',
        AttemptNumber: 1,
        Patch: { Outcome: 'Complete' },
      }),
    ).toEqual({ Success: true });
    expect(await q('InsertAttempt', { Attempt: { ...attempt, BeaconID: 'b' } })).toEqual({
      Success: true,
      AlreadyPresent: true,
    });
    expect(await q('InsertAttempt', { Attempt: { ...attempt, AttemptNumber: 2 } })).toEqual({
      Success: true,
    });
    if (provider === 'memory') return;
    await kit.beacon.drain();
    const kept = new SqliteProvider(join(kit.config.dataDir, 'legacy.sqlite'));
    onTestFinished(() => kept.close());
    expect(kept.list('attempts', { terms: [], order: [], limit: 9 })).toMatchObject([
      { AttemptNumber: 1, Outcome: 'Complete', BeaconID: 'b' },
      { AttemptNumber: 2, Outcome: 'Dispatched' },
    ]);
  });

  test('lists filter, limit and order, also by -EnqueuedAt (defects 32, 33); unknown columns are refused', async () => {
    const q = queue((await start(provider)).ask);
    const rows = [
      ['c', '2', 'Running'],
      ['a', '2', 'Pending'],
      ['b', '1', 'Running'],
      ['d', '3', 'Complete'],
    ];
    for (const [WorkItemHash, EnqueuedAt, Status] of rows)
      await q('UpsertWorkItem', { WorkItem: { WorkItemHash, EnqueuedAt, Status } });
    const list = async (Filter?: object) =>
      hashes(await q('ListWorkItems', Filter ? { Filter } : {}));
    expect(await list()).toEqual(['b', 'a', 'c', 'd']);
    expect(await list({ OrderBy: '-EnqueuedAt' })).toEqual(['d', 'c', 'a', 'b']);
    expect(await list({ OrderBy: 'EnqueuedAt DESC', Limit: 2 })).toEqual(['d', 'c']);
    expect(await list({ OrderBy: 'WorkItemHash ASC', Status: ['Running', 'Complete'] })).toEqual([
      'b',
      'c',
      'd',
    ]);
    expect(await list({ Status: 'Pending', CancelRequested: false })).toEqual(['a']);
    expect(await list({ Status: "x' or 1=1 --" })).toEqual([]);
    for (const Filter of [
      { OrderBy: "1'); drop table x" },
      { OrderBy: 'Nothing' },
      { Colour: 'red' },
      { Status: { a: 1 } },
      { Limit: -1 },
    ]) {
      await expect(q('ListWorkItems', { Filter })).rejects.toMatchObject({
        code: 'INVALID_MESSAGE',
      });
    }
  });

  test('a manifest is replaced whole, listed in short, given whole, and removed for good or for nothing', async () => {
    const m = manifests((await start(provider)).ask);
    const run = {
      Hash: 'r',
      Status: 'Waiting',
      Live: true,
      StartTime: '1',
      Steps: [{ deep: true }],
    };
    expect(await m('UpsertManifest', { Manifest: { ...run, Gone: 1 } })).toEqual({ Success: true });
    expect(await m('UpsertManifest', { Manifest: { ...run, Status: 'Complete' } })).toEqual({
      Success: true,
    });
    await m('UpsertManifest', {
      Manifest: { Hash: 's', Status: 'Complete', StartTime: '2', OperationHash: 'o' },
    });
    expect(await m('GetManifest', { RunHash: 'r' })).toEqual({
      Success: true,
      Manifest: { ...run, Status: 'Complete' },
    });
    const listed = await m('ListManifests', {
      Filter: { Status: 'Complete', OrderBy: '-StartTime' },
    });
    expect(hashes(listed, 'Manifests', 'Hash')).toEqual(['s', 'r']);
    expect((listed['Manifests'] as JsonObject[])[1]).not.toHaveProperty('Steps');
    expect(
      (await m('ListManifests', { Filter: { OperationHash: '', Full: true } }))['Manifests'],
    ).toEqual([{ ...run, Status: 'Complete' }]);
    expect(await m('RemoveManifest', { RunHash: 'r' })).toEqual({ Success: true });
    expect(await m('RemoveManifest', { RunHash: 'r' })).toEqual({
      Success: true,
      AlreadyAbsent: true,
    });
    expect(await m('GetManifest', { RunHash: 'r' })).toEqual({ Success: false, Manifest: null });
  });

  test('Settings that say nothing, and actions that are not there, are refused', async () => {
    const { ask } = await start(provider);
    const q = queue(ask);
    for (const [action, settings] of [
      ['UpsertWorkItem', {}],
      ['UpsertWorkItem', { WorkItem: {} }],
      ['UpdateWorkItem', { WorkItemHash: '' }],
      ['InsertAttempt', { Attempt: { WorkItemHash: 'w' } }],
      ['Nothing', {}],
    ] as const) {
      await expect(q(action, settings)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
    }
    await expect(
      ask('ManifestStore', 'QP_UpsertWorkItem', { WorkItem: { WorkItemHash: 'w' } }),
    ).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
  });
});

const identity = (presence: Presence | undefined) => presence?.Connections[0]?.StoreID;

test('the file keeps rows and identity over a restart; after it was deleted, the identity is new', async () => {
  const dataDir = tempFolder();
  const one = await start('sqlite', { dataDir });
  await queue(one.ask)('UpsertWorkItem', { WorkItem: { WorkItemHash: 'w', Status: 'Kept' } });
  const before = identity(await until('it is heard', () => one.heard[0]));
  await one.beacon.drain();
  const two = await start('sqlite', { dataDir });
  expect(await queue(two.ask)('GetWorkItemByHash', { WorkItemHash: 'w' })).toMatchObject({
    WorkItem: { Status: 'Kept' },
  });
  expect(identity(await until('it is heard', () => two.heard[0]))).toBe(before);
  for (const end of ['', '-wal', '-shm'])
    rmSync(join(dataDir, `legacy.sqlite${end}`), { force: true });
  expect(await queue(two.ask)('GetWorkItemByHash', { WorkItemHash: 'w' })).toMatchObject({
    WorkItem: null,
  });
  await until('the new identity is told', () =>
    two.heard.some((presence) => identity(presence) !== before && identity(presence) !== ''),
  );
});
