/**
 * Looks over the databeacons that lanes go to: whether each is there, what it offers, whether it
 * reaches its database, and the schema of that.
 */
import { capabilities, type IntrospectSchemaOutputs } from '../../contracts/capability.ts';
import { messageOf } from '../../contracts/errors.ts';
import { decodePresence, type Presence } from '../../contracts/presence.ts';
import { persistenceSchema } from '../../contracts/schema.ts';
import { lastToken, subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Check, fail, ok, warn } from './doctor-check.ts';
import { twinChecks } from './doctor-twins.ts';

/** A catalogue of a busy server takes a while; a look must not take longer. */
const schemaMs = 15_000;
/** Presence comes every two seconds. */
const presenceMs = 2_600;

export type Database = { beacon: string; connection: number };

export async function beaconChecks(
  bus: Bus,
  clock: Clock,
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
  const checks = await twinChecks(
    bus,
    databases.map(({ beacon }) => beacon),
  );
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
  const stop = bus.subscribe(subjects.presenceAll, (body, subject) => {
    const presence = decodePresence(body);
    if (presence?.BeaconID === lastToken(subject)) seen.set(presence.BeaconID, presence);
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
  if (!presence) {
    const there = others.length > 0 ? `; there are ${others.join(', ')}` : '';
    return [
      warn(
        'beacon',
        `${beacon} is away${there}`,
        `start it, or assign another; writes are kept meanwhile`,
      ),
    ];
  }
  const state =
    presence.Status === 'Draining'
      ? warn('beacon', `${beacon} is draining`, 'wait for it to come back')
      : ok('beacon', `${beacon} is ${presence.Status.toLowerCase()}`);
  const carrier = carrierOf(presence);
  if (carrier === null)
    return [
      state,
      fail('carrier', `${beacon} offers nothing to deliver with`, 'assign a databeacon'),
    ];
  const checks = [
    state,
    carrier === 'batch'
      ? ok('carrier', 'batch')
      : warn(
          'carrier',
          `${carrier}: ${beacon} does not offer ${capabilities.batch}`,
          'slower, and one write at a time; use our databeacon where you can (docs/BEACONS.md)',
        ),
  ];
  // A legacy beacon announces no connections.
  if (carrier === 'legacy') return checks;
  const reached = connectionCheck(presence, connection);
  if (reached.Level !== 'ok') return [...checks, reached];
  return [...checks, reached, await schemaCheck(bus, beacon, connection)];
}

/** What writes would go by; null when it offers nothing for them. */
function carrierOf({ Capabilities }: Presence): 'batch' | 'meadow-proxy' | 'legacy' | null {
  if (Capabilities.includes(capabilities.batch)) return 'batch';
  if (Capabilities.includes(capabilities.proxy)) return 'meadow-proxy';
  return Capabilities.some((one) => one === 'QueuePersistence' || one === 'ManifestStore')
    ? 'legacy'
    : null;
}

function connectionCheck({ BeaconID, Connections }: Presence, connection: number): Check {
  const found = Connections.find((one) => one.IDBeaconConnection === connection);
  if (!found)
    return fail(
      'connection',
      `${BeaconID} has no connection ${connection}; it has ` +
        (Connections.map((one) => one.IDBeaconConnection).join(', ') || 'none'),
      'tidemark assign names another one',
    );
  if (!found.Connected)
    return warn(
      'connection',
      `${BeaconID}/${connection} (${found.Engine}) does not reach its database`,
      'look at the database, and at the log of the beacon',
    );
  return ok('connection', `${BeaconID}/${connection}: ${found.Engine}, connected`);
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
