/**
 * What a flood costs the others: each kind of message once, then a thousand times in ten seconds,
 * while another client's writes are timed.
 */
import { Buffer } from 'node:buffer';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { headers as emptyHeaders, type NatsConnection } from 'nats';
import { HonestHub } from './honest-hub.ts';
import { type LoadKind, loadKinds } from './load-kinds.ts';
import { forgetPeak, peakOf } from './memory.ts';
import { HostileRig } from './rig.ts';
import { inboxFor, permissionsFor, type RoleName } from './roles.ts';

export type LoadLine = {
  kind: string;
  role: string;
  /** Slowest write of the second in which one of the kind came. */
  aloneMaxMs: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  peakMiB: number;
  refused: number;
  /** Not within twenty seconds. */
  unanswered: number;
};
export type LoadOptions = {
  messages: number;
  seconds: number;
  /** Only kinds whose names have this. */
  kind?: string;
};

/** Between two timed writes, whatever became of the one before. */
const everyMs = 20;
const aloneMs = 1_000;
/** For what a flood leaves behind to be done with. */
const restMs = 500;

export async function runLoad({
  messages,
  seconds,
  kind: only = '',
}: LoadOptions): Promise<LoadLine[]> {
  await using rig = await HostileRig.start();
  const pids = [rig.processes.worker.pid, rig.processes['db-1'].pid];
  const hub = new HonestHub(await rig.connection('hub1'), [], 'load');
  const isScoped = permissionsFor('worker2').publish.allow.includes(
    'mesh.db-1.DataBeaconBatch.Apply.hub2',
  );
  const lines: LoadLine[] = [await lineOf('nothing', 'nobody', () => undefined)];
  const kinds = loadKinds(isScoped ? '.hub2' : '');
  for (const kind of kinds.filter(({ name }) => name.includes(only))) {
    const send = await senderOf(rig, kind);
    lines.push(await lineOf(kind.name, kind.role, send));
    await sleep(restMs);
  }
  return lines;

  async function lineOf(name: string, role: string, send: (n: number) => void): Promise<LoadLine> {
    for (const pid of pids) forgetPeak(pid);
    const alone = timedWrites(hub, aloneMs);
    send(0);
    const [before, during] = [await alone, timedWrites(hub, seconds * 1_000)];
    for (let sent = 1; sent <= messages; sent += 1) {
      send(sent);
      await sleep((seconds * 1_000) / messages);
    }
    const { times, refused, unanswered } = await during;
    return {
      kind: name,
      role,
      aloneMaxMs: Math.round(Math.max(...before.times)),
      p50Ms: Math.round(quantile(times, 0.5)),
      p99Ms: Math.round(quantile(times, 0.99)),
      maxMs: Math.round(Math.max(...times)),
      peakMiB: Math.round(Math.max(...pids.map(peakOf)) / 2 ** 20),
      refused: before.refused + refused,
      unanswered: before.unanswered + unanswered,
    };
  }
}

/** Writes at fixed times, so that one that is late does not hide those behind it. */
async function timedWrites(
  hub: HonestHub,
  forMs: number,
): Promise<{ times: number[]; refused: number; unanswered: number }> {
  const writes: ReturnType<HonestHub['write']>[] = [];
  const startedMs = performance.now();
  for (let n = 0; performance.now() - startedMs < forMs; n += 1) {
    writes.push(hub.write());
    await sleep(Math.max(0, startedMs + (n + 1) * everyMs - performance.now()));
  }
  const answers = await Promise.all(writes);
  return {
    times: answers.map(({ ms }) => ms),
    refused: answers.filter(({ complaint }) => complaint?.includes('was answered')).length,
    unanswered: answers.filter(({ complaint }) => complaint?.includes('was not answered')).length,
  };
}

async function senderOf(rig: HostileRig, kind: LoadKind): Promise<(n: number) => void> {
  if ('message' in kind) return busSender(await rig.as(kind.role), kind.role, kind.message);
  return () => {
    const socket = connect(rig.ports[kind.port], '127.0.0.1', () => socket.write(kind.request));
    socket.on('error', () => undefined).resume();
    setTimeout(() => socket.destroy(), kind.isHeld ? 5_000 : 2_000).unref();
  };
}

function busSender(
  connection: NatsConnection,
  role: RoleName,
  message: (n: number) => { subject: string; bytes: Uint8Array; headers?: [string, string][] },
): (n: number) => void {
  return (n) => {
    const { subject, bytes, headers = [] } = message(n);
    const head = emptyHeaders();
    for (const [name, value] of headers) head.append(name, value);
    connection.publish(subject, Buffer.from(bytes), {
      headers: head,
      reply: `${inboxFor(role)}.answer`,
    });
  };
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
