/**
 * Brings one connection of a beacon up: its tables, what the beacon knows of them, the paths its
 * proxy lets through, and an endpoint for each table.
 */
import {
  capabilities,
  type EnableEndpointOutputs,
  type EnsureSchemaOutputs,
  legacyCapabilities,
  persistencePaths,
} from '../../contracts/capability.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Presence } from '../../contracts/presence.ts';
import { laneTables, persistenceSchema } from '../../contracts/schema.ts';
import { lanes } from '../../contracts/subjects.ts';
import type { Log } from '../../runtime/log.ts';
import type { Dispatcher } from './dispatcher.ts';
import { endpointBaseOf } from './endpoint-base.ts';
import { carrierIn, isLegacy, storeIn } from './offers.ts';

/** `endpoints` is table -> EndpointBase; a legacy beacon has none. */
export type Bootstrapped = { storeId: string; endpoints: ReadonlyMap<string, string> };

export type BringUpOptions = {
  beacon: string;
  connection: number;
  dispatcher: Dispatcher;
  log: Log;
  /** What the beacon says of itself now; null while it is away. */
  presence: () => Presence | null;
};

/** @throws TidemarkError naming the step that failed */
export async function bringUp(options: BringUpOptions, presence: Presence): Promise<Bootstrapped> {
  const { beacon, connection, log } = options;
  if (isLegacy(presence)) return legacyStore(presence, connection);
  const where = { IDBeaconConnection: connection };
  const schema: Partial<EnsureSchemaOutputs> = await step<EnsureSchemaOutputs>(
    options,
    'EnsureSchema',
    'schema',
    { ...where, SchemaName: 'ultravisor', SchemaJSON: persistenceSchema },
  );
  const {
    TablesCreated: tables = [],
    ColumnsAdded: columns = [],
    IndicesCreated: indices = [],
  } = schema;
  if (tables.length + columns.length + indices.length > 0)
    log.info({ beacon, tables, columns, indices }, 'schema changed');
  await step(options, 'Introspect', 'management', where);
  await step(options, 'UpdateProxyConfig', 'management', {
    PathAllowlist: [persistencePaths],
  });
  return { storeId: schema.StoreID ?? '', endpoints: await endpointsOf(options) };
}

async function endpointsOf(options: BringUpOptions): Promise<ReadonlyMap<string, string>> {
  const { beacon, connection, dispatcher, presence } = options;
  const endpoints = new Map<string, string>();
  const name =
    presence()?.Connections.find((one) => one.IDBeaconConnection === connection)?.Name ?? '';
  for (const table of lanes.flatMap((lane) => laneTables[lane])) {
    const outputs = await step<Partial<EnableEndpointOutputs>>(
      options,
      'EnableEndpoint',
      'management',
      { IDBeaconConnection: connection, TableName: table },
    );
    endpoints.set(
      table,
      await endpointBaseOf(dispatcher, { beacon, connection, name }, table, outputs),
    );
  }
  return endpoints;
}

/**
 * There is nothing to bring up: what it offers is all there is to know.
 * @throws TidemarkError UNAVAILABLE for a beacon that offers nothing to write with
 */
function legacyStore(presence: Presence, connection: number): Bootstrapped {
  if (lanes.every((lane) => carrierIn(presence, lane) === null)) {
    const { batch, proxy } = capabilities;
    throw new TidemarkError(
      'UNAVAILABLE',
      `${presence.BeaconID} offers none of ` +
        `${[batch, proxy, ...Object.values(legacyCapabilities)].join(', ')}: there is ` +
        'nothing to deliver with',
    );
  }
  return { storeId: storeIn(presence, connection), endpoints: new Map() };
}

async function step<Outputs>(
  { dispatcher, beacon }: BringUpOptions,
  action: string,
  capability: 'schema' | 'management',
  settings: object,
): Promise<Outputs> {
  try {
    return await dispatcher.send<Outputs>(
      beacon,
      capability,
      action,
      settings,
      limits.bootstrapStepMs,
    );
  } catch (cause) {
    throw new TidemarkError('UNAVAILABLE', `${action} failed: ${messageOf(cause)}`, { cause });
  }
}
