/**
 * A running databeacon in front of any engine, asked over a real bus: what a worker needs of it,
 * what it says of its database, and that no secret leaves it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ApplyOutputs,
  capabilities,
  type EnableEndpointOutputs,
  type EnsureSchemaOutputs,
  type MarkOutputs,
  type ProxyOutputs,
} from '../../../../contracts/capability.ts';
import {
  type ConnectionPresence,
  decodePresence,
  type Presence,
} from '../../../../contracts/presence.ts';
import { persistenceSchema } from '../../../../contracts/schema.ts';
import type { Bus } from '../../../../runtime/bus/bus.ts';
import { type Ask, askOf, connect } from '../../beacon/with-bus.ts';
import { TestNats } from '../../servers/nats.ts';
import { TidemarkProcess } from '../../processes/processes.ts';
import { type TempDir, tempDir } from '../../temp-dir.ts';
import { until } from '../../until.ts';
import type { Place } from '../backends.ts';
import { Desk, type Shared } from '../desk.ts';

const { batch, proxy, schema, management, access } = capabilities;
const at = { IDBeaconConnection: 1 };

/** A databeacon of its own process in front of one database, and what it says of itself. */
class Running implements AsyncDisposable {
  readonly place: Place;
  readonly beacon: TidemarkProcess;
  readonly ask: Ask;
  readonly #folder: TempDir;
  readonly #nats: TestNats;
  readonly #bus: Bus;
  #heard: Presence | null = null;

  private constructor(place: Place, nats: TestNats, bus: Bus) {
    this.place = place;
    this.#folder = tempDir('databeacon');
    this.#nats = nats;
    this.#bus = bus;
    this.ask = askOf(bus, 'db-c');
    bus.subscribe('mesh.presence.*', (value) => {
      this.#heard = decodePresence(value);
    });
    this.beacon = new TidemarkProcess([
      'beacon',
      '--id',
      'db-c',
      '--db',
      place.url,
      '--data',
      this.#folder.at('own'),
      '--nats',
      nats.url,
    ]);
  }

  static async start(place: Place): Promise<Running> {
    const nats = await TestNats.start();
    return new Running(place, nats, await connect(nats, 'asking'));
  }

