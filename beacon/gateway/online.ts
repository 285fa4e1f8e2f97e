/**
 * A gateway on the bus: its micro service and its presence, from the first word to the drained end.
 * Every kind of databeacon goes through here.
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

/** What a databeacon runs in. */
export type BeaconPlace = { bus: Bus; log: Log; clock: Clock };

export type OnlineOptions = {
  beaconId: string;
  nonce: string;
  /** Of its micro service. */
  description: string;
  /** Capabilities that are answered on the bus, be it with a refusal. */
  capabilities: readonly string[];
  /** They are answered for hubs too, bound to the rows of each. */
  hasHubSubjects: boolean;
  gateway: Gateway;
  presence: PresencePublisher;
  trail: AuditTrail;
  state: BeaconState;
  http?: HttpListener | null;
  /** What the log says of it, once it is online, beside its name and capabilities. */
  facts: () => object | Promise<object>;
  /** Closes what the rows are in, once nothing asks for them any more. */
  closeRows?: () => Promise<void> | void;
};

/**
 * `drain` says Draining, finishes what was taken, and closes what the rows are in; the bus stays
 * the caller's. Twice is the same promise.
 */
export type RunningBeacon = {
  readonly nonce: string;
  /** Null when HTTP is off. */ readonly httpUrl: string | null;
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
  // A bus that is away, or requests that hang, hold up neither start nor end.
  const inTime = (work: Promise<unknown>) =>
    withDeadline(work, clock, limits.drainMs, () => undefined);
  // Who hears of the beacon, or of its start, can ask it.
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
