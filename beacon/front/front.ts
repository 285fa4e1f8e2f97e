/**
 * A databeacon that has no database of its own: it puts a running retold-databeacon, known by its
 * HTTP server, on the bus.
 */
import { limits } from '../../contracts/limits.ts';
import type { BeaconStatus, Presence } from '../../contracts/presence.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { AuditTrail } from '../gateway/audit.ts';
import { Gateway } from '../gateway/gateway.ts';
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
export type RunningFront = {
  readonly nonce: string;
  readonly httpUrl: null;
  drain(): Promise<void>;
};

/**
 * Starts it on a connected bus; the server need not be there yet.
 * @throws TidemarkError CONFIG_INVALID for an address that is none
 */
export async function startFront(
  config: FrontConfig,
  bus: Bus,
  log: Log,
  clock: Clock,
  version: string,
): Promise<RunningFront> {
  const { beaconId, tags } = config;
  const client = new FrontClient(frontUrl(config.front));
  const state = BeaconState.open(config.dataDir);
  const trail = new AuditTrail(state, clock, log);
  const health = new FrontHealth(client, log);
  const proxy = new FrontProxy(client, config.allowWrites ?? true);
  const gateway = new Gateway(frontActions({ client, proxy, log, clock }), trail, () =>
    clock.monotonicMs(),
  );
  const presence = new PresencePublisher(bus, clock, async (status): Promise<Presence> => {
    const isThere = await health.look();
    // A server that does not answer takes nothing new, which is what Draining says.
    const told: BeaconStatus = isThere ? status : 'Draining';
    return {
      BeaconID: beaconId,
      Status: told,
      Nonce: health.nonce,
      Capabilities: gateway.capabilities,
      Tags: tags,
      Connections: health.connections,
    };
  });
  let isTelling = false;
  client.onSilence = () => {
    // The look itself may be what got no answer.
    if (isTelling || !health.isThere) return;
    isTelling = true;
    void presence.announce().finally(() => {
      isTelling = false;
    });
  };
  const service = bus.serve({
    name: 'databeacon',
    version,
    description: 'puts a retold-databeacon on the bus',
    metadata: { BeaconID: beaconId },
    endpoints: gateway.capabilities.map((capability) => ({
      name: capability,
      subject: subjects.capabilityAll(beaconId, capability),
      handle: (request) =>
        gateway.answer(capability, request.subject, request.decode(), request.headers),
    })),
  });
  // Who hears of it can ask it.
  await inTime(bus.flush(), clock);
  await presence.start();
  log.info(
    { beacon: beaconId, front: client.label, capabilities: gateway.capabilities },
    'databeacon is online',
  );

  const stop = async (): Promise<void> => {
    await presence.become('Draining');
    await inTime(Promise.all([service.stop(), gateway.drain()]), clock);
    await presence.stop();
    trail.stop();
    state.close();
    log.info({ beacon: beaconId }, 'databeacon is drained');
  };
  let stopped: Promise<void> | null = null;
  return { nonce: health.nonce, httpUrl: null, drain: () => (stopped ??= stop()) };
}

/** A bus that is away does not hold up start or end. */
async function inTime(work: Promise<unknown>, clock: Clock): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const cancel = clock.timer(limits.drainMs, resolve);
  await Promise.race([work, late]);
  cancel();
}
