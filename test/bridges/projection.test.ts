/**
 * Every sentence of the contract on what becomes of what hubs send: nulls, numbers in string
 * columns, objects, unknown fields, attempts, manifests.
 */
import { describe, expect, test } from 'vitest';
import { writeActions } from '../../contracts/actions.ts';
import { decodeEnvelope } from '../../contracts/envelope.ts';
import { type TableName, tableOf } from '../../contracts/schema.ts';
import type { JsonObject } from '../../contracts/json-value.ts';
import type { Entry } from '../../bridges/entry.ts';
import { toMutation } from '../../bridges/lanes.ts';
import { manifestMutation } from '../../bridges/manifest-bridge.ts';
import { present } from '../../bridges/project.ts';
import { queueMutation } from '../../bridges/queue-bridge.ts';
import { guidOf } from '../kit/rows/trace.ts';

/** An entry as the journal gives it: decoded, so that only what intake accepts is asked about. */
function entryOf(action: string, settings: object, more: Partial<Entry> = {}): Entry {
  const envelope = decodeEnvelope(
    { EventGUID: guidOf(action), Settings: settings },
    action.startsWith('QP_') ? 'queue' : 'manifest',
    action,
  );
  if (envelope.kind !== 'write') throw new TypeError(action);
  return {
    seq: 7,
    hubId: 'h',
    action: envelope.action,
    eventGuid: envelope.eventGuid,
    key: envelope.key,
    at: null,
    acceptedAt: '2026-11-21T00:00:00.000Z',
    remoteUser: 'ultravisor-system',
    settings: envelope.settings,
    ...more,
  };
}

const item = (fields: object, more: Partial<Entry> = {}) =>
  toMutation(entryOf('QP_UpsertWorkItem', { WorkItem: { WorkItemHash: 'w', ...fields } }, more));
const event = (fields: object, more: Partial<Entry> = {}) =>
  toMutation(entryOf('QP_AppendEvent', { Event: { WorkItemHash: 'w', ...fields } }, more));
const attempt = (fields: object) =>
  toMutation(
    entryOf('QP_InsertAttempt', { Attempt: { WorkItemHash: 'w', AttemptNumber: 2, ...fields } }),
  );
const outcome = (fields: object) =>
  toMutation(
    entryOf('QP_UpdateAttemptOutcome', { WorkItemHash: 'w', AttemptNumber: 2, Patch: fields }),
  );

