/** Decoding of requests: what is taken, and the exact path a refusal names. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { laneOf, readActions, writeActions } from '../../contracts/actions.ts';
import {
  decodeBatch,
  decodeBatchItem,
  decodeEnvelope,
  defaultRemoteUser,
} from '../../contracts/envelope.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import { actionName, goodWrite, rubbish } from '../kit/arbitraries.ts';

const EventGUID = '018f5b2c-7a11-7c3e-9d55-0123456789ab';

const good: Record<string, object> = {
  QP_UpsertWorkItem: {
    WorkItem: {
      WorkItemHash: 'w1',
      Status: null,
      RetryAfter: 17,
      Settings: { a: 1 },
      CreatedAt: 'x',
      Unheard: [1],
    },
  },
  QP_UpdateWorkItem: {
    WorkItemHash: 'w1',
    Patch: { WorkItemHash: 'w1', Health: null, StalledAt: 'now' },
  },
  QP_AppendEvent: { Event: { WorkItemHash: 'w1', RunID: 'r', Payload: { x: 1 } } },
  QP_InsertAttempt: { Attempt: { WorkItemHash: 'w1', AttemptNumber: 0, DispatchedAt: 'x' } },
  QP_UpdateAttemptOutcome: {
    WorkItemHash: 'w1',
    AttemptNumber: 1,
    Patch: { AttemptNumber: 1, Outcome: 'Complete' },
  },
  QP_GetWorkItemByHash: { WorkItemHash: 'w1', QueueMetadata: { HubInstanceID: 'h' } },
  QP_ListWorkItems: {
    Filter: { Status: ['Pending', 'Running'], Limit: 5_000, OrderBy: '-EnqueuedAt' },
  },
  QP_GetEvents: { WorkItemHash: 'w1', Limit: 0 },
  MS_UpsertManifest: { Manifest: { Hash: 'm1', Live: true, Output: {} } },
  MS_RemoveManifest: { RunHash: 'm1' },
  MS_GetManifest: { RunHash: 'm1' },
  MS_ListManifests: { Filter: { Full: true } },
};

/** Settings -> the path the refusal must name. */
const bad: Record<string, [object, string][]> = {
  QP_UpsertWorkItem: [
    [{}, 'Settings.WorkItem'],
    [{ WorkItem: [] }, 'Settings.WorkItem'],
    [{ WorkItem: {} }, 'Settings.WorkItem.WorkItemHash'],
    [{ WorkItem: { WorkItemHash: '' } }, 'Settings.WorkItem.WorkItemHash'],
    [{ WorkItem: { WorkItemHash: 'x'.repeat(129) } }, 'Settings.WorkItem.WorkItemHash'],
    [{ WorkItem: { WorkItemHash: 'w', Status: 'x'.repeat(33) } }, 'Settings.WorkItem.Status'],
    [{ WorkItem: { WorkItemHash: 'w', Priority: 1.5 } }, 'Settings.WorkItem.Priority'],
    [{ WorkItem: { WorkItemHash: 'w', Priority: 2 ** 53 } }, 'Settings.WorkItem.Priority'],
    [{ WorkItem: { WorkItemHash: 'w', RunID: { a: 1 } } }, 'Settings.WorkItem.RunID'],
    [
      { WorkItem: { WorkItemHash: 'w', CancelRequested: 'yes' } },
      'Settings.WorkItem.CancelRequested',
    ],
    [{ WorkItem: { WorkItemHash: 'w', Health: 'good' } }, 'Settings.WorkItem.Health'],
    [{ WorkItem: { WorkItemHash: 'w', Status: 'a\u0000b' } }, 'Settings.WorkItem.Status'],
    [{ WorkItem: { WorkItemHash: '\ud800' } }, 'Settings.WorkItem.WorkItemHash'],
    [
      { WorkItem: { WorkItemHash: 'w', Settings: { deep: [Number.NaN] } } },
      'Settings.WorkItem.Settings.deep[0]',
    ],
    [{ WorkItem: { WorkItemHash: 'w', Result: new Uint8Array(2) } }, 'Settings.WorkItem.Result'],
  ],
  QP_UpdateWorkItem: [
    [{ Patch: {} }, 'Settings.WorkItemHash'],
    [{ WorkItemHash: 'w' }, 'Settings.Patch'],
    [{ WorkItemHash: 7, Patch: {} }, 'Settings.WorkItemHash'],
    [{ WorkItemHash: 'w', Patch: { WorkItemHash: 'other' } }, 'Settings.Patch.WorkItemHash'],
    [{ WorkItemHash: 'w', Patch: { AttemptNumber: '1' } }, 'Settings.Patch.AttemptNumber'],
  ],
  QP_AppendEvent: [
    [{ Event: { EventType: 'x' } }, 'Settings.Event.WorkItemHash'],
    [{ Event: { WorkItemHash: 'w', Seq: 'x' } }, 'Settings.Event.Seq'],
    [{ Event: { WorkItemHash: 'w', EventType: 'x'.repeat(65) } }, 'Settings.Event.EventType'],
  ],
  QP_InsertAttempt: [
    [{ Attempt: { WorkItemHash: 'w' } }, 'Settings.Attempt.AttemptNumber'],
    [{ Attempt: { WorkItemHash: 'w', AttemptNumber: -1 } }, 'Settings.Attempt.AttemptNumber'],
    [{ Attempt: { AttemptNumber: 1 } }, 'Settings.Attempt.WorkItemHash'],
  ],
  QP_UpdateAttemptOutcome: [
    [{ WorkItemHash: 'w', Patch: {} }, 'Settings.AttemptNumber'],
    [
      { WorkItemHash: 'w', AttemptNumber: 1, Patch: { AttemptNumber: 2 } },
      'Settings.Patch.AttemptNumber',
    ],
  ],
  QP_GetWorkItemByHash: [[{}, 'Settings.WorkItemHash']],
  QP_ListWorkItems: [
    [{ Filter: { Limit: 0 } }, 'Settings.Filter.Limit'],
    [{ Filter: { Limit: 5_001 } }, 'Settings.Filter.Limit'],
    [{ Filter: { Nonsense: 1 } }, 'Settings.Filter.Nonsense'],
    [{ Filter: { Status: [] } }, 'Settings.Filter.Status'],
    [{ Filter: 'all' }, 'Settings.Filter'],
  ],
  QP_GetEvents: [[{ WorkItemHash: 'w', Limit: -1 }, 'Settings.Limit']],
  MS_UpsertManifest: [
    [{ Manifest: {} }, 'Settings.Manifest.Hash'],
    [{ Manifest: { Hash: 'm', ElapsedMs: 'long' } }, 'Settings.Manifest.ElapsedMs'],
  ],
  MS_RemoveManifest: [
    [{}, 'Settings.RunHash'],
    [{ RunHash: 'a\u0000' }, 'Settings.RunHash'],
  ],
  MS_GetManifest: [[{ RunHash: null }, 'Settings.RunHash']],
  MS_ListManifests: [
    [{ Filter: { Capability: 'x' } }, 'Settings.Filter.Capability'],
    [{ Filter: { Full: 'yes' } }, 'Settings.Filter.Full'],
  ],
};

