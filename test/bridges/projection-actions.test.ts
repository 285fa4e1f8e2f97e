/** The projection of events, attempts and manifests, action by action. */
import { describe, expect, test } from 'vitest';
import { toMutation } from '../../bridges/lanes.ts';
import { guidOf } from '../kit/rows/trace.ts';
import { attempt, entryOf, event, outcome } from '../kit/rows/entries.ts';

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
