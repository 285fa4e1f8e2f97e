/**
 * Spans, with an SDK that records them: a write from the hub's own over accept and deliver to the
 * databeacon's, as one trace; a delivery of several linked to each.
 */
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { hostname } from 'node:os';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBeacon } from '../../../beacon/process/compose.ts';
import { Bus } from '../../../runtime/bus/bus.ts';
import { plainHttp } from '../../../runtime/http/http-access.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { startWorker } from '../../../worker/process/compose.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { connectHub, type TestHub } from '../../kit/processes/hub.ts';
import { TestNats } from '../../kit/servers/nats.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { parentOf } from '../../kit/traces.ts';
import { until } from '../../kit/until.ts';
import { silent } from '../../kit/worker/fixture.ts';

const exporter = new InMemorySpanExporter();
let hub: TestHub;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  );
  const dir = tempDir('spans');
  const nats = await TestNats.start();
  const bus = async (name: string) => Bus.connect({ servers: nats.url, name }, silent);
  const [workerBus, beaconBus] = [await bus('worker'), await bus('beacon')];
  const beacon = await startBeacon(
    {
      beaconId: 'db-1',
      databases: [`sqlite:${dir.at('b.sqlite')}`],
      dataDir: dir.at('beacon'),
      isBatchOn: true,
      tags: { PersistenceConnectionID: '1' },
    },
    beaconBus,
    silent,
    systemClock,
  );
  const settings = {
    hubId: 'hub1',
    version: '0',
    http: { host: '127.0.0.1', port: 0 },
    access: plainHttp,
    isOneWayOn: false,
    ops: { folder: dir.at('ops'), host: hostname(), skips: { flags: [], allUntilMs: null } },
  };
  const worker = await startWorker(settings, {
    local: openLocal(openStore(dir.at('worker')), 'hub1'),
    bus: workerBus,
    clock: systemClock,
    log: silent,
    onDrain: () => undefined,
    onFault: () => undefined,
  });
  hub = await connectHub(nats.url);
  closing.push(
    () => hub[Symbol.asyncDispose](),
    () => worker.drain(),
    () => beacon.drain(),
    () => beaconBus.close(),
    () => nats[Symbol.asyncDispose](),
    () => dir[Symbol.dispose](),
    () => trace.disable(),
  );
  await until(
    'the lanes are bootstrapped',
    async () => (await control('status'))['State'] === 'bootstrapped',
  );
});
afterAll(async () => {
  for (const close of closing) await close();
});
beforeEach(() => exporter.reset());

const json = { 'Content-Type': 'application/json' };
const ask = async (subject: string, body: object, headers: Record<string, string> = {}) =>
  JSON.parse(
    new TextDecoder().decode(
      (await hub.request(subject, JSON.stringify(body), { ...json, ...headers })).data,
    ),
  ) as Record<string, unknown>;
const control = (verb: string) => ask(`tidemark.hub1.control.${verb}`, {});
const envelope = (name: string, fields: object = {}) => ({
  EventGUID: guidOf(name),
  Settings: { WorkItem: { WorkItemHash: name, ...fields } },
});
const upsert = (name: string, headers: Record<string, string> = {}, fields: object = {}) =>
  ask('tidemark.hub1.queue.QP_UpsertWorkItem', envelope(name, fields), headers);

const spans = (start: string) =>
  exporter.getFinishedSpans().filter((span) => span.name.startsWith(start));
const applied = () =>
  until('an apply is over', () =>
    spans('DataBeaconBatch.Apply').length > 0 && spans('deliver').length > 0
      ? spans('DataBeaconBatch.Apply')
      : null,
  );
const parentIdOf = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId;
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId;

