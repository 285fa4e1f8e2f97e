/**
 * Trace context through the journal of a real worker to a real databeacon: over an outage and a
 * restart, one-way too; what is wrong with it changes nothing.
 */
import { jetstream } from '@nats-io/jetstream';
import Database from 'better-sqlite3';
import { connect, headers as newHeaders } from 'nats';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Stack } from '../../kit/processes/stack.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { connectHub } from '../../kit/processes/hub.ts';
import { type HeardHeaders, listenTo, parentOf, traceIdOf } from '../../kit/traces.ts';
import { until } from '../../kit/until.ts';

let stack: Stack;
let bus: Awaited<ReturnType<typeof listenTo>>;
beforeAll(async () => {
  stack = await Stack.start({ workerArgs: ['--intake', 'jetstream'] });
  bus = await listenTo(stack.nats.url, 'mesh.>');
});
afterAll(async () => {
  await bus[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});
beforeEach(() => bus.forget());

const json = { 'Content-Type': 'application/json' };
const applies = () => bus.at('.DataBeaconBatch.Apply.hub1');
const envelope = (name: string, fields: object = {}) => ({
  EventGUID: guidOf(name),
  Settings: { WorkItem: { WorkItemHash: name, ...fields } },
});
const ask = async (action: string, body: object, trace: Record<string, string> = {}) => {
  const reply = await stack.hub.request(`tidemark.hub1.queue.${action}`, JSON.stringify(body), {
    ...json,
    ...trace,
  });
  return JSON.parse(new TextDecoder().decode(reply.data)) as {
    Success: boolean;
    Duplicate?: boolean;
    Seq?: number;
  };
};
const upsert = (name: string, trace: Record<string, string> = {}, fields: object = {}) =>
  ask('QP_UpsertWorkItem', envelope(name, fields), trace);
const kept = (name: string) => {
  const db = new Database(stack.workerFile('state', 'state.db'), { readonly: true });
  try {
    return db
      .prepare('select trace from entry where guid = ?')
      .pluck()
      .get(Buffer.from(guidOf(name).replaceAll('-', ''), 'hex'));
  } finally {
    db.close();
  }
};
/** What one delivery carried, with the writes in it paused together. */
const deliveredTogether = async (publish: () => Promise<unknown>): Promise<HeardHeaders> => {
  await stack.control('pause');
  await publish();
  await stack.control('resume');
  await stack.drained();
  const heard = await applies();
  expect(heard).toHaveLength(1);
  return heard[0] as HeardHeaders;
};

test('a write of before an outage and a restart of the worker reaches the databeacon in its own trace', async () => {
  await stack.beacon.kill();
  expect(
    (await upsert('one', { traceparent: parentOf('a'), tracestate: 'vendor=1' })).Success,
  ).toBe(true);
  await stack.worker.kill();
  stack.worker.restart();
  await until('the worker is back', () => stack.status());
  stack.beacon.restart();
  await stack.drained();
  const carried = (await applies()).filter((one) => one.traceparent !== '');
  // A delivery that met the databeacon in its start is sent again, in the same trace.
  expect([
    ...new Set(
      carried.map(({ traceparent, tracestate }) => `${traceIdOf(traceparent)} ${tracestate}`),
    ),
  ]).toEqual([`${'a'.repeat(32)} vendor=1`]);
  expect(kept('one')).toBe(`${parentOf('a')}\nvendor=1`);
});

test('several traces in a delivery: its own, theirs beside it; without any there is no header', async () => {
  const several = await deliveredTogether(async () => {
    await upsert('two', { traceparent: parentOf('b') });
    await upsert('three', { traceparent: parentOf('c') });
    await upsert('none');
  });
  expect(several.links).toEqual([parentOf('b'), parentOf('c')]);
  expect(several.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(['b', 'c'].map((digit) => digit.repeat(32))).not.toContain(traceIdOf(several.traceparent));
  await bus.forget();
  const none = await deliveredTogether(() => upsert('four'));
  expect([none.traceparent, none.links]).toEqual(['', []]);
  expect(kept('four')).toBeNull();
});

test('a repeat with another trace is a duplicate, a bad trace is ignored, neither is a conflict (I3)', async () => {
  const first = await upsert('five', { traceparent: parentOf('d') });
  expect(await upsert('five', { traceparent: parentOf('e') })).toMatchObject({
    Success: true,
    Duplicate: true,
    Seq: first.Seq,
  });
  expect(kept('five')).toBe(parentOf('d'));
  for (const [n, traceparent] of [
    'rubbish',
    `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01`,
    'x'.repeat(60_000),
  ].entries()) {
    expect((await upsert(`bad-${n}`, { traceparent, tracestate: 'y'.repeat(1_000) })).Success).toBe(
      true,
    );
    expect(kept(`bad-${n}`)).toBeNull();
  }
  await stack.drained();
});

test('the items of a batch have the trace of the batch', async () => {
  const Items = ['six', 'seven'].map((name) => ({
    Action: 'QP_UpsertWorkItem',
    ...envelope(name),
  }));
  const carried = await deliveredTogether(() =>
    ask('batch', { Items }, { traceparent: parentOf('f') }),
  );
  expect([carried.traceparent, carried.links]).toEqual([parentOf('f'), []]);
  expect([kept('six'), kept('seven')]).toEqual([parentOf('f'), parentOf('f')]);
});

test('a one-way message through JetStream has its own', async () => {
  const connection = await connect({ servers: stack.nats.url });
  const headers = newHeaders();
  headers.set('traceparent', parentOf('9'));
  await jetstream(connection).publish(
    'tidemark-in.hub1.queue.QP_UpsertWorkItem',
    JSON.stringify({ Action: 'QP_UpsertWorkItem', ...envelope('eight') }),
    { headers, msgID: guidOf('eight') },
  );
  await connection.close();
  await until('it is accepted', () => kept('eight'));
  await stack.drained();
  expect((await applies()).map((one) => one.traceparent)).toContain(parentOf('9'));
});

test('the client library sends what it is told, in chunks and batches too, and asks once for each write', async () => {
  let asked = 0;
  const traceparent = () => parentOf(String(++asked));
  for (const batch of [false, true]) {
    asked = 0;
    await using hub = await connectHub(stack.nats.url, { traceparent, batch, encoding: 'json' });
    await hub.client.upsertWorkItem(
      { WorkItemHash: 'ten', Payload: { batch } },
      { EventGUID: guidOf(`ten-${batch}`) },
    );
    expect([asked, kept(`ten-${batch}`)]).toEqual([1, parentOf('1')]);
    await hub.client.upsertManifest(
      { Hash: 'large', Blob: Array.from({ length: 700_000 }, (_, n) => guidOf(`${n}`)).join('') },
      { EventGUID: guidOf(`large-${batch}`) },
    );
    expect([asked, kept(`large-${batch}`)]).toEqual([2, parentOf('2')]);
  }
  await using hub = await connectHub(stack.nats.url, { traceparent, batch: true });
  await Promise.all(
    ['x', 'y'].map((name) =>
      hub.client.upsertWorkItem({ WorkItemHash: name }, { EventGUID: guidOf(`mixed-${name}`) }),
    ),
  );
  expect([kept('mixed-x'), kept('mixed-y')]).toEqual([null, null]);
  await using same = await connectHub(stack.nats.url, {
    traceparent: () => parentOf('8'),
    batch: true,
  });
  await Promise.all(
    ['x', 'y'].map((name) =>
      same.client.upsertWorkItem({ WorkItemHash: name }, { EventGUID: guidOf(`same-${name}`) }),
    ),
  );
  expect([kept('same-x'), kept('same-y')]).toEqual([parentOf('8'), parentOf('8')]);
}, 120_000);
