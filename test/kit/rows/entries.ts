/** Entries of each write action, for the tests of the projection. */
import { decodeEnvelope } from '../../../contracts/envelope.ts';
import type { Entry } from '../../../bridges/entry.ts';
import { toMutation } from '../../../bridges/lanes.ts';
import { guidOf } from './trace.ts';

/** An entry as the journal gives it: decoded, so that only what intake accepts is asked about. */
export function entryOf(action: string, settings: object, more: Partial<Entry> = {}): Entry {
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

export const item = (fields: object, more: Partial<Entry> = {}) =>
  toMutation(entryOf('QP_UpsertWorkItem', { WorkItem: { WorkItemHash: 'w', ...fields } }, more));
export const event = (fields: object, more: Partial<Entry> = {}) =>
  toMutation(entryOf('QP_AppendEvent', { Event: { WorkItemHash: 'w', ...fields } }, more));
export const attempt = (fields: object) =>
  toMutation(
    entryOf('QP_InsertAttempt', { Attempt: { WorkItemHash: 'w', AttemptNumber: 2, ...fields } }),
  );
export const outcome = (fields: object) =>
  toMutation(
    entryOf('QP_UpdateAttemptOutcome', { WorkItemHash: 'w', AttemptNumber: 2, Patch: fields }),
  );
