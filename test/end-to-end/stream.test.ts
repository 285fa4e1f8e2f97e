/** One-way writes through JetStream: durable while the worker is down, taken in order when it is there. */
import { jetstream } from '@nats-io/jetstream';
import { connect } from 'nats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Action, laneOf } from '../../contracts/actions.ts';
import { encodeBody } from '../../contracts/codec.ts';
import { subjects } from '../../contracts/subjects.ts';
import { compareWithFold } from '../kit/compare.ts';
import { foldCalls } from '../kit/fold.ts';
import { Stack } from '../kit/stack.ts';
import { sampleWrites, type TraceCall } from '../kit/trace.ts';
import { until } from '../kit/until.ts';

/** A call as the envelope that goes one way. */
function envelopeOf({ method, args, eventGuid }: TraceCall): { action: Action; body: object } {
  const [first, second, third] = args;
  const shapes: Record<string, [Action, object]> = {
    upsertWorkItem: ['QP_UpsertWorkItem', { WorkItem: first }], updateWorkItem: ['QP_UpdateWorkItem', { WorkItemHash: first, Patch: second }],
    appendEvent: ['QP_AppendEvent', { Event: first }], insertAttempt: ['QP_InsertAttempt', { Attempt: first }],
    updateAttemptOutcome: ['QP_UpdateAttemptOutcome', { WorkItemHash: first, AttemptNumber: second, Patch: third }],
    upsertManifest: ['MS_UpsertManifest', { Manifest: first }], removeManifest: ['MS_RemoveManifest', { RunHash: first }],
  };
  const [action, Settings] = shapes[method] ?? ['QP_AppendEvent', {}];
  return { action, body: { Action: action, EventGUID: eventGuid, Settings } };
}

describe('one-way through JetStream', () => {
  const calls = sampleWrites(300);
  const half = Math.floor(calls.length / 2);
  let stack: Stack;
  beforeAll(async () => { stack = await Stack.start({ workerArgs: ['--intake', 'jetstream'] }); }, 120_000);
  afterAll(async () => { await stack?.[Symbol.asyncDispose](); });

  const publishOneWay = async (part: readonly TraceCall[]) => {
    const connection = await connect({ servers: stack.nats.url });
    const stream = jetstream(connection);
    for (let at = 0; at < part.length; at += 100) {
      await Promise.all(part.slice(at, at + 100).map((call) => {
        const { action, body } = envelopeOf(call);
        return stream.publish(subjects.oneWay(stack.hubId, laneOf(action) ?? 'queue', action), encodeBody(body, 'json'), { msgID: call.eventGuid, timeout: 10_000 });
      }));
    }
    await connection.close();
  };
  const accepted = async () => Object.values((await stack.status()).Balance).reduce((sum, lane) => sum + lane.Accepted, 0);

  test('what was published while the worker was down, and what came after, is in the database once and in order (I7)', async () => {
    await stack.worker.kill();
    await publishOneWay(calls.slice(0, half));
    stack.worker.restart();
    await publishOneWay(calls.slice(half));
    await until('all are accepted', async () => await accepted() === calls.length, { deadlineMs: 60_000 });
    await stack.drained(60_000);
    expect(compareWithFold(stack.backendPath, foldCalls(calls, stack.hubId), stack.hubId).first).toEqual([]);
  }, 150_000);

  test('a repeat is settled without a second entry, and what can never be accepted is kept as a dead letter', async () => {
    const before = (await stack.status()).Queue.DeadLetters;
    await publishOneWay(calls.slice(0, 20).map((call) => ({ ...call })));
    await publishOneWay([{ method: 'nonsense', args: [], eventGuid: 'not-a-guid' }]);
    await until('the dead letter is kept', async () => (await stack.status()).Queue.DeadLetters === before + 1, { deadlineMs: 30_000 });
    expect(await accepted()).toBeLessThanOrEqual(calls.length + 1);
  }, 60_000);
});