function refusal(run: () => unknown): TidemarkError {
  try {
    run();
  } catch (error) {
    if (error instanceof TidemarkError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

const lane = (action: string): Lane => laneOf(action) ?? 'queue';

test.for([...writeActions, ...readActions])(
  'envelope — %s: what coordinators send is taken, and each wrong field is named by its path',
  (action) => {
    expect(
      decodeEnvelope({ EventGUID, Settings: good[action] }, lane(action), action),
    ).toMatchObject({
      action,
      lane: lane(action),
      remoteUser: defaultRemoteUser,
      settings: good[action],
    });
    for (const [settings, path] of bad[action] ?? []) {
      const error = refusal(() =>
        decodeEnvelope({ EventGUID, Settings: settings }, lane(action), action),
      );
      expect(error).toMatchObject({ code: 'INVALID_MESSAGE' });
      expect(error.message.split(': ')[0]).toBe(path);
    }
  },
);

test('envelope — a write carries its key, its identity as sent, and its waiting time', () => {
  const sent = {
    EventGUID: EventGUID.toUpperCase(),
    At: '2026-01-02T03:04:05+01:00',
    RemoteUser: 'ann',
    Wait: 'applied',
    WaitMs: 10 ** 9,
    Settings: good['QP_InsertAttempt'],
  };
  expect(decodeEnvelope(sent, 'queue', 'QP_InsertAttempt')).toMatchObject({
    kind: 'write',
    key: 'w1',
    eventGuid: EventGUID.toUpperCase(),
    at: '2026-01-02T02:04:05.000Z',
    remoteUser: 'ann',
    waitMs: limits.waitAppliedMsMax,
  });
});

test.for<[object, string]>([
  [{ EventGUID: 'x' }, 'EventGUID'],
  [{ EventGUID: undefined }, 'EventGUID'],
  [{ At: 'yesterday' }, 'At'],
  [{ RemoteUser: 7 }, 'RemoteUser'],
  [{ Wait: 'for ever' }, 'Wait'],
  [{ Wait: 'applied', WaitMs: 0 }, 'WaitMs'],
  [{ Settings: [] }, 'Settings'],
])('envelope — around the Settings: %o is refused as %s', ([part, path]) => {
  const body = { EventGUID, Settings: good['MS_RemoveManifest'], ...part };
  expect(
    refusal(() => decodeEnvelope(body, 'manifest', 'MS_RemoveManifest')).message.split(': ')[0],
  ).toBe(path);
});

test('envelope — unknown actions, and those of the other lane, are refused by name', () => {
  expect(
    refusal(() => decodeEnvelope({ EventGUID, Settings: {} }, 'queue', 'QP_Nonsense')).message,
  ).toMatch(/^Action: unknown action "QP_Nonsense"/);
  expect(
    refusal(() => decodeEnvelope({ EventGUID, Settings: {} }, 'queue', 'MS_GetManifest')).message,
  ).toMatch(/^Action: MS_GetManifest belongs to lane manifest/);
  expect(refusal(() => decodeEnvelope(null, 'queue', 'QP_GetEvents')).message).toMatch(/^body: /);
});

test('envelope — items of a batch are refused by their place; reads and overlong lists too', () => {
  const item = { Action: 'QP_UpsertWorkItem', EventGUID, Settings: { WorkItem: {} } };
  expect(refusal(() => decodeBatchItem(item, 'queue', 'Items[3]')).message).toMatch(
    /^Items\[3\]\.Settings\.WorkItem\.WorkItemHash: /,
  );
  expect(
    refusal(() =>
      decodeBatchItem(
        { ...item, Action: 'QP_GetEvents', Settings: { WorkItemHash: 'w' } },
        'queue',
        'Items[0]',
      ),
    ).message,
  ).toMatch(/^Items\[0\]\.Action: /);
  expect(refusal(() => decodeBatch({})).message).toMatch(/^Items: /);
  expect(
    refusal(() => decodeBatch({ Items: Array.from({ length: limits.batchItemsMax + 1 }) })).message,
  ).toMatch(/^Items: /);
});

test('envelope — every well-formed write is taken', () => {
  fc.assert(
    fc.property(goodWrite, ({ action, body }) => {
      expect(decodeEnvelope(body, lane(action), action)).toMatchObject({
        kind: 'write',
        action,
        eventGuid: body.EventGUID,
      });
    }),
    { numRuns: 500 },
  );
});

test('envelope — no rubbish makes it throw anything but INVALID_MESSAGE or TOO_LARGE with a path first', () => {
  fc.assert(
    fc.property(
      rubbish,
      actionName,
      fc.constantFrom<Lane>('queue', 'manifest'),
      (body, action, onLane) => {
        try {
          decodeEnvelope(body, onLane, action);
        } catch (error) {
          expect(error).toBeInstanceOf(TidemarkError);
          expect(['INVALID_MESSAGE', 'TOO_LARGE']).toContain((error as TidemarkError).code);
          expect((error as TidemarkError).message).toMatch(
            /^(?:body|Action|EventGUID|At|RemoteUser|Wait|WaitMs|Settings)[\s\S]*?: /,
          );
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
