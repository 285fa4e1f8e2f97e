/**
 * A beacon without databases: puts the legacy capabilities on the bus, over a provider that stores
 * the rows.
 */
import type { Presence } from '../../contracts/presence.ts';
import { newUuid } from '../../runtime/clock.ts';
import type { ProviderName } from '../databases/config.ts';
import { BeaconState } from '../databases/state.ts';
import { AuditTrail } from '../gateway/audit.ts';
import { Gateway } from '../gateway/gateway.ts';
import { type BeaconPlace, goOnline, type RunningBeacon } from '../gateway/online.ts';
import { PresencePublisher } from '../gateway/presence-publisher.ts';
import { legacyActions } from './legacy-actions.ts';
import { connectionOf, openProvider } from './open-provider.ts';

export type LegacyConfig = {
  beaconId: string;
  provider: ProviderName;
  dataDir: string;
  tags: Record<string, string>;
};

/**
 * Starts it on a connected bus.
 * @throws TidemarkError CONFIG_INVALID for an unusable data folder
 */
export async function startLegacy(
  config: LegacyConfig,
  place: BeaconPlace,
): Promise<RunningBeacon> {
  const { beaconId, tags } = config;
  const { bus, log, clock } = place;
  const state = BeaconState.open(config.dataDir);
  const provider = openProvider(config.provider, config.dataDir);
  const trail = new AuditTrail(state, clock, log);
  const actions = legacyActions(provider);
  const gateway = new Gateway({ actions, trail, nowMs: () => clock.monotonicMs() });
  const nonce = newUuid();
  const presence = new PresencePublisher(bus, clock, async (status): Promise<Presence> => ({
    BeaconID: beaconId,
    Status: status,
    Nonce: nonce,
    HubSubjects: false,
    Capabilities: gateway.capabilities,
    Tags: tags,
    Connections: [connectionOf(provider, log)],
  }));
  return goOnline(
    {
      beaconId,
      nonce,
      description: 'keeps rows for the persistence bridge by the legacy capabilities',
      capabilities: gateway.capabilities,
      hasHubSubjects: false,
      gateway,
      presence,
      trail,
      state,
      facts: () => ({ nonce, provider: provider.name }),
      closeRows: () => provider.close(),
    },
    place,
  );
}
