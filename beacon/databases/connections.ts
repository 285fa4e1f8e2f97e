/**
 * The databases this beacon fronts, by number and by the name in their paths, with what is
 * remembered of each.
 */
import type { ConnectionPresence } from '../../contracts/presence.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { bounds } from '../bounds.ts';
import { parseDatabaseUrl } from './config.ts';
import type { DefaultObject, Engine } from '../engine/engine.ts';
import { openEngine } from './open-engine.ts';
import type { BeaconState, ConnectionRecord } from './state.ts';
import { Turns } from './turns.ts';

/** One database. `endpoints` are the tables that answer over MeadowProxy. */
export type DatabaseConnection = {
  id: number;
  name: string;
  /** The name as a part of a path. */
  routeHash: string;
  engine: Engine;
  endpoints: Set<string>;
  /** A new map after each change. */
  defaults: ReadonlyMap<string, DefaultObject>;
  applies: Turns;
};

/** A connection's name as a part of a path: lower case, anything but letters and digits a dash. */
export function routeHashOf(name: string): string {
  return (
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 64)
      .replace(/-+$/, '') || 'connection'
  );
}

/**
 * The n-th URL is connection n, named after its database; a name that is taken gets the number
 * behind it. What is kept has no secret.
 */
function startRecords(
  urls: readonly string[],
  requested: readonly ConnectionRecord[],
): ConnectionRecord[] {
  const taken = new Set(requested.map((record) => routeHashOf(record.Name)));
  return urls.map((url, at) => {
    const { name: given, label } = parseDatabaseUrl(url);
    const base = routeHashOf(given);
    const name = taken.has(base) ? `${base.slice(0, 50)}-${at + 1}` : base;
    taken.add(name);
    return { IDBeaconConnection: at + 1, Name: name, Url: label, Origin: 'start', Description: '' };
  });
}

export class Connections {
  readonly #state: BeaconState;
  readonly #onChange: () => void;
  /** As they were given, with their secrets: the n-th is connection n. */
  readonly #urls: readonly string[];
  readonly #byId = new Map<number, DatabaseConnection>();

  /** `onChange` is called when a database appeared or was found replaced. */
  constructor(state: BeaconState, urls: readonly string[], onChange: () => void) {
    this.#state = state;
    this.#onChange = onChange;
    this.#urls = urls;
    const requested = state.connections().filter((record) => record.Origin === 'request');
    state.replaceStart(startRecords(urls, requested));
    for (const record of state.connections()) this.#add(record);
  }

  #add(record: ConnectionRecord): DatabaseConnection {
    const connection: DatabaseConnection = {
      id: record.IDBeaconConnection,
      name: record.Name,
      routeHash: routeHashOf(record.Name),
      engine: openEngine(parseDatabaseUrl(this.#urlOf(record)), this.#onChange),
      endpoints: new Set(this.#state.endpoints(record.IDBeaconConnection)),
      defaults: this.#state.defaults(record.IDBeaconConnection),
      applies: new Turns({
        runningMax: bounds.appliesMax,
        laneWaitingMax: bounds.laneAppliesWaitingMax,
        waitingMax: bounds.appliesWaitingMax,
        retryAfterMs: bounds.databaseRetryMs,
      }),
    };
    this.#byId.set(connection.id, connection);
    return connection;
  }

  #urlOf(record: ConnectionRecord): string {
    return (
      (record.Origin === 'start' ? this.#urls[record.IDBeaconConnection - 1] : undefined) ??
      record.Url
    );
  }

  all(): DatabaseConnection[] {
    return [...this.#byId.values()];
  }

  /** @throws TidemarkError NOT_FOUND */
  get(id: number): DatabaseConnection {
    const connection = this.#byId.get(id);
    if (connection) return connection;
    throw new TidemarkError(
      'NOT_FOUND',
      `there is no connection ${id}; this beacon has ${[...this.#byId.keys()].join(', ') || 'none'}`,
    );
  }

  byRoute(routeHash: string): DatabaseConnection | null {
    return this.all().find((connection) => connection.routeHash === routeHash) ?? null;
  }

  /**
   * Adds a connection, or gives the one of that name.
   * @throws TidemarkError CONFLICT when its path is another's, INVALID_MESSAGE for the beacon's own
   * file, which holds secrets, OVERLOADED at the bound
   */
  create(
    name: string,
    url: string,
    description: string,
  ): { connection: DatabaseConnection; isNew: boolean } {
    const known = this.all().find((connection) => connection.name === name);
    if (known) return { connection: known, isNew: false };
    const other = this.byRoute(routeHashOf(name));
    if (other)
      throw new TidemarkError(
        'CONFLICT',
        `the name ${name} would have the path of connection ${other.id} (${other.name})`,
      );
    if (this.#byId.size >= bounds.connectionsMax)
      throw new TidemarkError(
        'OVERLOADED',
        `there are ${this.#byId.size} connections, at most ${bounds.connectionsMax}`,
      );
    const database = parseDatabaseUrl(url);
    if (database.kind === 'sqlite' && this.#state.owns(database.path))
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `${database.path} is the beacon's own file, and no database to be had`,
      );
    const id = Math.max(bounds.createdConnectionsFrom - 1, ...this.#byId.keys()) + 1;
    const record: ConnectionRecord = {
      IDBeaconConnection: id,
      Name: name,
      Url: url,
      Origin: 'request',
      Description: description,
    };
    this.#state.addConnection(record);
    return { connection: this.#add(record), isNew: true };
  }

  /** Idempotent; acts at once and is kept. */
  setEndpoint(connection: DatabaseConnection, table: string, isEnabled: boolean): void {
    this.#state.setEndpoint(connection.id, table, isEnabled);
    if (isEnabled) connection.endpoints.add(table);
    else connection.endpoints.delete(table);
  }

  rememberDefaults(
    connection: DatabaseConnection,
    defaults: ReadonlyMap<string, DefaultObject>,
  ): void {
    const merged = new Map([...connection.defaults, ...defaults]);
    if (JSON.stringify([...merged]) === JSON.stringify([...connection.defaults])) return;
    this.#state.putDefaults(connection.id, defaults);
    connection.defaults = merged;
  }

  /** What presence says of each; opens again what was lost. */
  presence(): Promise<ConnectionPresence[]> {
    return Promise.all(
      this.all().map(async ({ id, name, engine }) => {
        const { isConnected, storeId } = await engine.check();
        return {
          IDBeaconConnection: id,
          Name: name,
          Engine: engine.kind,
          Connected: isConnected,
          StoreID: storeId,
        };
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.all().map((connection) => connection.engine.close()));
  }
}
