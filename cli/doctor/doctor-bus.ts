/**
 * Looks over the bus and what is on it: the server, the worker of a hub, and the databeacons its
 * lanes go to with their databases.
 */
import type { IntrospectSchemaOutputs } from '../../contracts/capability.ts';
import { capabilities } from '../../contracts/capability.ts';
import { messageOf } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/json-value.ts';
import { decodePresence, type Presence } from '../../contracts/presence.ts';
import { persistenceSchema } from '../../contracts/schema.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Check, fail, ok, warn } from './doctor-check.ts';

/** What is tested; older servers lack things of the protocol we use. */
const oldestServer = [2, 9] as const;
const payloadBytesMin = 1024 * 1024;
const answerMs = 3_000;
/** A catalogue of a busy server takes a while; a look must not take longer. */
const schemaMs = 15_000;
/** Presence comes every two seconds. */
const presenceMs = 2_600;
/** Leases and marks compare times of several machines; beyond this people are misled by them. */
const clockMsMax = 2_000;

export type Database = { beacon: string; connection: number };
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
    .catch((error: unknown) => messageOf(error));
  const databases = typeof status === 'string' ? [...exam.assigned] : databasesOf(status);
  return [
    ...(await serverChecks(exam)),
    workerCheck(exam.hub, status),
    ...(await beaconChecks(exam, databases)),
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

async function beaconChecks(
  { bus, clock }: BusExam,
  databases: readonly Database[],
): Promise<Check[]> {
  if (databases.length === 0)
    return [
      warn(
        'beacon',
        'no lane is assigned',
        'tidemark assign <beacon> <connection>; writes are kept until then',
      ),
    ];
  const seen = await presences(
    bus,
    clock,
    databases.map(({ beacon }) => beacon),
  );
  const checks: Check[] = [];
  for (const database of databases)
    checks.push(
      ...(await databaseChecks(bus, database, seen.get(database.beacon) ?? null, [...seen.keys()])),
    );
  return checks;
}

/**
 * What beacons say of themselves, until all that are wanted were heard or it has been long enough.
 */
async function presences(
  bus: Bus,
  clock: Clock,
  wanted: readonly string[],
): Promise<Map<string, Presence>> {
  const seen = new Map<string, Presence>();
  const done = new AbortController();
  const stop = bus.subscribe(subjects.presence, (body) => {
    const presence = decodePresence(body);
    if (presence) seen.set(presence.BeaconID, presence);
    if (wanted.every((beacon) => seen.has(beacon))) done.abort();
  });
  await clock.sleep(presenceMs, done.signal);
  stop();
  return seen;
}

async function databaseChecks(
  bus: Bus,
  { beacon, connection }: Database,
  presence: Presence | null,
  others: readonly string[],
): Promise<Check[]> {
  const there = others.length > 0 ? `; there are ${others.join(', ')}` : '';
  if (!presence)
    return [
      warn(
        'beacon',
        `${beacon} is away${there}`,
        `start it, or assign another; writes are kept meanwhile`,
      ),
    ];
  const { Status, Capabilities, Connections } = presence;
  const isLegacy =
    !Capabilities.includes(capabilities.batch) && !Capabilities.includes(capabilities.proxy);
  const carrier = Capabilities.includes(capabilities.batch)
    ? 'batch'
    : isLegacy
      ? 'legacy'
      : 'meadow-proxy';
  const checks = [
    Status === 'Draining'
      ? warn('beacon', `${beacon} is draining`, 'wait for it to come back')
      : ok('beacon', `${beacon} is ${Status.toLowerCase()}`),
  ];
  if (
    isLegacy &&
    !Capabilities.some((one) => one === 'QueuePersistence' || one === 'ManifestStore')
  )
    return [
      ...checks,
      fail('carrier', `${beacon} offers nothing to deliver with`, 'assign a databeacon'),
    ];
  checks.push(
    carrier === 'batch'
      ? ok('carrier', 'batch')
      : warn(
          'carrier',
          `${carrier}: ${beacon} does not offer ${capabilities.batch}`,
          'slower, and one write at a time; use our databeacon where you can (docs/BEACONS.md)',
        ),
  );
  const found = Connections.find((one) => one.IDBeaconConnection === connection);
  if (isLegacy) return checks;
  if (!found)
    return [
      ...checks,
      fail(
        'connection',
        `${beacon} has no connection ${connection}; it has ` +
          (Connections.map((one) => one.IDBeaconConnection).join(', ') || 'none'),
        'tidemark assign names another one',
      ),
    ];
  if (!found.Connected)
    return [
      ...checks,
      warn(
        'connection',
        `${beacon}/${connection} (${found.Engine}) does not reach its database`,
        'look at the database, and at the log of the beacon',
      ),
    ];
  return [
    ...checks,
    ok('connection', `${beacon}/${connection}: ${found.Engine}, connected`),
    await schemaCheck(bus, beacon, connection),
  ];
}

async function schemaCheck(bus: Bus, beacon: string, connection: number): Promise<Check> {
  try {
    const { Outputs } = await bus.request<{ Outputs: IntrospectSchemaOutputs }>(
      subjects.capability(beacon, capabilities.schema, 'IntrospectSchema'),
      {
        Settings: {
          IDBeaconConnection: connection,
          SchemaName: 'ultravisor',
          SchemaJSON: persistenceSchema,
        },
      },
      { timeoutMs: schemaMs },
    );
    const missing = Outputs.Tables.flatMap(({ Scope, Exists, MissingColumns }) =>
      Exists ? MissingColumns.map((column) => `${Scope}.${column}`) : [Scope],
    );
    if (missing.length === 0)
      return ok(
        'backend schema',
        `all ${Outputs.Tables.length} tables of ${beacon}/${connection} are as described`,
      );
    return warn(
      'backend schema',
      `${beacon}/${connection} lacks ` +
        `${missing.slice(0, 8).join(', ')}${missing.length > 8 ? ` and ${missing.length - 8} more` : ''}`,
      'assign it again, or start the beacon again: the bootstrap adds what is missing',
    );
  } catch (error) {
    return warn(
      'backend schema',
      `cannot be looked at: ${messageOf(error)}`,
      'look at the database, and at the log of the beacon',
    );
  }
}
