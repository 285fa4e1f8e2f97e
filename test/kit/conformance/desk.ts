/**
 * What a conformance test works with: an engine as the beacon opens it, a hub of its own, mutations
 * for it, and its rows as the database says.
 */
import { onTestFinished } from 'vitest';
import { type DatabaseConnection, Connections } from '../../../beacon/databases/connections.ts';
import { CreatedRules } from '../../../beacon/databases/created-rules.ts';
import {
  type ApplyBatch,
  type DefaultObject,
  type Engine,
  markTable,
} from '../../../beacon/engine/engine.ts';
import { ensureSchema } from '../../../beacon/capabilities/schema-manager.ts';
import { BeaconState } from '../../../beacon/databases/state.ts';
import type { ApplyOutputs } from '../../../contracts/capability.ts';
import type { RowMutation } from '../../../contracts/mutation.ts';
import {
  persistenceSchema,
  type Scalar,
  type SchemaDescriptor,
} from '../../../contracts/schema.ts';
import { tempDir } from '../temp-dir.ts';
import type { LookRow } from '../servers/test-database.ts';
import type { Place, RunningBackend } from './backends.ts';

export const now = '2026-11-21T08:00:00.000Z';
export const later = '2026-11-21T09:00:00.123Z';
export const defaults: ReadonlyMap<string, DefaultObject> = new Map(
  persistenceSchema.Tables.map((table) => [table.Scope, table.DefaultObject ?? {}]),
);

export type Opened = {
  engine: Engine;
  connection: DatabaseConnection;
  connections: Connections;
  state: BeaconState;
};

/** A beacon's view of a database, closed with the test or by the caller. */
export function openAt(url: string): Opened & { close(): Promise<void> } {
  const folder = tempDir('beacon');
  const state = BeaconState.open(folder.path);
  const connections = new Connections({
    state,
    urls: [url],
    rules: new CreatedRules(null),
    onChange: () => undefined,
  });
  const connection = connections.get(1);
  let closed: Promise<void> | null = null;
  const close = async () => {
    await connections.close();
    state.close();
    folder[Symbol.dispose]();
  };
  return {
    engine: connection.engine,
    connection,
    connections,
    state,
    close: () => (closed ??= close()),
  };
}

/** The same for one test. */
export function openFor(place: Place): Opened {
  const opened = openAt(place.url);
  onTestFinished(() => opened.close());
  return opened;
}

/**
 * A database with the persistence schema, shared by the tests of a file: each has a hub of its own.
 */
export class Shared implements AsyncDisposable {
  readonly backend: RunningBackend;
  readonly place: Place;
  readonly #opened: ReturnType<typeof openAt>;
  #hubs = 0;

  private constructor(backend: RunningBackend, place: Place) {
    this.backend = backend;
    this.place = place;
    this.#opened = openAt(place.url);
  }

  static async start(start: () => Promise<RunningBackend>): Promise<Shared> {
    const backend = await start();
    try {
      const shared = new Shared(backend, await backend.fresh());
      await ensureSchema(shared.#opened.engine, 'ultravisor', persistenceSchema);
      return shared;
    } catch (error) {
      await backend[Symbol.asyncDispose]();
      throw error;
    }
  }

  get engine(): Engine {
    return this.#opened.engine;
  }

  /** A desk of a hub nobody else uses. */
  desk(): Desk {
    return new Desk(this.#opened.engine, this.place, `hub${++this.#hubs}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.close();
    await this.backend[Symbol.asyncDispose]();
  }
}

/** A desk on a fresh database. */
export async function freshDesk(
  backend: RunningBackend,
  prepare: (place: Place) => Promise<unknown> = async () => undefined,
  schema: SchemaDescriptor = persistenceSchema,
): Promise<Desk> {
  const place = await backend.fresh();
  await prepare(place);
  const { engine } = openFor(place);
  await ensureSchema(engine, 'ultravisor', schema);
  return new Desk(engine, place, 'hub1');
}

type Set = Record<string, Scalar>;

export class Desk {
  readonly engine: Engine;
  readonly place: Place;
  readonly hub: string;

  constructor(engine: Engine, place: Place, hub: string) {
    this.engine = engine;
    this.place = place;
    this.hub = hub;
  }

  workItem(hash: string, seq: number, set: Set = {}, more: Partial<RowMutation> = {}): RowMutation {
    return {
      Op: 'write',
      Table: 'UVQueueWorkItem',
      Key: { HubID: this.hub, WorkItemHash: hash },
      Seq: seq,
      Set: set,
      ...more,
    };
  }

  /** `guid` is made the hub's own: the key of events has no hub in it. */
  event(guid: string, seq: number, set: Set = {}, more: Partial<RowMutation> = {}): RowMutation {
    return {
      Op: 'insert',
      Table: 'UVQueueWorkItemEvent',
      Key: { EventGUID: this.guid(guid) },
      Seq: seq,
      Set: { HubID: this.hub, ...set },
      ...more,
    };
  }

  attempt(
    hash: string,
    number: number,
    seq: number,
    set: Set = {},
    more: Partial<RowMutation> = {},
  ): RowMutation {
    return {
      Op: 'write',
      Table: 'UVQueueWorkItemAttempt',
      Key: { HubID: this.hub, WorkItemHash: hash, AttemptNumber: number },
      Seq: seq,
      Set: set,
      ...more,
    };
  }

  manifest(hash: string, seq: number, set: Set = {}, more: Partial<RowMutation> = {}): RowMutation {
    return {
      Op: 'write',
      Table: 'UVManifest',
      Key: { HubID: this.hub, Hash: hash },
      Seq: seq,
      Set: set,
      ...more,
    };
  }

  removal(hash: string, seq: number, more: Partial<RowMutation> = {}): RowMutation {
    return {
      Op: 'delete',
      Table: 'UVManifest',
      Key: { HubID: this.hub, Hash: hash },
      Seq: seq,
      Set: {},
      ...more,
    };
  }

  guid(name: string): string {
    return `${this.hub}.${name}`;
  }

  batch(mutations: RowMutation[], more: Partial<ApplyBatch> = {}): ApplyBatch {
    const throughSeq = Math.max(0, ...mutations.map((mutation) => mutation.Seq));
    return {
      hubId: this.hub,
      lane: 'queue',
      epoch: 'epoch-1',
      throughSeq,
      isBelowMark: false,
      mutations,
      defaults,
      now,
      ...more,
    };
  }

  apply(mutations: RowMutation[], more: Partial<ApplyBatch> = {}): Promise<ApplyOutputs> {
    return this.engine.apply(this.batch(mutations, more));
  }

  /** Outcomes in order; reasons stand behind those that have one. */
  async outcomes(mutations: RowMutation[], more: Partial<ApplyBatch> = {}): Promise<string[]> {
    return (await this.apply(mutations, more)).Results.map((result) => result.Outcome);
  }

  /**
   * Rows of this hub as the database says, in the order of their Seq; all columns, or those named.
   */
  rows(table: string, ...columns: string[]): Promise<LookRow[]> {
    const list = columns.length === 0 ? '*' : columns.map((column) => `"${column}"`).join(', ');
    return this.place.query(
      `select ${list} from "${table}" where "HubID" = '${this.hub}' order by ` +
        `"${table === markTable ? 'Lane' : 'BridgeSeq'}" ${table === markTable ? 'desc' : ''}`,
    );
  }
}
