/**
 * Tables of a fronted server's connections: connects those its start left disconnected, lists
 * current tables, and finds their endpoints.
 */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { bounds } from '../bounds.ts';
import { defaultPattern, toPathPattern } from '../endpoints/path-pattern.ts';
import type { FrontClient } from './front-client.ts';
import { FrontLooks } from './front-looks.ts';

/**
 * Tables of connections are under a lower-case path segment. The server's own, which hold
 * passwords, are not, and no pattern may open those.
 */
export const connectionPath = toPathPattern(defaultPattern);

export type FrontColumn = { name: string; nativeType: string; charsMax: number | null };

export function objectsAt(answer: JsonObject, name: string): JsonObject[] {
  const { [name]: list } = answer;
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
}

export class FrontTables {
  readonly #client: FrontClient;
  readonly #log: Log;
  readonly #looks: FrontLooks;

  constructor(client: FrontClient, log: Log, clock: Clock) {
    this.#client = client;
    this.#log = log;
    this.#looks = new FrontLooks((connection) => this.#introspect(connection), clock);
  }

  /**
   * Makes the server inspect its database and returns the existing tables.
   * @param mayRepeat as in `FrontLooks.look`
   * @throws TidemarkError as `FrontClient.manage`, UNAVAILABLE while it takes long
   */
  introspect(connection: number, mayRepeat = false): Promise<JsonObject> {
    return this.#looks.look(connection, mayRepeat);
  }

  /**
   * At its start the server connects only connections with AutoConnect. Asking for the tables of
   * another means that it should be connected.
   */
  async #introspect(connection: number): Promise<JsonObject> {
    const path = `/beacon/connection/${connection}/introspect`;
    try {
      return await this.#client.manage('POST', path, bounds.lookMs);
    } catch (error) {
      if (!(error instanceof TidemarkError) || !/connection is not live/i.test(error.message))
        throw error;
    }
    this.#log.warn(
      { server: this.#client.label, connection },
      'the server is not connected to this database and is asked to connect; with AutoConnect it would at its start',
    );
    await this.#client.manage('POST', `/beacon/connection/${connection}/connect`);
    return this.#client.manage('POST', path, bounds.lookMs);
  }

  /**
   * Columns of a table from the last introspection. A dropped table keeps its columns here: only
   * `introspect` shows that it is gone.
   */
  async columns(connection: number, table: string): Promise<FrontColumn[]> {
    const answer = await this.table(connection, table);
    return objectsAt(answer, 'Columns').map(({ Name: name, NativeType: type, MaxLength: max }) => ({
      name: String(name),
      nativeType: String(type).toLowerCase(),
      charsMax: typeof max === 'number' ? max : null,
    }));
  }

  table(connection: number, table: string): Promise<JsonObject> {
    return this.#client.manage(
      'GET',
      `/beacon/connection/${connection}/table/${encodeURIComponent(table)}`,
    );
  }

  /**
   * Enables an endpoint and returns its path. The server returns it only the first time; later it
   * is looked up in its list of endpoints.
   * @throws TidemarkError as `FrontClient.manage`, INVALID_MESSAGE for an endpoint among the
   * server's own tables
   */
  async enable(connection: number, table: string): Promise<object> {
    const { Endpoint: given } = await this.#client.manage(
      'POST',
      `/beacon/endpoint/${connection}/${encodeURIComponent(table)}/enable`,
    );
    const endpoint = isJsonObject(given) ? given : {};
    const base = endpoint['EndpointBase'] ?? (await this.#baseOf(connection, table));
    if (typeof base !== 'string') return endpoint;
    if (!connectionPath(`${base}/`))
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `${this.#client.label} has ${table} at ${base}, among its own tables; the ` +
          'connection needs a name that can be a part of the path',
      );
    return { ...endpoint, EndpointBase: base };
  }

  async #baseOf(connection: number, table: string): Promise<unknown> {
    try {
      const endpoints = objectsAt(
        await this.#client.manage('GET', '/beacon/endpoints'),
        'Endpoints',
      );
      return endpoints.find(
        (one) => Number(one['ConnectionID']) === connection && one['TableName'] === table,
      )?.['EndpointBase'];
    } catch (error) {
      // The worker can still derive the path from the connection's name.
      this.#log.warn(
        { server: this.#client.label, table, reason: messageOf(error) },
        'the server does not list its endpoints',
      );
      return undefined;
    }
  }
}