test('a write is one trace from hub to database: accept, deliver, apply, each below the one before', async () => {
  await upsert('one', { traceparent: parentOf('a', '1'), tracestate: 'v=1' });
  const [apply] = await applied();
  const [accept] = spans('accept');
  const [deliver] = spans('deliver');
  const all = [accept, deliver, apply];
  expect(all.map((span) => span?.spanContext().traceId)).toEqual(Array(3).fill('a'.repeat(32)));
  expect(all.map(parentIdOf)).toEqual(['1'.repeat(16), idOf(accept), idOf(deliver)]);
  expect(all.map((span) => span?.kind)).toEqual([
    SpanKind.CONSUMER,
    SpanKind.PRODUCER,
    SpanKind.SERVER,
  ]);
  expect(all.map((span) => span?.name)).toEqual([
    'accept tidemark.hub1.queue.QP_UpsertWorkItem',
    'deliver mesh.db-1',
    'DataBeaconBatch.Apply',
  ]);
  expect(all.map((span) => span?.spanContext().traceState?.serialize())).toEqual(
    Array(3).fill('v=1'),
  );
  expect(accept?.attributes).toEqual({
    'messaging.system': 'nats',
    'messaging.destination.name': 'tidemark.hub1.queue.QP_UpsertWorkItem',
    'messaging.operation.name': 'accept',
    'messaging.operation.type': 'process',
  });
  expect(deliver?.attributes).toMatchObject({
    'messaging.operation.type': 'send',
    'messaging.batch.message_count': 1,
    'tidemark.lane': 'queue',
    'tidemark.carrier': 'batch',
  });
  expect(apply?.attributes).toMatchObject({
    'messaging.destination.name': 'mesh.db-1.DataBeaconBatch.Apply.hub1',
    'messaging.batch.message_count': 1,
  });
  expect(all.flatMap((span) => span?.links ?? [])).toEqual([]);
});

test('a delivery of several traces is a trace of its own, linked to each write, and so is its apply', async () => {
  await control('pause');
  await upsert('two', { traceparent: parentOf('b') });
  await upsert('three', { traceparent: parentOf('c') });
  await control('resume');
  const [apply] = await applied();
  const [deliver] = spans('deliver');
  const accepts = spans('accept tidemark.hub1.queue');
  expect(parentIdOf(deliver)).toBeUndefined();
  expect(deliver?.links.map((link) => link.context.spanId)).toEqual(accepts.map(idOf));
  expect(parentIdOf(apply)).toBe(idOf(deliver));
  expect(apply?.spanContext().traceId).toBe(deliver?.spanContext().traceId);
  expect(apply?.links.map((link) => link.context.traceId)).toEqual([
    'b'.repeat(32),
    'c'.repeat(32),
  ]);
});

test('a read is one trace from the hub to the database', async () => {
  await upsert('read');
  await applied();
  exporter.reset();
  await ask(
    'tidemark.hub1.queue.QP_GetWorkItemByHash',
    { Settings: { WorkItemHash: 'read' } },
    { traceparent: parentOf('c', '1') },
  );
  const [query] = await until('the databeacon has answered', () =>
    spans('MeadowProxy.Request').length > 0 ? spans('MeadowProxy.Request') : null,
  );
  const [accept] = spans('accept');
  const [read] = spans('read QP_GetWorkItemByHash');
  expect([accept, read, query].map((span) => span?.spanContext().traceId)).toEqual(
    Array(3).fill('c'.repeat(32)),
  );
  expect([accept, read, query].map(parentIdOf)).toEqual(['1'.repeat(16), idOf(accept), idOf(read)]);
  expect(read?.kind).toBe(SpanKind.CLIENT);
});

test("a hub without traces gets one where the worker records; items of a batch are of the batch's", async () => {
  const items = ['four', 'five'].map((name) => ({
    Action: 'QP_UpsertWorkItem',
    ...envelope(name),
  }));
  await ask('tidemark.hub1.queue.batch', { Items: items });
  const [apply] = await applied();
  const [accept] = spans('accept');
  expect(parentIdOf(accept)).toBeUndefined();
  expect(apply?.spanContext().traceId).toBe(accept?.spanContext().traceId);
  expect(apply?.attributes['messaging.batch.message_count']).toBe(2);
});

test('a refusal is an error of its span, with its code', async () => {
  await upsert('six');
  await upsert('six', {}, { Status: 'other' });
  const failed = spans('accept').find((span) => span.status.code === SpanStatusCode.ERROR);
  expect(failed?.attributes['error.type']).toBe('CONFLICT');
  expect(failed?.status.message).toMatch(/other content/);
});
