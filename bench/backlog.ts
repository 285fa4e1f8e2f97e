/** The cost of a large backlog: the worker's memory, and the rate at which it still accepts. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from 'nats';
import { encodeBody } from '../contracts/body/codec.ts';
import { atFullSpeed, round } from './load.ts';
import { newEventGuid, recordedWrites, type Rig } from './rig.ts';

const few = 10_000;
/**
 * Size of the large backlog, set by TIDEMARK_BENCH_BACKLOG. The default of a million takes some
 * minutes.
 */
const many = Number(process.env['TIDEMARK_BENCH_BACKLOG'] ?? 1_000_000);
const perBatch = 500;

/** Resident bytes of a process, from /proc. */
function residentBytes(pid: number): number {
  return (
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  );
}

async function fill(connection: NatsConnection, hub: string, count: number): Promise<number> {
  const template = recordedWrites(5_000);
  let sent = 0;
  const batches = Math.ceil(count / perBatch);
  const load = await atFullSpeed(batches, 4, async () => {
    const items = Array.from({ length: perBatch }, () => {
      const { action, settings } = template[sent++ % template.length] as {
        action: string;
        settings: object;
      };
      return { Action: action, EventGUID: newEventGuid(), Settings: settings };
    });
    const answer = await connection.request(
      `tidemark.${hub}.queue.batch`,
      encodeBody({ Items: items }, 'msgpack'),
      { timeout: 60_000 },
    );
    if (answer.headers?.get('Nats-Service-Error'))
      throw new Error(answer.headers.get('Nats-Service-Error'));
  });
  return load.perSecond * perBatch;
}

/**
 * Stops the worker in order, restarts it on the same journal, and lets it settle. Its memory is
 * then what the backlog costs.
 */
async function afterRestart(
  rig: Rig,
  hub: string,
  worker: ChildProcess,
): Promise<{ worker: ChildProcess; bytes: number }> {
  worker.kill('SIGTERM');
  await once(worker, 'exit');
  const again = await rig.startWorker(hub);
  await sleep(3_000);
  return { worker: again, bytes: residentBytes(again.pid as number) };
}

export async function benchBacklog(rig: Rig) {
  const hub = 'backlog';
  const first = await rig.startWorker(hub);
  const connection = await rig.connect();
  await fill(connection, hub, few);
  const small = await afterRestart(rig, hub, first);
  const rateEmpty = await fill(connection, hub, 50_000);
  await fill(connection, hub, many - few - 50_000);
  const rateFull = await fill(connection, hub, 50_000);
  const bytesUnderLoad = residentBytes(small.worker.pid as number);
  const large = await afterRestart(rig, hub, small.worker);
  return {
    memory: {
      ratio: round(large.bytes / small.bytes),
      target: 1.2,
      isAtMost: true,
      entries: many,
      bytesFew: small.bytes,
      bytesMany: large.bytes,
      bytesUnderLoad,
      bytesTarget: 200_000_000,
    },
    acceptRate: {
      ratio: round(rateFull / rateEmpty),
      target: 0.8,
      entries: many,
      emptyPerSecond: rateEmpty,
      fullPerSecond: rateFull,
    },
  };
}
