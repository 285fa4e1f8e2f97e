/**
 * Accepting in batches of 100, against JetStream's own publish to a file stream with message ids
 * and 512 in flight.
 */
import { jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { encodeBody } from '../contracts/body/codec.ts';
import { atFullSpeed, median, round } from './load.ts';
import { newEventGuid, recordedWrites, type Rig } from './rig.ts';

const perBatch = 100;
const writes = 40_000;
const rounds = 3;

export async function benchBatch(rig: Rig) {
  const hub = 'batch';
  await rig.startWorker(hub);
  const connection = await rig.connect();
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'BENCH', subjects: ['bench.js'], storage: StorageType.File });
  const stream = jetstream(connection);
  const ratios: number[] = [];
  let accepted = 0;
  let published = 0;
  for (let run = 0; run <= rounds; run++) {
    const items = recordedWrites(writes).map(({ action, settings }) => ({
      Action: action,
      EventGUID: newEventGuid(),
      Settings: settings,
    }));
    const single = items.map((item) => ({ id: item.EventGUID, body: encodeBody(item, 'msgpack') }));
    const peer = await atFullSpeed(writes, 512, (index) =>
      stream.publish('bench.js', single[index]?.body, {
        msgID: single[index]?.id ?? '',
        timeout: 30_000,
      }),
    );
    const batches = Array.from({ length: writes / perBatch }, (_, index) =>
      encodeBody({ Items: items.slice(index * perBatch, (index + 1) * perBatch) }, 'msgpack'),
    );
    const ours = await atFullSpeed(batches.length, 8, async (index) => {
      const answer = await connection.request(`tidemark.${hub}.queue.batch`, batches[index], {
        timeout: 30_000,
      });
      if (answer.headers?.get('Nats-Service-Error'))
        throw new Error(answer.headers.get('Nats-Service-Error'));
    });
    accepted = ours.perSecond * perBatch;
    published = peer.perSecond;
    if (run > 0) ratios.push(accepted / published);
  }
  return {
    ratio: round(median(ratios)),
    target: 2,
    ratios: ratios.map(round),
    acceptedPerSecond: accepted,
    publishedPerSecond: published,
    perBatch,
  };
}
