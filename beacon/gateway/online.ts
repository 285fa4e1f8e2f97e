/**
 * Puts a gateway on the bus: its micro service and its presence, from start to drained end. Used by
 * every kind of databeacon.
 */
import { senderOf } from '../../contracts/body/chunks.ts';
import { limits } from '../../contracts/limits.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { EndpointSpec } from '../../runtime/bus/micro-service.ts';
import type { Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import type { HttpListener } from '../../runtime/http/http-listener.ts';
import type { Log } from '../../runtime/log.ts';
import type { BeaconState } from '../databases/state.ts';
import type { AuditTrail } from './audit.ts';
import type { Gateway } from './gateway.ts';
import type { PresencePublisher } from './presence-publisher.ts';
import { serviceMetadata, watchForTwin } from './sole.ts';

/** Version of the databeacon as its micro service reports it. */
export const beaconVersion = '0.1.0';

/** What every databeacon needs around it. */
export type BeaconPlace = { bus: Bus; log: Log; clock: Clock };

export type OnlineOptions = {
  beaconId: string;
  nonce: string;
  /** Description of its micro service. */
  description: string;
  /** Capabilities answered on the bus, even if only with a refusal. */
  capabilities: readonly string[];
  /** Also answers on hub subjects, restricted to the rows of each hub. */
  hasHubSubjects: boolean;
  gateway: Gateway;
  presence: PresencePublisher;
  trail: AuditTrail;
  state: BeaconState;
  http?: HttpListener | null;
  /** Logged once it is online, with its name and capabilities. */
  facts: () => object | Promise<object>;
  /** Closes the storage of the rows once no request uses it any more. */
  closeRows?: () => Promise<void> | void;
};

/**
 * `drain` announces Draining, finishes what was taken, and closes the storage of the rows; the bus
 * stays open. A second call returns the same promise.
 */
export type RunningBeacon = {
  readonly nonce: string;
  /** Null when HTTP is off. */
  readonly httpUrl: string | null;
  drain(): Promise<void>;
};

export async function goOnline(
  options: OnlineOptions,
  { bus, log, clock }: BeaconPlace,
): Promise<RunningBeacon> {
  const { beaconId, nonce, gateway, presence, trail, state, http = null } = options;
  const service = bus.serve({
    name: 'databeacon',
    version: beaconVersion,
    description: options.description,
    metadata: serviceMetadata(beaconId),
    endpoints: options.capabilities.flatMap((capability) => {
      const handle: EndpointSpec['handle'] = (request) =>
        gateway.answer(capability, request.subject, request.decode(), {
          headers: request.headers,
          sender: senderOf(request.replyTo),
          roomBytes: request.answerBytesMax,
        });
      const { capabilityAll, capabilityForHubs } = subjects;
      const plain = { name: capability, subject: capabilityAll(beaconId, capability), handle };
      if (!options.hasHubSubjects) return [plain];
      const subject = capabilityForHubs(beaconId, capability);
      return [plain, { name: `${capability}-hub`, subject, handle }];
    }),
  });
  // Neither a bus that is away nor hanging requests may hold up the start or the end.
  const inTime = (work: Promise<unknown>) =>
    withDeadline(work, clock, limits.drainMs, () => undefined);
  // Flush the subscriptions first: whoever learns of the beacon can then send it requests.
  await inTime(bus.flush());
  await presence.start();
  const stopWatching = watchForTwin(bus, log, {
    beaconId,
    isOwn: (nonce) => presence.isOwn(nonce),
  });
  log.info(
    { beacon: beaconId, capabilities: gateway.capabilities, ...(await options.facts()) },
    'databeacon is online',
  );

  const stop = async (): Promise<void> => {
    stopWatching();
    await presence.become('Draining');
    await inTime(Promise.all([service.stop(), gateway.drain(), http?.drain()]));
    await http?.close();
    await presence.stop();
    trail.stop();
    await options.closeRows?.();
    state.close();
    log.info({ beacon: beaconId }, 'databeacon is drained');
  };
  let stopped: Promise<void> | null = null;
  return { nonce, httpUrl: http?.url ?? null, drain: () => (stopped ??= stop()) };
}
