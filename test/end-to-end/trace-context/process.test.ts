/**
 * A worker that an operator starts with an SDK before it, as docs/METRICS.md says: its spans are
 * recorded, and what it sends is below them.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../kit/source.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { listenTo, parentOf } from '../../kit/traces.ts';
import { until } from '../../kit/until.ts';

type Line = { Span: string; TraceId: string; SpanId: string; Parent: string | null };

test('NODE_OPTIONS="--import ..." is all it takes', async () => {
  await using stack = await Stack.start({
    workerEnv: () => ({
      NODE_OPTIONS: `--import ${join(root, 'test', 'kit', 'processes', 'otel-setup.ts')}`,
    }),
  });
  await using bus = await listenTo(stack.nats.url, 'mesh.>');
  const body = JSON.stringify({
    EventGUID: guidOf('one'),
    Settings: { WorkItem: { WorkItemHash: 'one' } },
  });
  await stack.hub.request('tidemark.hub1.queue.QP_UpsertWorkItem', body, {
    'Content-Type': 'application/json',
    traceparent: parentOf('a'),
  });
  await stack.drained();
  const spans = await until('both spans are written', () => {
    const lines = stack.worker.stdout
      .split('\n')
      .filter((line) => line.startsWith('{"Span"'))
      .map((line) => JSON.parse(line) as Line)
      .filter((line) => line.TraceId === 'a'.repeat(32));
    return lines.length === 2 ? lines : null;
  });
  expect(spans.map((span) => span.Span)).toEqual([
    'accept tidemark.hub1.queue.QP_UpsertWorkItem',
    'deliver mesh.db-1',
  ]);
  expect(spans.map((span) => span.Parent)).toEqual(['1'.repeat(16), spans[0]?.SpanId]);
  expect((await bus.at('.DataBeaconBatch.Apply.hub1')).map((one) => one.traceparent)).toEqual([
    `00-${'a'.repeat(32)}-${spans[1]?.SpanId}-01`,
  ]);
});
