/** The databeacon put together: state, databases, gateway, presence, HTTP. */
import { capabilities } from '../../contracts/capability.ts';
import type { ConnectionPresence } from '../../contracts/presence.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { type Clock, newUuid } from '../../runtime/clock.ts';
import { decodeAddress, plainHttp } from '../../runtime/http/http-access.ts';
import type { HttpListener } from '../../runtime/http/http-listener.ts';
import type { Log } from '../../runtime/log.ts';
import { withToken } from '../../runtime/http/token.ts';
import { databaseActions } from '../capabilities/actions.ts';
import { type AuditNote, AuditTrail } from '../gateway/audit.ts';
import { type BeaconConfig, checkBeaconConfig, hasToken } from '../databases/config.ts';
import { Connections } from '../databases/connections.ts';
import { CreatedRules } from '../databases/created-rules.ts';
import { startFront } from '../front/front.ts';
import { startLegacy } from '../legacy/legacy.ts';
import { Gateway, type GatewayOptions } from '../gateway/gateway.ts';
import { type BeaconHttpOptions, listenForTables } from './http.ts';
import { BeaconMeter } from '../gateway/meter.ts';
import {
  type BeaconPlace,
  beaconVersion,
  goOnline,
  type RunningBeacon,
} from '../gateway/online.ts';
import { PresencePublisher } from '../gateway/presence-publisher.ts';
import { Proxy } from '../capabilities/proxy.ts';
import { insistOnSole } from '../gateway/sole.ts';
import { type AuditLine, BeaconState } from '../databases/state.ts';

/**
 * Starts a databeacon on a connected bus.
 * @throws TidemarkError CONFIG_INVALID, NEWER_SCHEMA, or LOCK_HELD when there is one of its name
 */
export async function startBeacon(
  config: BeaconConfig,
  bus: Bus,
  log: Log,
  clock: Clock,
): Promise<RunningBeacon> {
  checkBeaconConfig(config);
  await insistOnSole(bus, config.beaconId, clock);
  const place = { bus, log, clock };
  const { provider, front } = config;
  if (provider !== undefined) return startLegacy({ ...config, provider }, place);
  if (front !== undefined) return startFront({ ...config, front }, place);
  return startDatabases(config, place);
}

/** A databeacon that answers for databases of its own. */
async function startDatabases(config: BeaconConfig, place: BeaconPlace): Promise<RunningBeacon> {
  const { bus, log, clock } = place;
  const { beaconId, isBatchOn } = config;
  const state = BeaconState.open(config.dataDir);
  const nonce = newUuid();
  let presence: PresencePublisher | null = null;
  const onChange = () => void presence?.announce();
  const connections = new Connections({
    state,
    urls: config.databases,
    rules: new CreatedRules(config.createConnections ?? null, (path) => state.owns(path)),
    onChange: () => {
      log.warn({}, 'a database file was deleted or replaced; it is opened again');
      onChange();
    },
    onLeftOut: (connection, reason) =>
      log.warn({ connection, reason }, 'a connection kept from before is not opened'),
  });
  const proxy = new Proxy(
    state,
    connections,
    clock,
    config.allowWrites ?? true,
    (pattern, reason) =>
      log.warn(
        { pattern, reason },
        'a path pattern kept from before is not taken: it opens nothing',
      ),
  );
  const trail = new AuditTrail(state, clock, log);
  const actions = databaseActions({ connections, proxy, clock, isBatchOn, onChange });
  const meter = new BeaconMeter(beaconVersion, actions, () => connections.presence());
  const gateway = gatewayOf(config, { actions, trail, meter, clock });
  presence = new PresencePublisher(bus, clock, async (status) => ({
    BeaconID: beaconId,
    Status: status,
    Nonce: nonce,
    HubSubjects: true,
    Capabilities: gateway.capabilities,
    Tags: config.tags,
    Connections: await connections.presence(),
  }));
  const http = await listenIfTold(config, {
    proxy,
    metrics: meter,
    tell: (user, method, note) => trail.add(httpLine(user, method, note)),
    unready: async () => unreadyOf(await connections.presence(), gateway.isDraining),
  });
  return goOnline(
    {
      beaconId,
      nonce,
      description: 'fronts databases for the persistence bridge',
      capabilities: Object.values(capabilities),
      hasHubSubjects: true,
      gateway,
      presence,
      trail,
      state,
      http,
      facts: async () => ({ nonce, connections: await connections.presence(), http: http?.url }),
      closeRows: () => connections.close(),
    },
    place,
  );
}

function gatewayOf(
  { acceptsUnscoped }: BeaconConfig,
  {
    actions,
    trail,
    meter,
    clock,
  }: { meter: BeaconMeter; clock: Clock } & Pick<GatewayOptions, 'actions' | 'trail'>,
): Gateway {
  return new Gateway({
    actions,
    trail,
    nowMs: () => clock.monotonicMs(),
    onDone: (done) => meter.done(done),
    acceptsUnscoped,
  });
}

/** What came over HTTP, as a line of the audit; the note says what is special to it. */
function httpLine(user: string, method: string, note: AuditNote): Omit<AuditLine, 'at'> {
  return {
    remoteUser: user,
    capability: 'HTTP',
    action: method,
    connection: 0,
    table: '',
    outcome: 'ok',
    count: 0,
    detail: '',
    ...note,
  };
}

async function listenIfTold(
  config: BeaconConfig,
  parts: Omit<BeaconHttpOptions, 'settings'>,
): Promise<HttpListener | null> {
  const { http, token = null, access = plainHttp, dataDir } = config;
  if (http === undefined) return null;
  return listenForTables(decodeAddress(http, hasToken(config)), {
    ...parts,
    settings: withToken(access, token, dataDir),
  });
}

function unreadyOf(presences: readonly ConnectionPresence[], isDraining: boolean): string | null {
  if (isDraining) return 'draining';
  const away = presences.filter((one) => !one.Connected).map((one) => one.Name);
  return away.length > 0 ? `away: ${away.join(', ')}` : null;
}
