/**
 * The yardstick measured: the fold of the kit against cases worked out by hand from the contract.
 */
import { expect, test } from 'vitest';
import { type FoldCall, foldCalls } from './fold.ts';
import { guidOf } from './trace.ts';

const call = (method: string, ...args: unknown[]): FoldCall => ({
  method,
  args,
  eventGuid: guidOf(`${method} ${JSON.stringify(args)}`),
});
const fold = (...calls: FoldCall[]) => foldCalls(calls, 'h');

test('fold — an upsert takes defaults for what is absent or null, text, JSON, and Extra for the rest', () => {
  const { UVQueueWorkItem } = fold(
    call('upsertWorkItem', {
      WorkItemHash: 'w',
      RunID: null,
      Status: null,
      MaxAttempts: null,
      RetryAfter: 1_795_228_237_902,
      Settings: { a: [1] },
      Result: '{"text":1}',
      Health: null,
      LastError: null,
      HealthReason: null,
      CancelRequested: true,
      HubID: 'other',
      BridgeSeq: 9,
      Strange: { x: 1 },
    }),
  );
  expect(UVQueueWorkItem.get('w')).toMatchObject({
    HubID: 'h',
    RunID: '',
    Status: 'Pending',
    MaxAttempts: 1,
    RetryAfter: '1795228237902',
    Settings: '{"a":[1]}',
    Result: '"{\\"text\\":1}"',
    Health: null,
    LastError: null,
    HealthReason: '',
    CancelRequested: 1,
    RequireAffinityMatch: 0,
    HealthLabel: 'Unknown',
    Extra: '{"Strange":{"x":1}}',
    Deleted: 0,
  });
});

test('fold — a patch creates its row, overwrites what it names, and merges Extra', () => {
  const { UVQueueWorkItem } = fold(
    call('updateWorkItem', 'w', { Status: 'Running', A: 1 }),
    call('updateWorkItem', 'w', { StalledAt: 'then', B: 2, Result: 'plain' }),
  );
  expect(UVQueueWorkItem.get('w')).toMatchObject({
    WorkItemHash: 'w',
    Status: 'Running',
    StalledAt: 'then',
    Result: 'plain',
    Settings: '{}',
    Extra: '{"A":1,"B":2}',
  });
});

test('fold — an attempt after its outcome fills only what the outcome left empty', () => {
  const { UVQueueWorkItemAttempt } = fold(
    call('updateAttemptOutcome', 'w', 1, {
      CompletedAt: 'c',
      Outcome: 'Complete',
      DurationMs: 5,
      ErrorMessage: 'bad',
    }),
    call('insertAttempt', {
      WorkItemHash: 'w',
      AttemptNumber: 1,
      BeaconID: 'b',
      DispatchedAt: 'd',
      Outcome: 'Dispatched',
    }),
  );
  expect(UVQueueWorkItemAttempt.get('w 1')).toMatchObject({
    BeaconID: 'b',
    DispatchedAt: 'd',
    StartedAt: 'd',
    CompletedAt: 'c',
    EndedAt: 'c',
    Outcome: 'Complete',
    DurationMs: 5,
    Error: 'bad',
    ErrorMessage: 'bad',
  });
});

test('fold — events are there once by EventGUID, and EmittedAt is left out where nobody gave it', () => {
  const event = { WorkItemHash: 'w', EventType: 'enqueued', Payload: { a: 1 } };
  const { UVQueueWorkItemEvent } = fold(
    call('appendEvent', event),
    call('appendEvent', event),
    call('appendEvent', { ...event, EventGUID: 'own', EmittedAt: 'then', Seq: 4 }),
  );
  expect([...UVQueueWorkItemEvent.keys()].length).toBe(2);
  expect(UVQueueWorkItemEvent.get('own')).toMatchObject({
    EmittedAt: 'then',
    Seq: 4,
    Payload: '{"a":1}',
  });
  expect([...UVQueueWorkItemEvent.values()][0]).not.toHaveProperty('EmittedAt');
});

test('fold — a manifest writes all its columns, keeps itself whole, and is soft-deleted and brought back', () => {
  const first = { Hash: 'm', Status: 'Waiting', Live: true, ElapsedMs: 3, Output: {} };
  const removed = fold(
    call('upsertManifest', first),
    call('removeManifest', 'm'),
    call('removeManifest', 'none'),
  );
  expect(removed.UVManifest.get('m')).toMatchObject({
    Deleted: 1,
    Live: 1,
    ManifestJSON: JSON.stringify(first),
    Extra: '{}',
  });
  expect(removed.UVManifest.size).toBe(1);
  const back = fold(
    call('upsertManifest', first),
    call('removeManifest', 'm'),
    call('upsertManifest', { Hash: 'm', Status: 'Complete' }),
  );
  expect(back.UVManifest.get('m')).toMatchObject({
    Deleted: 0,
    Live: 0,
    ElapsedMs: 0,
    Status: 'Complete',
    ManifestJSON: '{"Hash":"m","Status":"Complete"}',
  });
});