  /** The next word of the beacon about its database for which this holds. */
  says(
    what: string,
    isSo: (connection: ConnectionPresence) => boolean,
  ): Promise<ConnectionPresence> {
    this.#heard = null;
    return until(
      what,
      () => (this.#heard?.Status === 'Online' ? this.#heard.Connections.find(isSo) : undefined),
      { deadlineMs: 15_000 },
    );
  }

  get heard(): Presence | null {
    return this.#heard;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.beacon.kill();
    await this.#bus.close();
    await this.#nats[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

export function processSuite(on: () => Shared, isServer: boolean): void {
  describe('a running databeacon', () => {
    let running: Running | undefined;
    const its = (): Running => {
      if (!running) throw new Error('the databeacon was not started');
      return running;
    };
    beforeAll(async () => {
      running = await Running.start(await on().backend.fresh());
    }, 60_000);
    afterAll(() => running?.[Symbol.asyncDispose]());

    servingTests(on, its);
    test.for(isServer ? [{ kill: killServer }] : [])(
      'says that its server is away, and that it is back, and goes on',
      { timeout: 45_000 },
      ({ kill }) => kill(on, its()),
    );

    test('no secret of its database is told or logged', async () => {
      const { ask, beacon, heard } = its();
      const told = [
        heard,
        await ask(access, 'ListConnections'),
        await ask(management, 'Introspect', at),
        await ask(access, 'ListTables', at),
      ];
      expect(JSON.stringify(told)).not.toContain('not-a-secret');
      expect(beacon.stdout + beacon.stderr).not.toContain('not-a-secret');
    });
  });
}

function servingTests(on: () => Shared, its: () => Running): void {
  test('names its engine, makes the schema, serves batches, marks, endpoints; killed and restarted too', async () => {
    const { ask, place, beacon } = its();
    const first = await its().says('the beacon is online', (connection) => connection.Connected);
    expect(first).toMatchObject({
      IDBeaconConnection: 1,
      Engine: on().backend.kind,
      Connected: true,
      StoreID: '',
    });
    const ensured = await ask<EnsureSchemaOutputs>(schema, 'EnsureSchema', {
      ...at,
      SchemaName: 'ultravisor',
      SchemaJSON: persistenceSchema,
    });
    expect(ensured).toMatchObject({ Success: true, Engine: on().backend.kind });
    expect(
      (await its().says('the identity is told', (connection) => connection.StoreID !== '')).StoreID,
    ).toBe(ensured.StoreID);
    const d = new Desk(on().engine, place, 'hub1');
    const Settings = {
      ...at,
      HubID: 'hub1',
      Lane: 'queue',
      Epoch: 'e1',
      ThroughSeq: 3,
      Mutations: [
        d.workItem('a', 1, { Health: 0.5, CancelRequested: true }),
        d.event('e', 2),
        d.workItem('é ', 3),
      ],
    };
    expect(await ask<ApplyOutputs>(batch, 'Apply', Settings)).toMatchObject({
      IsCommitted: true,
      Results: [{ Outcome: 'applied' }, { Outcome: 'applied' }, { Outcome: 'applied' }],
      Mark: { Seq: 3 },
    });
    expect(
      await ask<MarkOutputs>(batch, 'Mark', { ...at, HubID: 'hub1', Lane: 'queue' }),
    ).toMatchObject({ Mark: { Epoch: 'e1', Seq: 3 }, StoreID: ensured.StoreID });
    expect(
      (await ask<MarkOutputs>(batch, 'Mark', { ...at, HubID: 'hub2', Lane: 'queue' })).Mark,
    ).toBeNull();
    const { EndpointBase } = await ask<EnableEndpointOutputs>(management, 'EnableEndpoint', {
      ...at,
      TableName: 'UVQueueWorkItem',
    });
    const reply = await ask<ProxyOutputs>(proxy, 'Request', {
      Method: 'GET',
      Path: `${EndpointBase}s/FilteredTo/FBV~WorkItemHash~EQ~a`,
    });
    expect([reply.Status, JSON.parse(reply.Body)]).toMatchObject([
      200,
      [{ WorkItemHash: 'a', Health: 0.5, CancelRequested: 1, BridgeSeq: 1, HubID: 'hub1' }],
    ]);
    const before = await its().says('the beacon is online', (connection) => connection.Connected);
    await beacon.kill();
    beacon.restart();
    expect(await its().says('the beacon is back', (connection) => connection.Connected)).toEqual(
      before,
    );
    expect(
      await ask<ProxyOutputs>(proxy, 'Request', { Method: 'GET', Path: `${EndpointBase}s/Count` }),
    ).toMatchObject({ Status: 200, Body: '{"Count":2}' });
  });
}

async function killServer(on: () => Shared, running: Running): Promise<void> {
  const { server } = on().backend;
  await running.ask(schema, 'EnsureSchema', { ...at, SchemaJSON: persistenceSchema });
  await server?.kill();
  await running.says('the database is told to be away', (connection) => !connection.Connected);
  const Settings = {
    ...at,
    HubID: 'hub1',
    Lane: 'queue',
    Epoch: 'e1',
    ThroughSeq: 4,
    Mutations: [new Desk(on().engine, running.place, 'hub1').workItem('b', 4)],
  };
  await expect(running.ask(batch, 'Apply', Settings)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  });
  await server?.start();
  await running.says(
    'the database is told to be back',
    (connection) => connection.Connected && connection.StoreID !== '',
  );
  expect(await running.ask<ApplyOutputs>(batch, 'Apply', Settings)).toMatchObject({
    IsCommitted: true,
    Results: [{ Outcome: 'applied' }],
  });
}
