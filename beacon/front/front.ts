/**
 * A databeacon without a database of its own: it puts a running retold-databeacon on the bus,
 * through its HTTP server.
 */
import type { BeaconStatus, Presence } from '../../contracts/presence.ts';
import { AuditTrail } from '../gateway/audit.ts';
import { Gateway } from '../gateway/gateway.ts';
import { type BeaconPlace, goOnline, type RunningBeacon } from '../gateway/online.ts';
import { PresencePublisher } from '../gateway/presence-publisher.ts';
import { BeaconState } from '../databases/state.ts';
import { frontActions } from './front-actions.ts';
import { FrontClient, frontUrl } from './front-client.ts';
import { FrontHealth } from './front-health.ts';
import { FrontProxy } from './front-proxy.ts';

export type FrontConfig = {
  beaconId: string;
  front: string;
  dataDir: string;
  tags: Record<string, string>;
  allowWrites?: boolean;
};

/**
 * Starts it on a connected bus; the server may still be down.
 * @throws TidemarkError CONFIG_INVALID for an invalid address
 */
export async function startFront(config: FrontConfig, place: BeaconPlace): Promise<RunningBeacon> {
  const { beaconId, tags } = config;
  const { bus, log, clock } = place;
  const client = new FrontClient(frontUrl(config.front));
  const state = BeaconState.open(config.dataDir);
  const trail = new AuditTrail(state, clock, log);
  const health = new FrontHealth(client, log);
  const proxy = new FrontProxy(client, config.allowWrites ?? true);
  const actions = frontActions({ client, proxy, log, clock });
  const gateway = new Gateway({ actions, trail, nowMs: () => clock.monotonicMs() });
  const presence = new PresencePublisher(bus, clock, async (status): Promise<Presence> => {
    const isThere = await health.look();
    // A server that does not answer accepts nothing new, which is what Draining means.
    const told: BeaconStatus = isThere ? status : 'Draining';
    return {
      BeaconID: beaconId,
      Status: told,
      Nonce: health.nonce,
      HubSubjects: false,
      Capabilities: gateway.capabilities,
      Tags: tags,
      Connections: health.connections,
    };
  });
  let isTelling = false;
  client.onSilence = () => {
    // The health check may itself be the request that got no answer.
    if (isTelling || !health.isThere) return;
    isTelling = true;
    void presence.announce().finally(() => {
      isTelling = false;
    });
  };
  return goOnline(
    {
      beaconId,
      nonce: health.nonce,
      description: 'puts a retold-databeacon on the bus',
      capabilities: gateway.capabilities,
      hasHubSubjects: false,
      gateway,
      presence,
      trail,
      state,
      facts: () => ({ front: client.label }),
    },
    place,
  );
}
