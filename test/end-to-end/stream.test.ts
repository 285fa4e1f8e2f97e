/**
 * One-way writes through JetStream: durable while the worker is down, taken in order when it is
 * there.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareWithFold } from '../kit/rows/compare.ts';
import { foldCalls } from '../kit/rows/fold.ts';
import { publishOneWay } from '../kit/processes/one-way.ts';
import { Stack } from '../kit/processes/stack.ts';
import { sampleWrites, type TraceCall } from '../kit/rows/trace.ts';
import { until } from '../kit/until.ts';

describe('one-way through JetStream', () => {
  const calls = sampleWrites(300);
  const half = Math.floor(calls.length / 2);
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ workerArgs: ['--intake', 'jetstream'] });
  }, 120_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  const send = (part: readonly TraceCall[]) => publishOneWay(stack.nats.url, stack.hubId, part);
  const accepted = async () =>
    Object.values((await stack.status()).Balance).reduce((sum, lane) => sum + lane.Accepted, 0);

  test('what was published while the worker was down, and after, is in the database once, in order (I7)', async () => {
    await stack.worker.kill();
    await send(calls.slice(0, half));
    stack.worker.restart();
    await send(calls.slice(half));
    await until('all are accepted', async () => (await accepted()) === calls.length, {
      deadlineMs: 60_000,
    });
    await stack.drained(60_000);
    expect(
      compareWithFold(stack.backendPath, foldCalls(calls, stack.hubId), stack.hubId).first,
    ).toEqual([]);
  }, 150_000);

  test('a repeat is settled without a second entry; what can never be accepted is a dead letter', async () => {
    const kept = async () =>
      (await stack.control<{ DeadLetters: { Reason: string }[] }>('dead-letters', { Verb: 'list' }))
        .DeadLetters;
    expect(await kept()).toEqual([]);
    await send(calls.slice(0, 20).map((call) => ({ ...call })));
    await send([{ method: 'nonsense', args: [], eventGuid: 'not-a-guid' }]);
    await until('the dead letter is kept', async () => (await kept()).length === 1, {
      deadlineMs: 30_000,
    });
    expect((await kept())[0]?.Reason).toMatch(/^(?:EventGUID|Settings)/);
    expect(await accepted()).toBe(calls.length);
  }, 60_000);
});
