/** A beacon without databases: the legacy capabilities over a provider of rows, on the bus. */
import { limits } from '../../contracts/limits.ts';
import type { Presence } from '../../contracts/presence.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { type Clock, newUuid } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { AuditTrail } from '../gateway/audit.ts';
import { Gateway } from '../gateway/gateway.ts';
import { PresencePublisher } from '../gateway/presence-publisher.ts';
import { BeaconState } from '../databases/state.ts';
import { legacyActions } from './legacy-actions.ts';
import { connectionOf, openProvider } from './open-provider.ts';
import type { ProviderName } from './provider.ts';

export type LegacyConfig = {
  beaconId: string;
  provider: ProviderName;
  dataDir: string;
  tags: Record<string, string>;
};
export type RunningLegacy = {
  readonly nonce: string;
  readonly httpUrl: null;
  drain(): Promise<void>;
};

/**
 * Starts it on a connected bus.
 * @throws TidemarkError CONFIG_INVALID for a data folder that cannot be
 */
export async function startLegacy(
  config: LegacyConfig,
  bus: Bus,
  log: Log,
  clock: Clock,
  version: string,
): Promise<RunningLegacy> {
  const { beaconId, tags } = config;
  const state = BeaconState.open(config.dataDir);
  const provider = openProvider(config.provider, config.dataDir);
  const trail = new AuditTrail(state, clock, log);
  const gateway = new Gateway(legacyActions(provider), trail, () => clock.monotonicMs());
  const nonce = newUuid();
  const presence = new PresencePublisher(bus, clock, async (status): Promise<Presence> => ({
    BeaconID: beaconId,
    Status: status,
    Nonce: nonce,
    Capabilities: gateway.capabilities,
    Tags: tags,
    Connections: [connectionOf(provider, log)],
  }));
  const service = bus.serve({
    name: 'databeacon',
    version,
    description: 'keeps rows for the persistence bridge by the legacy capabilities',
    metadata: { BeaconID: beaconId },
    endpoints: gateway.capabilities.map((capability) => ({
      name: capability,
      subject: subjects.capabilityAll(beaconId, capability),
      handle: (request) =>
        gateway.answer(capability, request.subject, request.decode(), request.headers),
    })),
  });
  await bus.flush();
  await presence.start();
  log.info(
    { beacon: beaconId, nonce, provider: provider.name, capabilities: gateway.capabilities },
    'databeacon is online',
  );

  const stop = async (): Promise<void> => {
    await presence.become('Draining');
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = clock.timer(limits.drainMs, resolve);
    await Promise.race([Promise.all([service.stop(), gateway.drain()]), late]);
    cancel();
    await presence.stop();
    trail.stop();
    provider.close();
    state.close();
    log.info({ beacon: beaconId }, 'databeacon is drained');
  };
  let stopped: Promise<void> | null = null;
  return { nonce, httpUrl: null, drain: () => (stopped ??= stop()) };
}
