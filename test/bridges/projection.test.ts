/**
 * Every sentence of the contract on what becomes of what hubs send: nulls, numbers in string
 * columns, objects, unknown fields, attempts, manifests.
 */
import { describe, expect, test } from 'vitest';
import { writeActions } from '../../contracts/actions.ts';
import { type TableName, tableOf } from '../../contracts/schema.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { toMutation } from '../../bridges/lanes.ts';
import { manifestMutation } from '../../bridges/manifest-bridge.ts';
import { present, project } from '../../bridges/project.ts';
import { queueMutation } from '../../bridges/queue-bridge.ts';
import { attempt, entryOf, event, item } from '../kit/rows/entries.ts';

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

test('text with NUL in a JSON column is stored as JSON, where no database minds it, and read back', () => {
  const table = tableOf('UVQueueWorkItem');
  for (const text of ['a\u0000b', '\u0000', '"a\u0000"']) {
    const { columns } = project(table, { Settings: text });
    expect(columns['Settings']).not.toContain('\u0000');
    expect(present(table, columns)).toEqual({ Settings: text });
  }
});
