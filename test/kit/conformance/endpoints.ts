/**
 * Table endpoints over any database, without a bus: MeadowProxy.Request as a worker or a browser
 * asks it.
 */
import { onTestFinished } from 'vitest';
import { persistenceSchema, type SchemaDescriptor } from '../../../contracts/schema.ts';
import type { DatabaseConnection } from '../../../beacon/databases/connections.ts';
import { enableEndpoint } from '../../../beacon/capabilities/management.ts';
import { Proxy } from '../../../beacon/capabilities/proxy.ts';
import { ensureSchema } from '../../../beacon/capabilities/schema-manager.ts';
import { ManualClock } from '../manual-clock.ts';
import type { Place, RunningBackend } from './backends.ts';
import { now, openAt } from './desk.ts';

export type JsonRow = Record<string, unknown>;
export type Reply = { status: number; body: JsonRow & JsonRow[] };

/** `call` takes the path behind the connection: `T/1`, `Ts/FilteredTo/...`. */
export type Endpoints = {
  place: Place;
  connection: DatabaseConnection;
  clock: ManualClock;
  call: (method: string, path: string, body?: unknown) => Promise<Reply>;
  /** The rows of a list. @throws where the answer is none */
  list: (path: string) => Promise<JsonRow[]>;
  /** For those that are not closed with a test. */
  close: () => Promise<void>;
};

/** Endpoints for one test. */
export async function endpointsFor(...given: Parameters<typeof openEndpoints>): Promise<Endpoints> {
  const endpoints = await openEndpoints(...given);
  onTestFinished(() => endpoints.close());
  return endpoints;
}

/**
 * Endpoints of all tables of a descriptor on a fresh database, or on one a test prepared. Time
 * stands still.
 */
export async function openEndpoints(
  backend: RunningBackend,
  prepare: (place: Place) => Promise<unknown> = async () => undefined,
  descriptor: SchemaDescriptor = persistenceSchema,
): Promise<Endpoints> {
  const place = await backend.fresh();
  await prepare(place);
  const opened = openAt(place.url);
  const { connection, connections, state } = opened;
  await ensureSchema(connection.engine, 'ultravisor', descriptor);
  connections.rememberDefaults(
    connection,
    new Map(descriptor.Tables.map((table) => [table.Scope, table.DefaultObject ?? {}])),
  );
  for (const table of descriptor.Tables)
    await enableEndpoint(connections, connection, { TableName: table.Scope }).catch(
      () => undefined,
    );
  const clock = new ManualClock(Date.parse(now));
  const proxy = new Proxy(state, connections, clock, true);
  const call: Endpoints['call'] = async (method, path, body) => {
    const outputs = await proxy.request(
      {
        Method: method,
        Path: `/1.0/${connection.routeHash}/${path}`,
        ...(body === undefined ? {} : { Body: JSON.stringify(body) }),
      },
      30_000,
    );
    return {
      status: outputs.Status,
      body: (outputs.Body === '' ? null : JSON.parse(outputs.Body)) as Reply['body'],
    };
  };
  const list: Endpoints['list'] = async (path) => {
    const { status, body } = await call('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  };
  return { place, connection, clock, call, list, close: () => opened.close() };
}

/** A value as a careful sender puts it into a filter. */
export function encoded(value: string): string {
  return encodeURIComponent(value).replaceAll('~', '%7E');
}