describe('projection — values', () => {
  test("null for a column that cannot be null is the column's default; where it can, it stays null", () => {
    expect(
      item({
        Status: null,
        RunID: null,
        MaxAttempts: null,
        Priority: null,
        CancelRequested: null,
        HealthLabel: null,
        LastError: null,
        Health: null,
        EnqueuedAt: null,
      }).Set,
    ).toEqual({
      Status: 'Pending',
      RunID: '',
      MaxAttempts: 1,
      Priority: 0,
      CancelRequested: false,
      HealthLabel: 'Unknown',
      LastError: null,
      Health: null,
      EnqueuedAt: '',
    });
  });

  test('each column of each table takes null', () => {
    const rows: [TableName, (fields: object) => { Set: object; Fill?: object }][] = [
      ['UVQueueWorkItem', item],
      ['UVQueueWorkItemEvent', event],
      ['UVQueueWorkItemAttempt', attempt],
    ];
    for (const [name, of] of rows) {
      const table = tableOf(name);
      const columns = [...table.columns.values()].filter(
        (column) =>
          column.kind !== 'own' &&
          !table.key.includes(column.name) &&
          column.name !== 'WorkItemHash',
      );
      const { Set: set, Fill } = of(
        Object.fromEntries(
          columns.filter((column) => column.name !== 'Extra').map((column) => [column.name, null]),
        ),
      );
      const stored: Record<string, unknown> = { ...Fill, ...set };
      for (const column of columns)
        if (!column.isNullable && column.name in stored && column.name !== 'EmittedAt')
          expect(stored[column.name], `${name}.${column.name}`).not.toBeNull();
    }
  });

  test('defect 48: numbers keep their digits, and numbers in string columns are text', () => {
    expect(
      item({
        Health: 0.123456789012345,
        QueueWaitMs: 2 ** 40,
        RetryAfter: 1_795_228_237_902,
        CreatedAt: false,
      }).Set,
    ).toEqual({
      Health: 0.123456789012345,
      QueueWaitMs: 2 ** 40,
      RetryAfter: '1795228237902',
      CreatedAt: 'false',
    });
  });

  test('objects and lists in JSON columns are stored as JSON, strings as they are if that is unambiguous', () => {
    expect(item({ Settings: { a: [1, null] }, Result: 'plain text' }).Set).toEqual({
      Settings: '{"a":[1,null]}',
      Result: 'plain text',
    });
    for (const value of [
      '{"a":1}',
      '12',
      'null',
      '"quoted"',
      'plain',
      '',
      { a: 1 },
      [],
      0,
      false,
      1.5,
    ]) {
      const stored = item({ Result: value }).Set['Result'];
      expect(present(tableOf('UVQueueWorkItem'), { Result: stored })['Result']).toEqual(value);
    }
  });

  test('objects in text columns are stored as JSON text', () => {
    expect(item({ LastError: { code: 5 }, HealthReason: ['a'] }).Set).toEqual({
      LastError: '{"code":5}',
      HealthReason: '["a"]',
    });
  });

  test('booleans take 0 and 1, and come back as booleans whatever the engine says', () => {
    expect(item({ CancelRequested: 1, RequireAffinityMatch: 0 }).Set).toEqual({
      CancelRequested: true,
      RequireAffinityMatch: false,
    });
    const row = present(tableOf('UVQueueWorkItem'), {
      CancelRequested: 1,
      RequireAffinityMatch: '0',
      Priority: '5',
      Health: '0.5',
      BridgeSeq: '7',
      Settings: { parsed: true },
      Foreign: 'x',
      Result: null,
    });
    expect(row).toEqual({
      CancelRequested: true,
      RequireAffinityMatch: false,
      Priority: 5,
      Health: 0.5,
      BridgeSeq: 7,
      Settings: { parsed: true },
      Foreign: 'x',
      Result: null,
    });
  });

  test('defect 1: fields without a column go to Extra, known later ones have columns', () => {
    const mutation = item({
      Strange: { deep: [1] },
      Other: null,
      CreatedAt: 'c',
      StalledAt: 's',
      RequireAffinityMatch: true,
    });
    expect(mutation.Set).toEqual({ CreatedAt: 'c', StalledAt: 's', RequireAffinityMatch: true });
    expect(mutation.Merge).toEqual({ Extra: { Strange: { deep: [1] }, Other: null } });
    expect(event({ RunID: 'r', Strange: 1 }).Set).toMatchObject({
      RunID: 'r',
      Extra: '{"Strange":1}',
    });
  });

  test('names that objects inherit are fields like others', () => {
    const mutation = item(
      JSON.parse('{"constructor":1,"toString":"x","hasOwnProperty":2}') as object,
    );
    expect(mutation.Merge).toEqual({
      Extra: JSON.parse('{"constructor":1,"toString":"x","hasOwnProperty":2}') as JsonObject,
    });
    expect(mutation.Set).toEqual({});
  });

  test("a row sent back as read overwrites nothing but the hub's: identity, hub, Seq, dates, Deleted stay", () => {
    const mutation = item({
      IDUVQueueWorkItem: 9,
      HubID: 'other',
      BridgeSeq: 99,
      CreateDate: 'x',
      UpdateDate: 'x',
      Deleted: 1,
      Extra: { Kept: 1 },
      Status: 's',
    });
    expect(mutation).toEqual({
      Op: 'write',
      Table: 'UVQueueWorkItem',
      Key: { HubID: 'h', WorkItemHash: 'w' },
      Seq: 7,
      Set: { Status: 's' },
      Merge: { Extra: { Kept: 1 } },
    });
  });

  test('defect 47: another sender than the usual is carried along, the usual one is not repeated', () => {
    expect(item({}, { remoteUser: 'ops' }).RemoteUser).toBe('ops');
    expect(item({})).not.toHaveProperty('RemoteUser');
  });
});

describe('projection — events', () => {
  test("defect 9: an event without GUID gets its envelope's; its time is the sender's, else acceptance", () => {
    const sent = event(
      { EventType: 'enqueued', Payload: { a: 1 } },
      { at: '2026-01-01T00:00:00.000Z' },
    );
    expect(sent).toEqual({
      Op: 'insert',
      Table: 'UVQueueWorkItemEvent',
      Key: { EventGUID: guidOf('QP_AppendEvent') },
      Seq: 7,
      Set: { HubID: 'h', WorkItemHash: 'w', EventType: 'enqueued', Payload: '{"a":1}' },
      Fill: { EmittedAt: '2026-01-01T00:00:00.000Z', Seq: 0 },
    });
    expect(event({ EventGUID: null, EmittedAt: '' }).Fill).toMatchObject({
      EmittedAt: '2026-11-21T00:00:00.000Z',
    });
  });

  test('its own GUID, time and count are kept', () => {
    const mutation = event({ EventGUID: 'e-1', EmittedAt: 'then', Seq: 3 });
    expect(mutation).toMatchObject({
      Key: { EventGUID: 'e-1' },
      Set: { EmittedAt: 'then', Seq: 3 },
    });
    expect(mutation).not.toHaveProperty('Fill');
  });
});

