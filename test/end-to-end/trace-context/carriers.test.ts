/**
 * Trace context over the carriers that ask one request a write: MeadowProxy in that of the
 * delivery, a legacy beacon in each write's own; and behind a dead letter.
 */
import { afterEach, expect, test } from 'vitest';
import { Stack, type StackOptions } from '../../kit/processes/stack.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { listenTo, parentOf } from '../../kit/traces.ts';
import { until } from '../../kit/until.ts';

let stack: Stack | null = null;
afterEach(async () => {
  await stack?.[Symbol.asyncDispose]();
  stack = null;
});

async function start(options: StackOptions) {
  const running = await Stack.start(options);
  stack = running;
  const bus = await listenTo(running.nats.url, 'mesh.>');
  const write = (action: string, name: string, settings: object, traceparent: string) =>
    running.hub.request(
      `tidemark.hub1.queue.${action}`,
      JSON.stringify({ EventGUID: guidOf(name), Settings: settings }),
      { 'Content-Type': 'application/json', traceparent },
    );
  const upsert = (name: string, traceparent: string) =>
    write('QP_UpsertWorkItem', name, { WorkItem: { WorkItemHash: name } }, traceparent);
  return {
    stack: running,
    bus,
    write,
    upsert,
    heard: async (ending: string) => (await bus.at(ending)).map((one) => one.traceparent),
  };
}

test('every request of a delivery by MeadowProxy is in its trace', async () => {
  const run = await start({ beaconArgs: ['--no-batch'] });
  expect((await run.stack.status()).Queue.Carrier).toBe('meadow-proxy');
  await run.bus.forget();
  await run.upsert('one', parentOf('a'));
  await run.stack.drained();
  const heard = await run.heard('.MeadowProxy.Request.hub1');
  expect(heard.length).toBeGreaterThan(1);
  expect(new Set(heard)).toEqual(new Set([parentOf('a')]));
  await run.bus[Symbol.asyncDispose]();
});

test('each write to a legacy beacon is in its own, however many go together', async () => {
  const run = await start({ provider: 'memory' });
  await run.stack.control('pause');
  await run.upsert('one', parentOf('a'));
  await run.upsert('two', parentOf('b'));
  await run.stack.control('resume');
  await run.stack.drained();
  expect((await run.heard('.QP_UpsertWorkItem')).toSorted()).toEqual([
    parentOf('a'),
    parentOf('b'),
  ]);
  await run.bus[Symbol.asyncDispose]();
});

test('reads at once go out each in its own trace, and one without a trace in none', async () => {
  const run = await start({});
  await run.upsert('one', parentOf('a'));
  await run.stack.drained();
  await run.bus.forget();
  // More than are asked of the backend at once, so that some wait behind others.
  const parents = ['a', 'b', 'c', 'd'].flatMap((digit) =>
    [...'123456789abc'].map((span) => parentOf(digit, span)),
  );
  const read = (headers: Record<string, string>) =>
    run.stack.hub.request(
      'tidemark.hub1.queue.QP_GetWorkItemByHash',
      JSON.stringify({ Settings: { WorkItemHash: 'one' } }),
      { 'Content-Type': 'application/json', ...headers },
    );
  await Promise.all([...parents.map((traceparent) => read({ traceparent })), read({})]);
  expect((await run.heard('.MeadowProxy.Request.hub1')).toSorted()).toEqual(['', ...parents]);
  await run.bus[Symbol.asyncDispose]();
});

test('a dead letter that is retried goes out in its trace again', async () => {
  const run = await start({});
  const event = (name: string, type: string, digit: string) =>
    run.write(
      'QP_AppendEvent',
      name,
      { Event: { WorkItemHash: 'w', EventGUID: guidOf('event'), EventType: type } },
      parentOf(digit),
    );
  await event('first', 'one', 'a');
  await run.stack.drained();
  await event('second', 'two', 'b');
  const [dead] = await until('it is a dead letter', async () => {
    const { DeadLetters } = await run.stack.control<{ DeadLetters: { Seq: number }[] }>(
      'dead-letters',
      { Verb: 'list' },
    );
    return DeadLetters.length > 0 ? DeadLetters : null;
  });
  await run.bus.forget();
  await run.stack.control('dead-letters', { Verb: 'retry', Seq: dead?.Seq });
  await until('it was sent again', async () =>
    (await run.heard('.DataBeaconBatch.Apply.hub1')).includes(parentOf('b')),
  );
  const text = await until('it is refused again', async () => {
    const answer = await (await fetch(`${run.stack.httpUrl}/metrics`)).text();
    return /^tidemark_dead_lettered_total\{reason="conflict"\} 2$/m.test(answer) ? answer : null;
  });
  expect(text).toMatch(/^tidemark_dead_letters\{lane="queue"\} 1$/m);
  await run.bus[Symbol.asyncDispose]();
});
