/** One-way messages come in order and bounded, whatever their size; on a real nats-server. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { subjects } from '../../../contracts/subjects.ts';
import { Bus } from '../../../runtime/bus/bus.ts';
import { OneWayStream, publishOneWay } from '../../../runtime/bus/stream.ts';
import { createLog } from '../../../runtime/log.ts';
import { TestNats } from '../../kit/servers/nats.ts';

let nats: TestNats;
let bus: Bus;
beforeAll(async () => {
  nats = await TestNats.start();
  bus = await Bus.connect({ servers: nats.url, name: 'stream test' }, createLog('test', 'silent'));
}, 60_000);
afterAll(async () => {
  await bus?.close();
  await nats?.[Symbol.asyncDispose]();
});

/** Does nothing else for so long, as decoding and writing a large message does. */
function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('many messages near max_payload come in order, and never cost the connection (I14)', async () => {
  const stream = await OneWayStream.open(bus, 'h1');
  const subject = subjects.oneWay('h1', 'manifest', 'MS_UpsertManifest');
  const text = 'x'.repeat(7 * 1024 * 1024);
  const count = 24;
  const sent: string[] = [];
  const encoder = await import('@nats-io/jetstream').then(({ jetstream }) =>
    jetstream(bus.connection),
  );
  for (let at = 0; at < count; at += 1) {
    sent.push(randomUUID());
    await encoder.publish(subject, `${sent.at(-1)} ${text}`, { timeout: 20_000 });
  }
  await stream.renew();
  const got: string[] = [];
  const deliveries: number[] = [];
  let largest = 0;
  for (let fetches = 0; got.length < count && fetches < 60; fetches += 1)
    for await (const group of stream.groups(1_000)) {
      largest = Math.max(largest, group.length);
      for (const message of group) {
        busy(100);
        got.push(Buffer.from(message.body.subarray(0, 36)).toString());
        deliveries.push(message.delivery);
        message.ack();
      }
    }
  expect(got).toEqual(sent);
  expect(deliveries).toEqual(sent.map((_, at) => at + 1));
  expect(bus.reconnects).toBe(0);
  expect(largest).toBeLessThan(6);
}, 120_000);

test('small ones still come many at once', async () => {
  const stream = await OneWayStream.open(bus, 'h2');
  const subject = subjects.oneWay('h2', 'queue', 'QP_AppendEvent');
  const guids = Array.from({ length: 600 }, () => randomUUID());
  await Promise.all(guids.map((EventGUID) => publishOneWay(bus, subject, { EventGUID })));
  await stream.renew();
  let [count, fetches] = [0, 0];
  for (; count < guids.length && fetches < 10; fetches += 1)
    for await (const group of stream.groups(1_000))
      for (const message of group) {
        count += 1;
        message.ack();
      }
  expect([count, fetches]).toEqual([600, 2]);
}, 60_000);
