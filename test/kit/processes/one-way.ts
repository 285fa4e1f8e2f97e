/**
 * Publishes bridge calls one way, through JetStream, as a hub does that does not wait for the
 * worker.
 */
import { jetstream } from '@nats-io/jetstream';
import { connect } from 'nats';
import { type Action, laneOf } from '../../../contracts/actions.ts';
import { encodeBody } from '../../../contracts/body/codec.ts';
import { subjects } from '../../../contracts/subjects.ts';
import type { TraceCall } from '../rows/trace.ts';

/** Publishes not yet acknowledged by the stream at most. */
const windowSize = 100;

/** A call as the envelope that goes one way. */
function envelopeOf({ method, args, eventGuid }: TraceCall): { action: Action; body: object } {
  const [first, second, third] = args;
  const shapes: Record<string, [Action, object]> = {
    upsertWorkItem: ['QP_UpsertWorkItem', { WorkItem: first }],
    updateWorkItem: ['QP_UpdateWorkItem', { WorkItemHash: first, Patch: second }],
    appendEvent: ['QP_AppendEvent', { Event: first }],
    insertAttempt: ['QP_InsertAttempt', { Attempt: first }],
    updateAttemptOutcome: [
      'QP_UpdateAttemptOutcome',
      { WorkItemHash: first, AttemptNumber: second, Patch: third },
    ],
    upsertManifest: ['MS_UpsertManifest', { Manifest: first }],
    removeManifest: ['MS_RemoveManifest', { RunHash: first }],
  };
  const [action, Settings] = shapes[method] ?? ['QP_AppendEvent', {}];
  return { action, body: { Action: action, EventGUID: eventGuid, Settings } };
}

/** Publishes the calls in order and returns when the stream has them all. */
export async function publishOneWay(
  url: string,
  hub: string,
  calls: readonly TraceCall[],
): Promise<void> {
  const connection = await connect({ servers: url });
  const stream = jetstream(connection);
  for (let at = 0; at < calls.length; at += windowSize) {
    await Promise.all(
      calls.slice(at, at + windowSize).map((call) => {
        const { action, body } = envelopeOf(call);
        return stream.publish(
          subjects.oneWay(hub, laneOf(action) ?? 'queue', action),
          encodeBody(body, 'json'),
          { msgID: call.eventGuid, timeout: 10_000 },
        );
      }),
    );
  }
  await connection.close();
}
