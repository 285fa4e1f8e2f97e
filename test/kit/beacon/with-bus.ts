/** A databeacon on a real bus, in this process, with what it says of itself. */
import { join } from 'node:path';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { decodePresence, type Presence } from '../../../contracts/presence.ts';
import { subjects } from '../../../contracts/subjects.ts';
import { Bus } from '../../../runtime/bus/bus.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createLog } from '../../../runtime/log.ts';
import type { RunningBeacon } from '../../../beacon/gateway/online.ts';
import { startBeacon } from '../../../beacon/process/compose.ts';
import type { BeaconConfig } from '../../../beacon/databases/config.ts';
import { TestNats } from '../servers/nats.ts';
import { tempFolder } from './fixture.ts';

const log = createLog('test', 'silent');

export type Ask = <T>(
  capability: string,
  action: string,
  settings?: Record<string, unknown>,
) => Promise<T>;
export type Kit = {
  beacon: RunningBeacon;
  config: BeaconConfig;
  path: string;
  heard: Presence[];
  ask: Ask;
};

export function connect(nats: TestNats, name: string): Promise<Bus> {
  return Bus.connect({ servers: nats.url, name }, log);
}

/** One bus for the tests of a file or block, and a connection that asks. */
export function withBus(set: (nats: TestNats, bus: Bus) => void): void {
  let nats: TestNats | undefined;
  let bus: Bus | undefined;
  beforeAll(async () => {
    nats = await TestNats.start();
    bus = await connect(nats, 'asker');
    set(nats, bus);
  }, 60_000);
  afterAll(async () => {
    await bus?.close();
    await nats?.[Symbol.asyncDispose]();
  });
}

/** Asks a beacon and gives its Outputs. */
export function askOf(bus: Bus, beaconId: string): Ask {
  return async <T>(capability: string, action: string, settings: Record<string, unknown> = {}) => {
    // A batch is always some hub's.
    const hub = capability === 'DataBeaconBatch' ? String(settings['HubID']) : null;
    const subject = subjects.capability(beaconId, capability, action, hub);
    return (await bus.request<{ Outputs: T }>(subject, { Settings: settings })).Outputs;
  };
}

let started = 0;

/** A beacon with one new database, drained with the test. `bus` asks and listens. */
export async function startOn(
  nats: TestNats,
  bus: Bus,
  more: Partial<BeaconConfig> = {},
): Promise<Kit> {
  const folder = tempFolder();
  const path = join(folder, 'backend.sqlite');
  const config: BeaconConfig = {
    beaconId: `db-${++started}`,
    databases: [`sqlite:${path}`],
    dataDir: join(folder, 'own'),
    createConnections: join(folder, 'created'),
    isBatchOn: true,
    tags: {},
    ...more,
  };
  const heard: Presence[] = [];
  onTestFinished(
    bus.subscribe('mesh.presence.*', (value) => {
      const presence = decodePresence(value);
      if (presence?.BeaconID === config.beaconId) heard.push(presence);
    }),
  );
  await bus.flush();
  const own = await connect(nats, config.beaconId);
  const beacon = await startBeacon(config, own, log, systemClock);
  onTestFinished(async () => {
    await beacon.drain();
    await own.close();
  });
  return { beacon, config, path, heard, ask: askOf(bus, config.beaconId) };
}
