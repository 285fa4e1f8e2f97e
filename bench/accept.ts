/**
 * Request/reply throughput of accepting, against a bare echo with the same client, bodies and
 * requests in flight; then latency at half load.
 */
import type { NatsConnection } from 'nats';
import { encodeBody } from '../contracts/body/codec.ts';
import { atFullSpeed, atRate, type Load, median, round } from './load.ts';
import { newEventGuid, recordedWrites, type Rig } from './rig.ts';

const inFlight = 256;
const perRun = 40_000;
const rounds = 5;

type Prepared = { subject: string; body: Uint8Array };

/** Bodies with fresh EventGUIDs: a duplicate would cost less. */
function prepare(hub: string, count: number): Prepared[] {
  return recordedWrites(count).map(({ lane, action, settings }) => ({
    subject: `tidemark.${hub}.${lane}.${action}`,
    body: encodeBody(
      { EventGUID: newEventGuid(), At: new Date().toISOString(), Settings: settings },
      'msgpack',
    ),
  }));
}

function sender(connection: NatsConnection, prepared: Prepared[], subject?: string) {
  return async (index: number) => {
    const { subject: own, body } = prepared[index] as Prepared;
    const answer = await connection.request(subject ?? own, body, { timeout: 30_000 });
    if (answer.headers?.get('Nats-Service-Error'))
      throw new Error(answer.headers.get('Nats-Service-Error'));
  };
}

/** The ratio of accepted writes/s to echoes/s, and of their p99 at half the accepted rate. */
export async function benchAccept(rig: Rig) {
  const hub = 'accept';
  await rig.startWorker(hub);
  await rig.fork('echo.ts', rig.url, 'bench.echo');
  const connection = await rig.connect();
  const ratios: number[] = [];
  let accepted: Load = { perSecond: 0, seconds: 0, p50Ms: 0, p99Ms: 0 };
  let echoed = accepted;
  for (let run = 0; run <= rounds; run++) {
    const bodies = prepare(hub, perRun);
    echoed = await atFullSpeed(perRun, inFlight, sender(connection, bodies, 'bench.echo'));
    accepted = await atFullSpeed(perRun, inFlight, sender(connection, bodies));
    // The first run warms up both sides.
    if (run > 0) ratios.push(accepted.perSecond / echoed.perSecond);
  }
  const half = Math.floor(accepted.perSecond / 2);
  const bodies = prepare(hub, half * 5);
  const echoHalf = await atRate(half * 5, half, sender(connection, bodies, 'bench.echo'));
  const acceptHalf = await atRate(half * 5, half, sender(connection, bodies));
  return {
    accept: {
      ratio: round(median(ratios)),
      target: 0.8,
      ratios: ratios.map(round),
      accepted,
      echoed,
      inFlight,
    },
    latency: {
      ratio: round(acceptHalf.p99Ms / echoHalf.p99Ms),
      target: 3,
      isAtMost: true,
      ratePerSecond: half,
      accepted: acceptHalf,
      echoed: echoHalf,
    },
  };
}
