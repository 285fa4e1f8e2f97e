/**
 * The capabilities of a fronted retold-databeacon: each action that has an HTTP route. The others
 * are not offered.
 */
import { capabilities } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { bounds } from '../bounds.ts';
import type { Actions } from '../gateway/gateway.ts';
import { tableNameCharsMax } from '../databases/known-tables.ts';
import { connectionAt, type Settings, textAt } from '../settings.ts';
import type { FrontClient } from './front-client.ts';
import type { FrontProxy } from './front-proxy.ts';
import { frontEnsureSchema, frontIntrospectSchema } from './front-schema.ts';
import { FrontTables, objectsAt } from './front-tables.ts';

type Parts = { client: FrontClient; proxy: FrontProxy; log: Log; clock: Clock };

const tableAt = (settings: Settings) => textAt(settings, 'TableName', tableNameCharsMax);

/** Unwraps an answer that a route puts into a member. */
function insideOf(answer: JsonObject, name: string): JsonObject {
  const { [name]: inside } = answer;
  return isJsonObject(inside) ? inside : answer;
}

export function frontActions({ client, proxy, log, clock }: Parts): Actions {
  const tables = new FrontTables(client, log, clock);
  const schema = { client, tables, log, said: new Map<number, string>() };
  return {
    [capabilities.proxy]: { Request: (settings, context) => proxy.request(settings, context) },
    [capabilities.schema]: {
      EnsureSchema: (settings) => frontEnsureSchema(schema, settings),
      IntrospectSchema: (settings) => frontIntrospectSchema(schema, settings),
    },
    [capabilities.management]: {
      Introspect: (settings) => introspect(tables, settings),
      EnableEndpoint: (settings) => tables.enable(connectionAt(settings), tableAt(settings)),
      DisableEndpoint: async (settings) =>
        insideOf(
          await client.manage(
            'POST',
            `/beacon/endpoint/${connectionAt(settings)}/${encodeURIComponent(tableAt(settings))}/disable`,
          ),
          'Result',
        ),
      UpdateProxyConfig: (settings) => proxy.updateConfig(settings),
    },
    [capabilities.access]: {
      ListConnections: async () => ({
        Connections: objectsAt(
          await client.manage('GET', '/beacon/connections'),
          'Connections',
        ).map((row) => ({ ...row, Config: '{}' })),
      }),
      ListTables: async (settings) => ({
        Tables: objectsAt(
          await client.manage('GET', `/beacon/connection/${connectionAt(settings)}/tables`),
          'Tables',
        ),
      }),
      QueryTable: (settings, context) => query(client, settings, context.timeoutMs),
    },
  };
}

/** The route returns no columns; they are fetched per table, when one is asked for. */
async function introspect(tables: FrontTables, settings: Settings): Promise<object> {
  const connection = connectionAt(settings);
  const answer = await tables.introspect(connection, true);
  if (settings['TableName'] === undefined)
    return { TableCount: answer['TableCount'] ?? 0, Tables: objectsAt(answer, 'Tables') };
  return { TableCount: 1, Tables: [await tables.table(connection, tableAt(settings))] };
}

/**
 * The server only checks that the text starts with SELECT. Whoever may use this may therefore read
 * everything, and more.
 */
async function query(client: FrontClient, settings: Settings, timeoutMs: number): Promise<object> {
  const sql = textAt(settings, 'SQL', bounds.queryCharsMax);
  if (!/^\s*select\b/i.test(sql) || sql.trimEnd().replace(/;$/, '').includes(';'))
    throw new TidemarkError('INVALID_MESSAGE', 'Only SELECT queries are allowed.');
  const answer = await client.manage(
    'POST',
    `/beacon/connection/${connectionAt(settings)}/query`,
    Math.min(timeoutMs, bounds.queryMs),
    { SQL: sql },
  );
  const rows = objectsAt(answer, 'Rows').slice(0, bounds.queryRowsMax);
  return { Rows: rows, RowCount: rows.length };
}
