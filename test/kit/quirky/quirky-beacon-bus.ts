/**
 * The beacon with the incumbent's quirks on the bus: its capabilities, none of them a batch, and
 * its presence.
 */
import { capabilities } from '../../../contracts/capability.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { subjects } from '../../../contracts/subjects.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import { newUuid } from '../../../runtime/clock.ts';
import { Gateway } from '../../../beacon/gateway/gateway.ts';
import type { QuirkyBeacon } from './quirky-beacon.ts';

type Settings = Readonly<Record<string, unknown>>;

/** Its errors are failed work items with their message. */
function told(answer: (settings: Settings) => object): (settings: Settings) => object {
  return (settings) => {
    try {
      return answer(settings);
    } catch (error) {
      throw new TidemarkError('INVALID_MESSAGE', (error as Error).message);
    }
  };
}

/** Serves it until the returned function is called. */
export async function serveQuirky(
  beacon: QuirkyBeacon,
  bus: Bus,
  beaconId: string,
): Promise<() => Promise<void>> {
  const actions = {
    [capabilities.proxy]: { Request: told((settings) => beacon.proxy(settings)) },
    [capabilities.schema]: { EnsureSchema: told((settings) => beacon.ensureSchema(settings)) },
    [capabilities.management]: {
      Introspect: told(() => beacon.introspect()),
      EnableEndpoint: told((settings) => beacon.enableEndpoint(settings)),
      DisableEndpoint: told((settings) => beacon.disableEndpoint(settings)),
      UpdateProxyConfig: told((settings) => beacon.updateProxyConfig(settings)),
    },
    [capabilities.access]: { ListConnections: told(() => ({ Connections: beacon.connections() })) },
  };
  const gateway = new Gateway({
    actions,
    trail: { add: () => undefined },
    nowMs: () => performance.now(),
  });
  const service = bus.serve({
    name: 'retold-databeacon',
    version: '1.0.31',
    description: 'a databeacon with quirks',
    metadata: { BeaconID: beaconId },
    endpoints: Object.keys(actions).map((capability) => ({
      name: capability,
      subject: subjects.capabilityAll(beaconId, capability),
      handle: (request) => gateway.answer(capability, request.subject, request.decode()),
    })),
  });
  await bus.flush();
  const nonce = beacon.has('no-nonce') ? {} : { Nonce: newUuid() };
  const tell = () =>
    bus.publish(subjects.presence(beaconId), {
      BeaconID: beaconId,
      Status: 'Online',
      ...nonce,
      Capabilities: Object.keys(actions),
      Connections: beacon.connections().map(({ IDBeaconConnection, Name, Type, Connected }) => ({
        IDBeaconConnection,
        Name,
        Engine: Type,
        Connected,
      })),
    });
  tell();
  const timer = setInterval(tell, limits.presenceEveryMs);
  return async () => {
    clearInterval(timer);
    await service.stop();
  };
}
