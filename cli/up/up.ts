/**
 * `up`: bus, databeacon and worker on one machine, each a child process that is restarted when it
 * ends.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TidemarkError } from '../../contracts/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import {
  endLeftOver,
  findNatsServer,
  freePort,
  isFreePort,
  NatsServer,
} from '../../runtime/bus/nats-server.ts';
import { storeArgs } from '../settings/keep.ts';
import type { CliConfig } from '../settings/config.ts';
import { bootstrap } from './bootstrap.ts';
import { isUpRunning, readLastBusFile, removeBusFile, writeBusFile } from './bus-file.ts';
import { CliChild } from './cli-child.ts';
import { type Running, Supervised } from './supervised.ts';

/** Its databeacon when nothing else is said, and the connection that `--db` is. */
export const upBeacon = { BeaconID: 'db-1', IDBeaconConnection: 1 } as const;
const usualPort = 4222;
/** A killed `up` is gone within this time; one that still runs after it is in use. */
const predecessorMs = 3_000;

export type UpOptions = {
  config: CliConfig;
  /** Name of its databeacon on the bus. */
  beaconId: string;
  /**
   * Database URLs; the n-th is connection n. The default is a SQLite file in the data directory.
   */
  databases: readonly string[];
  /** Each is `name=value`. */
  tags: readonly string[];
  say: (line: string) => void;
  /** Receives the one line for stdout. */
  onReady: (line: string) => void;
  /** Stops everything in order. */
  stop: AbortSignal;
  /** Kills everything at once. */
  kill: AbortSignal;
};

type Part = (name: string, start: () => Promise<Running>) => Promise<void>;

/**
 * Runs until asked to stop.
 * @returns 0, or the exit code of a part that cannot run
 * @throws TidemarkError LOCK_HELD when another `up` runs on the data directory, CONFIG_INVALID
 * without a nats-server
 */
export async function runUp(options: UpOptions): Promise<number> {
  const { config, beaconId, say } = options;
  mkdirSync(config.data, { recursive: true });
  await untilPredecessorIsGone(config.data);
  const parts: Supervised[] = [];
  const fatal = Promise.withResolvers<number>();
  const part: Part = async (name, start) => {
    const supervised = new Supervised({
      name,
      start,
      clock: systemClock,
      say,
      onFatal: fatal.resolve,
    });
    await supervised.start();
    parts.push(supervised);
  };
  const killAll = () => parts.forEach((one) => one.kill());
  options.kill.addEventListener('abort', killAll, { once: true });
  try {
    const url = await startBus(options, part);
    writeBusFile(config.data, { Url: url, Hub: config.hub, Pid: process.pid });
    const http = await httpAddress(config.http);
    await startBeacon(options, url, part);
    await startWorker(options, url, http, part);
    void bootstrap(
      { ...config.bus, servers: url },
      config.hub,
      { ...upBeacon, BeaconID: beaconId },
      {
        say,
        stop: options.stop,
      },
    ).then(
      (isReady) => {
        if (isReady) options.onReady(readyLine(options, url, http));
      },
      (error: unknown) => {
        say(`cannot ask the worker: ${String(error)}`);
      },
    );
    return await Promise.race([fatal.promise, aborted(options.stop), aborted(options.kill)]);
  } finally {
    for (const one of parts.reverse()) await one.stop();
    removeBusFile(config.data);
  }
}

/** Two on one directory would each end the other's bus. */
async function untilPredecessorIsGone(data: string): Promise<void> {
  const pid = readLastBusFile(data)?.Pid;
  if (pid === undefined || pid === process.pid) return;
  const giveUpMs = systemClock.monotonicMs() + predecessorMs;
  while (isUpRunning(pid)) {
    if (systemClock.monotonicMs() > giveUpMs)
      throw new TidemarkError('LOCK_HELD', `another up runs on ${data}: process ${pid}`);
    await systemClock.sleep(50);
  }
}

async function startBus({ config, say }: UpOptions, part: Part): Promise<string> {
  if (config.isBusNamed) return config.bus.servers;
  const folder = join(config.data, 'nats');
  const binary = findNatsServer(config.natsServer, config.path, say);
  await endLeftOver(folder);
  const port = await choosePort(config.data);
  await part('nats-server', async () => {
    const server = await NatsServer.start({ folder, port, binary });
    return {
      pid: server.pid,
      exited: server.exited.then((words) => ({ code: null, words })),
      stop: () => server.stop(),
      kill: () => server.kill(),
    };
  });
  return `nats://127.0.0.1:${port}`;
}

/** Reuses the last port if it is free, so that clients find the bus again. */
async function choosePort(data: string): Promise<number> {
  const last = Number(
    /^nats:\/\/127\.0\.0\.1:(\d+)$/.exec(readLastBusFile(data)?.Url ?? '')?.[1] ?? 0,
  );
  for (const port of [last, usualPort]) if (port > 0 && (await isFreePort(port))) return port;
  return freePort();
}

/** Port 0 is resolved here, so that a restarted worker keeps its address. */
async function httpAddress(http: string): Promise<string> {
  return http.endsWith(':0') ? http.slice(0, -1) + String(await freePort()) : http;
}

function commonArgs({ config }: UpOptions, url: string): string[] {
  const unscoped = config.acceptsUnscoped ? ['--accept-unscoped'] : [];
  return ['--nats', url, '--log-level', config.logLevel, ...unscoped];
}

function startBeacon(options: UpOptions, url: string, part: Part): Promise<void> {
  const { config, beaconId, tags } = options;
  const databases =
    options.databases.length > 0
      ? options.databases
      : [`sqlite:${join(config.data, 'backend.sqlite')}`];
  const args = [
    'beacon',
    '--id',
    beaconId,
    '--data',
    join(config.data, beaconId),
    ...commonArgs(options, url),
    ...databases.flatMap((database) => ['--db', database]),
    ...tags.flatMap((tag) => ['--tag', tag]),
  ];
  return part('databeacon', async () => new CliChild(args, config.environment));
}

function startWorker(options: UpOptions, url: string, http: string, part: Part): Promise<void> {
  const { config } = options;
  const args = [
    'worker',
    '--hub',
    config.hub,
    '--data',
    config.data,
    '--http',
    http,
    ...commonArgs(options, url),
    '--intake',
    config.intake,
    ...storeArgs(config),
    '--ops-dir',
    config.ops.folder,
  ];
  // Said once: a worker that is started again is the owner already.
  let takesOver = config.takesOver;
  return part('worker', async () => {
    const once = takesOver ? ['--take-over'] : [];
    takesOver = false;
    return new CliChild([...args, ...once], config.environment);
  });
}

function readyLine({ config, beaconId }: UpOptions, url: string, http: string): string {
  return (
    `ready bus=${url} http=${config.access.tls ? 'https' : 'http'}://${http} ` +
    `hub=${config.hub} beacon=${beaconId} data=${config.data}`
  );
}

function aborted(signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(0);
    signal.addEventListener('abort', () => resolve(0), { once: true });
  });
}
