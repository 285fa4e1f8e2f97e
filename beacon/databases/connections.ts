/**
 * The databases this beacon fronts, by number and by the name in their paths, with what is
 * remembered of each.
 */
import type { ConnectionPresence } from '../../contracts/presence.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { bounds } from '../bounds.ts';
import { parseDatabaseUrl } from './config.ts';
import { withoutSecret } from './connection-config.ts';
import type { DefaultObject, Engine } from '../engine/engine.ts';
import type { CreatedRules } from './created-rules.ts';
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

export type ConnectionsOptions = {
  state: BeaconState;
  /** As they were given at the start; the n-th is connection n. */
  urls: readonly string[];
  /** What those made by request may reach. */
  rules: CreatedRules;
  /** A database appeared or was found replaced. */
  onChange: () => void;
  /** One that was made by request before may not be opened today. */
  onLeftOut?: (name: string, reason: string) => void;
};

export class Connections {
  readonly #state: BeaconState;
  readonly #onChange: () => void;
  readonly #rules: CreatedRules;
  /** Names of those that are kept and may not be opened today. */
  readonly #leftOut = new Set<string>();
  #isCreating = false;
  /** As they were given, with their secrets: the n-th is connection n. */
  readonly #urls: readonly string[];
  readonly #byId = new Map<number, DatabaseConnection>();

  constructor({ state, urls, rules, onChange, onLeftOut }: ConnectionsOptions) {
    this.#state = state;
    this.#onChange = onChange;
    this.#urls = urls;
    this.#rules = rules;
    const requested = state.connections().filter((record) => record.Origin === 'request');
    state.replaceStart(startRecords(urls, requested));
    for (const record of state.connections()) {
      try {
        this.#add(record, this.#open(record));
      } catch (error) {
        if (record.Origin === 'start') throw error;
        this.#leftOut.add(record.Name);
        onLeftOut?.(record.Name, messageOf(error));
      }
    }
  }

  /** What was made by request is held to the rules of today, also where it was kept before. */
  #open(record: ConnectionRecord): Engine {
    if (record.Origin === 'start')
      return openEngine(parseDatabaseUrl(this.#urlOf(record)), this.#onChange);
    return openEngine(this.#rules.parse(record.Url), this.#onChange, (path) =>
      this.#rules.assertFile(path),
    );
  }

  #add(record: ConnectionRecord, engine: Engine): DatabaseConnection {
    const connection: DatabaseConnection = {
      id: record.IDBeaconConnection,
      name: record.Name,
      routeHash: routeHashOf(record.Name),
      engine,
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
   * Adds a connection once its database was reached, or gives the one of that name. One at a time.
   * @throws TidemarkError FORBIDDEN when that is switched off, CONFLICT when its path is another's,
   * INVALID_MESSAGE for what may not be reached, UNAVAILABLE for what cannot, OVERLOADED at the
   * bound
   */
  async create(
    name: string,
    url: string,
    description: string,
  ): Promise<{ connection: DatabaseConnection; isNew: boolean }> {
    const known = this.all().find((connection) => connection.name === name);
    if (known) return { connection: known, isNew: false };
    if (this.#isCreating)
      throw new TidemarkError('OVERLOADED', 'another connection is being tried', {
        retryAfterMs: bounds.databaseRetryMs,
      });
    this.#isCreating = true;
    try {
      return { connection: await this.#create(name, url, description), isNew: true };
    } finally {
      this.#isCreating = false;
    }
  }

  async #create(name: string, url: string, description: string): Promise<DatabaseConnection> {
    const database = this.#rules.parse(url);
    this.#assertPlace(name);
    const record: ConnectionRecord = {
      IDBeaconConnection: this.#nextId(),
      Name: name,
      Url: database.kind === 'sqlite' ? database.label : database.url,
      Origin: 'request',
      Description: description,
    };
    const engine = this.#open(record);
    const health = await engine.check();
    if (health.isConnected) {
      this.#state.addConnection(record);
      return this.#add(record, engine);
    }
    await engine.close();
    throw new TidemarkError(
      'UNAVAILABLE',
      `the database was not reached, and nothing was kept: ${withoutSecret(health.reason, url)}`,
    );
  }

  #assertPlace(name: string): void {
    if (this.#leftOut.has(name))
      throw new TidemarkError(
        'CONFLICT',
        `the connection ${name} is kept from before, and may not be opened; take another name`,
      );
    const other = this.byRoute(routeHashOf(name));
    if (other)
      throw new TidemarkError(
        'CONFLICT',
        `the name ${name} would have the path of connection ${other.id} (${other.name})`,
      );
    const count = this.#byId.size + this.#leftOut.size;
    if (count >= bounds.connectionsMax)
      throw new TidemarkError(
        'OVERLOADED',
        `there are ${count} connections, at most ${bounds.connectionsMax}`,
      );
  }

  #nextId(): number {
    const ids = this.#state.connections().map((record) => record.IDBeaconConnection);
    return Math.max(bounds.createdConnectionsFrom - 1, ...ids) + 1;
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
