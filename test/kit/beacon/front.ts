/** A retold-databeacon on HTTP with its quirks, and a databeacon in front of it. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { decodePresence, type Presence } from '../../../contracts/presence.ts';
import { persistenceSchema } from '../../../contracts/schema.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createLog } from '../../../runtime/log.ts';
import { startBeacon } from '../../../beacon/process/compose.ts';
import type { TestNats } from '../servers/nats.ts';
import { type Quirk, QuirkyBeacon } from '../quirky/quirky-beacon.ts';
import { listenQuirky, type SeenRequest } from '../quirky/quirky-beacon-http.ts';
import { tempFolder } from './fixture.ts';
import { type Ask, askOf, connect } from './with-bus.ts';

const silent = createLog('test', 'silent');
export const B = '/1.0/uv-external/UVQueueWorkItem';
export const here = { IDBeaconConnection: 1 };
let count = 0;

type Front = {
  path: string;
  ask: Ask;
  seen: SeenRequest[];
  heard: Presence[];
  beacon: QuirkyBeacon;
  server: Server;
  listen: (port: number) => Promise<Server>;
  port: number;
};

/** @param isMade whether the tables were made by other means */
export async function startFrontOn(
  nats: TestNats,
  bus: Bus,
  { isMade = true, allowWrites = true, quirks = [] as Quirk[], log = silent } = {},
): Promise<Front> {
  const folder = tempFolder();
  const path = join(folder, 'backend.sqlite');
  const beacon = new QuirkyBeacon(path, quirks);
  onTestFinished(() => beacon.close());
  if (isMade) beacon.ensureSchema({ ...here, SchemaJSON: persistenceSchema });
  const seen: SeenRequest[] = [];
  const listen = (port: number) => listenQuirky(beacon, port, (request) => void seen.push(request));
  const server = await listen(0);
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const beaconId = `front-${++count}`;
  const heard: Presence[] = [];
  onTestFinished(
    bus.subscribe('mesh.presence.*', (value) => {
      const presence = decodePresence(value);
      if (presence?.BeaconID === beaconId) heard.push(presence);
    }),
  );
  await bus.flush();
  const own = await connect(nats, beaconId);
  const running = await startBeacon(
    {
      beaconId,
      databases: [],
      front: `http://127.0.0.1:${port}`,
      dataDir: join(folder, 'own'),
      isBatchOn: true,
      tags: { PersistenceConnectionID: '1' },
      allowWrites,
    },
    own,
    log,
    systemClock,
  );
  onTestFinished(async () => {
    await running.drain();
    await own.close();
  });
  return { path, ask: askOf(bus, beaconId), seen, heard, beacon, server, listen, port };
}
