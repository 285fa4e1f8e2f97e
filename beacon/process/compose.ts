/**
 * The databeacon put together: state, databases, gateway, micro service, presence; and taken apart
 * again.
 */
import { capabilities } from '../../contracts/capability.ts';
import { limits } from '../../contracts/limits.ts';
import type { ConnectionPresence } from '../../contracts/presence.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { type Clock, newUuid } from '../../runtime/clock.ts';
import { decodeAddress, plainHttp } from '../../runtime/http/http-access.ts';
import type { HttpListener } from '../../runtime/http/http-listener.ts';
import type { Log } from '../../runtime/log.ts';
import { withToken } from '../../runtime/http/token.ts';
import { actionsOf } from '../capabilities/actions.ts';
import { AuditTrail } from '../gateway/audit.ts';
import { type BeaconConfig, checkBeaconConfig, hasToken } from '../databases/config.ts';
import { Connections } from '../databases/connections.ts';
import { startFront } from '../front/front.ts';
import { startLegacy } from '../legacy/legacy.ts';
import { Gateway } from '../gateway/gateway.ts';
import { type BeaconHttpOptions, listen } from './http.ts';
import { BeaconMeter } from '../gateway/meter.ts';
import { PresencePublisher } from '../gateway/presence-publisher.ts';
import { Proxy } from '../capabilities/proxy.ts';
import { BeaconState } from '../databases/state.ts';

/**
 * `drain` says Draining, finishes what was taken, and closes the databases; the bus stays the
 * caller's. Twice is the same promise.
 */
export type RunningBeacon = {
  readonly nonce: string;
  /** Null when HTTP is off. */ readonly httpUrl: string | null;
  drain(): Promise<void>;
};

/** Version of the databeacon as its micro service tells it. */
const version = '0.1.0';

/** Starts a databeacon on a connected bus. @throws TidemarkError CONFIG_INVALID or NEWER_SCHEMA */
export async function startBeacon(
  config: BeaconConfig,
  bus: Bus,
  log: Log,
  clock: Clock,
): Promise<RunningBeacon> {
  checkBeaconConfig(config);
  if (config.provider !== undefined)
    return startLegacy({ ...config, provider: config.provider }, bus, log, clock, version);
  if (config.front !== undefined)
    return startFront({ ...config, front: config.front }, bus, log, clock, version);
  const state = BeaconState.open(config.dataDir);
  const nonce = newUuid();
  let presence: PresencePublisher | null = null;
  const onChange = () => void presence?.announce();
  const connections = new Connections(state, config.databases, () => {
    log.warn({}, 'a database file was deleted or replaced; it is opened again');
    onChange();
  });
  const proxy = new Proxy(state, connections, clock, config.allowWrites ?? true);
  const trail = new AuditTrail(state, clock, log);
  const actions = actionsOf({ connections, proxy, clock, isBatchOn: config.isBatchOn, onChange });
  const meter = new BeaconMeter(version, actions, () => connections.presence());
  const gateway = new Gateway(
    actions,
    trail,
    () => clock.monotonicMs(),
    (done) => meter.done(done),
  );
  presence = new PresencePublisher(bus, clock, async (status) => ({
    BeaconID: config.beaconId,
    Status: status,
    Nonce: nonce,
    Capabilities: gateway.capabilities,
    Tags: config.tags,
    Connections: await connections.presence(),
  }));
  const service = bus.serve({
    name: 'databeacon',
    version,
    description: 'fronts databases for the persistence bridge',
    metadata: { BeaconID: config.beaconId },
    endpoints: Object.values(capabilities).map((capability) => ({
      name: capability,
      subject: subjects.capabilityAll(config.beaconId, capability),
      handle: (request) =>
        gateway.answer(capability, request.subject, request.decode(), request.headers),
    })),
  });
  const http = await listenIfTold(config, {
    proxy,
    metrics: meter,
    tell: (user, method, note) =>
      trail.add({
        remoteUser: user,
        capability: 'HTTP',
        action: method,
        connection: 0,
        table: '',
        outcome: 'ok',
        count: 0,
        detail: '',
        ...note,
      }),
    unready: async () => unreadyOf(await connections.presence(), gateway.isDraining),
  });
  // Who hears of the beacon, or of its start, can ask it.
  await inTime(bus.flush(), clock);
  await presence.start();
  log.info(
    {
      beacon: config.beaconId,
      nonce,
      capabilities: gateway.capabilities,
      connections: await connections.presence(),
      http: http?.url,
    },
    'databeacon is online',
  );

  const stop = async (): Promise<void> => {
    await presence.become('Draining');
    await inTime(Promise.all([service.stop(), gateway.drain(), http?.drain()]), clock);
    await http?.close();
    await presence.stop();
    trail.stop();
    await connections.close();
    state.close();
    log.info({ beacon: config.beaconId }, 'databeacon is drained');
  };
  let stopped: Promise<void> | null = null;
  return { nonce, httpUrl: http?.url ?? null, drain: () => (stopped ??= stop()) };
}

async function listenIfTold(
  config: BeaconConfig,
  parts: Omit<BeaconHttpOptions, 'settings'>,
): Promise<HttpListener | null> {
  const { http, token = null, access = plainHttp, dataDir } = config;
  if (http === undefined) return null;
  return listen(decodeAddress(http, hasToken(config)), {
    ...parts,
    settings: withToken(access, token, dataDir),
  });
}

function unreadyOf(presences: readonly ConnectionPresence[], isDraining: boolean): string | null {
  if (isDraining) return 'draining';
  const away = presences.filter((one) => !one.Connected).map((one) => one.Name);
  return away.length > 0 ? `away: ${away.join(', ')}` : null;
}

/** Requests that hang do not keep the process: what was committed is on disk. */
async function inTime(work: Promise<unknown>, clock: Clock): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const cancel = clock.timer(limits.drainMs, resolve);
  await Promise.race([work, late]);
  cancel();
}
