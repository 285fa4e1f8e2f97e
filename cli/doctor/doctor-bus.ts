/** Looks over the bus and what is on it: the server, the worker of a hub, and its databeacons. */
import { messageOf } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { isNoResponders } from '../../runtime/bus/bus-answer.ts';
import type { Clock } from '../../runtime/clock.ts';
import { nobodyAnswers } from '../served-hubs.ts';
import { beaconChecks, type Database } from './doctor-beacons.ts';
import { type Check, fail, ok, warn } from './doctor-check.ts';

/** What is tested; older servers lack things of the protocol we use. */
const oldestServer = [2, 9] as const;
const payloadBytesMin = 1024 * 1024;
const answerMs = 3_000;
/** Leases and marks compare times of several machines; beyond this people are misled by them. */
const clockMsMax = 2_000;

export type BusExam = {
  bus: Bus;
  hub: string;
  servers: string;
  isOneWay: boolean;
  clock: Clock;
  /** Databases the store knows, for a worker that does not answer. */
  assigned: readonly Database[];
};

/** Never throws: what cannot be asked is a check that says so. */
export async function examineBus(exam: BusExam): Promise<Check[]> {
  const status = await exam.bus
    .request<WorkerStatus>(subjects.control(exam.hub, 'status'), {}, { timeoutMs: answerMs })
    .catch(async (error: unknown) =>
      messageOf(isNoResponders(error) ? await nobodyAnswers(exam.bus, exam.hub, error) : error),
    );
  const databases = typeof status === 'string' ? [...exam.assigned] : databasesOf(status);
  return [
    ...(await serverChecks(exam)),
    workerCheck(exam.hub, status),
    ...(await beaconChecks(exam.bus, exam.clock, databases)),
  ];
}

async function serverChecks({ bus, hub, servers, isOneWay, clock }: BusExam): Promise<Check[]> {
  const facts = bus.serverFacts;
  if (!facts) return [warn('bus', `${servers} went away while it was looked at`, 'look again')];
  const tookMs = await bus.roundTripMs().catch(() => null);
  const [major = 0, minor = 0] = facts.version.split('.').map(Number);
  const isOld = major < oldestServer[0] || (major === oldestServer[0] && minor < oldestServer[1]);
  return [
    ok(
      'bus',
      `answers at ${servers}${tookMs === null ? '' : `, ${Math.max(1, Math.round(tookMs))} ms there and back`}`,
    ),
    isOld
      ? warn(
          'bus version',
          `nats-server ${facts.version}`,
          `use ${oldestServer.join('.')} or newer`,
        )
      : ok('bus version', `nats-server ${facts.version}`),
    bus.payloadBytesMax < payloadBytesMin
      ? warn(
          'max_payload',
          `${bus.payloadBytesMax} bytes in one message`,
          'larger writes go in many pieces: set max_payload to 8MB',
        )
      : ok('max_payload', `${bus.payloadBytesMax} bytes in one message`),
    facts.hasStreams || !isOneWay
      ? ok('jetstream', facts.hasStreams ? 'on' : 'off; only one-way intake needs it')
      : fail(
          'jetstream',
          'off, and --intake jetstream is set',
          'switch JetStream on at the server, or leave --intake out',
        ),
    await busClock(bus, hub, clock),
  ];
}

/** Newer servers stamp what they say of a stream; that is the only time a client can ask for. */
export async function busClock(bus: Bus, hub: string, clock: Clock): Promise<Check> {
  const askedMs = clock.nowMs();
  const asked = async (subject: string): Promise<number> => {
    const found = await bus.request<unknown>(subject, {}, { timeoutMs: 1_000, encoding: 'json' });
    return Date.parse(isJsonObject(found) ? String(found['ts']) : '');
  };
  const serverMs = await asked(`$JS.API.STREAM.INFO.${subjects.oneWayStream(hub)}`).catch(
    () => Number.NaN,
  );
  if (!Number.isFinite(serverMs))
    return ok(
      'bus clock',
      'cannot be compared: the server tells no time without the stream of one-way intake',
    );
  const offMs = Math.round((askedMs + clock.nowMs()) / 2 - serverMs);
  const what = `this machine is ${Math.abs(offMs)} ms ${offMs < 0 ? 'behind' : 'ahead of'} the server`;
  return Math.abs(offMs) > clockMsMax
    ? warn('bus clock', what, 'set both clocks by NTP')
    : ok('bus clock', what);
}

function workerCheck(hub: string, status: WorkerStatus | string): Check {
  if (typeof status === 'string') return warn('answers', status, `start the worker of hub ${hub}`);
  const { State, Queue, Manifest, Drill, Capacity } = status;
  const what = `worker of hub ${hub}: ${State}`;
  if (Capacity.Refusing !== null)
    return fail(
      'answers',
      `${what}, refuses writes: ${Capacity.Refusing}`,
      'make room, or deliver',
    );
  if (State === 'error')
    return warn(
      'answers',
      `${what}: ${Queue.LastError ?? Manifest.LastError ?? ''}`,
      'it tries again by itself; the error says what is missing',
    );
  if (Drill)
    return warn(
      'answers',
      `${what}, in a drill until ${Drill.Until}`,
      'tidemark drill --stop ends it',
    );
  if (Queue.IsPaused) return warn('answers', `${what}, delivery is paused`, 'tidemark resume');
  const dead = Queue.DeadLetters + Manifest.DeadLetters;
  return dead > 0
    ? warn('answers', `${what}, ${dead} dead letters`, 'tidemark dead-letters ls')
    : ok('answers', what);
}

function databasesOf({ Queue, Manifest }: WorkerStatus): Database[] {
  const all = [Queue, Manifest].flatMap(({ AssignedBeaconID, IDBeaconConnection }) =>
    AssignedBeaconID === null ? [] : [{ beacon: AssignedBeaconID, connection: IDBeaconConnection }],
  );
  return all.filter(
    (one, at) =>
      all.findIndex(
        ({ beacon, connection }) => beacon === one.beacon && connection === one.connection,
      ) === at,
  );
}
