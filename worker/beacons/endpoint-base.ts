/**
 * Where a table's endpoint lies at a beacon that does not say it again once it is enabled: worked
 * out from its connection's name, and tried.
 */
import type { EnableEndpointOutputs, ProxyOutputs } from '../../contracts/capability.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import type { Dispatcher } from './dispatcher.ts';

export type EndpointPlace = {
  beacon: string;
  connection: number;
  /** As presence reports it; empty when it does not. */ name: string;
};

/**
 * The incumbent makes the part of the path from the connection's name: lower case, and a dash for
 * everything else.
 */
function routesOf(name: string): string[] {
  const lower = name.toLowerCase();
  return [
    lower.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, ''),
    lower.replaceAll(/[^a-z0-9]/g, '-'),
  ];
}

/** `/1.0/<Table>` is not among them: tables of all connections would meet there. */
async function candidatesOf(
  dispatcher: Dispatcher,
  { beacon, connection, name }: EndpointPlace,
): Promise<string[]> {
  const names = [name];
  try {
    const { Connections: rows } = await dispatcher.send<{ Connections?: unknown }>(
      beacon,
      'access',
      'ListConnections',
      {},
    );
    for (const row of Array.isArray(rows) ? rows : []) {
      if (isJsonObject(row) && row['IDBeaconConnection'] === connection)
        names.push(String(row['Name'] ?? ''));
    }
  } catch (error) {
    // A beacon without DataBeaconAccess is not asked twice; presence may have reported the name.
    if (!(error instanceof TidemarkError)) throw error;
  }
  return [
    ...new Set([...names.filter((one) => one !== '').flatMap(routesOf), `conn-${connection}`]),
  ]
    .filter((route) => route !== '')
    .map((route) => `/1.0/${route}`);
}

/**
 * The base of an enabled endpoint: as the beacon says, or the first place where the table answers.
 * @throws TidemarkError UNAVAILABLE when it answers nowhere
 */
export async function endpointBaseOf(
  dispatcher: Dispatcher,
  place: EndpointPlace,
  table: string,
  outputs: Partial<EnableEndpointOutputs>,
): Promise<string> {
  if (outputs.EndpointBase) return outputs.EndpointBase;
  const candidates = await candidatesOf(dispatcher, place);
  const answers: string[] = [];
  for (const candidate of candidates) {
    const base = `${candidate}/${table}`;
    const answer = await statusOf(dispatcher, place.beacon, `${base}s/0/1`);
    if (answer === '200') return base;
    answers.push(`${base}: ${answer}`);
  }
  throw new TidemarkError(
    'UNAVAILABLE',
    `EnableEndpoint failed: ${place.beacon} names no EndpointBase for ${table}, and it is not at ${answers.join(', ')}`,
  );
}

async function statusOf(dispatcher: Dispatcher, beacon: string, path: string): Promise<string> {
  try {
    return String(
      (
        await dispatcher.send<ProxyOutputs>(beacon, 'proxy', 'Request', {
          Method: 'GET',
          Path: path,
        })
      ).Status,
    );
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'INVALID_MESSAGE') return messageOf(error);
    throw error;
  }
}