describe('projection — attempts', () => {
  test("an insert only fills, with StartedAt, EndedAt and Error from the coordinator's names where they lack", () => {
    expect(attempt({ BeaconID: 'b', DispatchedAt: 'd', Outcome: 'Dispatched' })).toEqual({
      Op: 'write',
      Table: 'UVQueueWorkItemAttempt',
      Key: { HubID: 'h', WorkItemHash: 'w', AttemptNumber: 2 },
      Seq: 7,
      Set: {},
      Fill: { BeaconID: 'b', DispatchedAt: 'd', Outcome: 'Dispatched', StartedAt: 'd' },
    });
  });

  test('an outcome sets, and creates where there is none', () => {
    expect(
      outcome({ CompletedAt: 'c', Outcome: 'Error', ErrorMessage: 'bad', DurationMs: 5, Odd: 1 }),
    ).toEqual({
      Op: 'write',
      Table: 'UVQueueWorkItemAttempt',
      Key: { HubID: 'h', WorkItemHash: 'w', AttemptNumber: 2 },
      Seq: 7,
      Set: {
        CompletedAt: 'c',
        Outcome: 'Error',
        ErrorMessage: 'bad',
        DurationMs: 5,
        EndedAt: 'c',
        Error: 'bad',
      },
      Merge: { Extra: { Odd: 1 } },
    });
    expect(outcome({ StartedAt: 'own', DispatchedAt: 'd' }).Set).toEqual({
      StartedAt: 'own',
      DispatchedAt: 'd',
    });
  });
});

describe('projection — manifests', () => {
  const manifest = (fields: object) =>
    toMutation(entryOf('MS_UpsertManifest', { Manifest: { Hash: 'm', ...fields } }));

  test('the whole manifest is kept, and its columns are all written, so that none is left from the one before', () => {
    const sent = {
      Status: 'Complete',
      Live: true,
      ElapsedMs: 5,
      Output: { deep: ['x'] },
      StartTime: 's',
    };
    expect(manifest(sent)).toEqual({
      Op: 'write',
      Table: 'UVManifest',
      Key: { HubID: 'h', Hash: 'm' },
      Seq: 7,
      Set: {
        OperationHash: '',
        OperationName: '',
        Status: 'Complete',
        RunMode: '',
        Live: true,
        StartTime: 's',
        StopTime: '',
        ElapsedMs: 5,
        StagingPath: '',
        ManifestJSON: JSON.stringify({ Hash: 'm', ...sent }),
      },
    });
  });

  test('a removal is a soft delete by hash', () => {
    expect(toMutation(entryOf('MS_RemoveManifest', { RunHash: 'm' }))).toEqual({
      Op: 'delete',
      Table: 'UVManifest',
      Key: { HubID: 'h', Hash: 'm' },
      Seq: 7,
      Set: {},
    });
  });
});

test('every write is exactly one mutation of its own lane', () => {
  const settings: Record<(typeof writeActions)[number], object> = {
    QP_UpsertWorkItem: { WorkItem: { WorkItemHash: 'w' } },
    QP_UpdateWorkItem: { WorkItemHash: 'w', Patch: {} },
    QP_AppendEvent: { Event: { WorkItemHash: 'w' } },
    QP_InsertAttempt: { Attempt: { WorkItemHash: 'w', AttemptNumber: 1 } },
    QP_UpdateAttemptOutcome: { WorkItemHash: 'w', AttemptNumber: 1, Patch: {} },
    MS_UpsertManifest: { Manifest: { Hash: 'w' } },
    MS_RemoveManifest: { RunHash: 'w' },
  };
  for (const action of writeActions) {
    const entry = entryOf(action, settings[action]);
    const mutation = toMutation(entry);
    expect(mutation.Seq).toBe(7);
    const other = action.startsWith('QP_') ? manifestMutation : queueMutation;
    expect(() => other(entry)).toThrow(RangeError);
  }
});
