/** The databeacon on a real bus: presence, refusals, restart, drain. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type {
  ApplyOutputs,
  EnsureSchemaOutputs,
  MarkOutputs,
  ProxyOutputs,
} from '../../../contracts/capability.ts';
import { persistenceSchema } from '../../../contracts/schema.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import type { BeaconConfig } from '../../../beacon/databases/config.ts';
import type { TestNats } from '../../kit/servers/nats.ts';
import { until } from '../../kit/until.ts';
import { rowsIn, workItem } from '../../kit/beacon/fixture.ts';
import { type Kit, startOn, withBus } from '../../kit/beacon/with-bus.ts';

let nats: TestNats;
let bus: Bus;

withBus((...on) => {
  [nats, bus] = on;
});

const start = (more: Partial<BeaconConfig> = {}) => startOn(nats, bus, more);
const ensure = (kit: Kit) =>
  kit.ask<EnsureSchemaOutputs>('DataBeaconSchema', 'EnsureSchema', {
    IDBeaconConnection: 1,
    SchemaName: 'ultravisor',
    SchemaJSON: persistenceSchema,
  });
const applySettings = {
  IDBeaconConnection: 1,
  HubID: 'hub1',
  Lane: 'queue',
  Epoch: 'e',
  ThroughSeq: 2,
  Mutations: [workItem('a', 1), workItem('b', 2)],
};

describe('presence', () => {
  test('is told at once, with what the beacon can do, and again when the database got its identity', async () => {
    const kit = await start({ tags: { PersistenceConnectionID: '1' } });
    const first = await until('first presence', () => kit.heard[0]);
    expect(first).toEqual({
      BeaconID: kit.config.beaconId,
      Status: 'Online',
      Nonce: kit.beacon.nonce,
      HubSubjects: true,
      Tags: { PersistenceConnectionID: '1' },
      Capabilities: [
        'DataBeaconBatch',
        'MeadowProxy',
        'DataBeaconSchema',
        'DataBeaconManagement',
        'DataBeaconAccess',
      ],
      Connections: [
        { IDBeaconConnection: 1, Name: 'backend', Engine: 'sqlite', Connected: true, StoreID: '' },
      ],
    });
    const { StoreID } = await ensure(kit);
    await until('presence with the identity', () =>
      kit.heard.some((one) => one.Connections[0]?.StoreID === StoreID),
    );
  });

  test('tells that a database was deleted, and what it is now', async () => {
    const kit = await start();
    await ensure(kit);
    await until('an identity', () => kit.heard.at(-1)?.Connections[0]?.StoreID);
    rmSync(kit.path);
    await until('no identity', () => kit.heard.at(-1)?.Connections[0]?.StoreID === '');
    await expect(kit.ask('DataBeaconBatch', 'Apply', applySettings)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await ensure(kit);
    expect(await kit.ask<ApplyOutputs>('DataBeaconBatch', 'Apply', applySettings)).toMatchObject({
      IsCommitted: true,
    });
  });

  test('says Draining at the end, once', async () => {
    const kit = await start();
    await Promise.all([kit.beacon.drain(), kit.beacon.drain()]);
    await until('draining', () => kit.heard.some((one) => one.Status === 'Draining'));
    await expect(kit.ask('DataBeaconAccess', 'ListConnections')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });
});

describe('requests', () => {
  test('apply and mark go through the bus into the file, and the user into the audit', async () => {
    const kit = await start();
    const { StoreID } = await ensure(kit);
    expect(
      await kit.ask<MarkOutputs>('DataBeaconBatch', 'Mark', {
        IDBeaconConnection: 1,
        HubID: 'hub1',
        Lane: 'queue',
      }),
    ).toEqual({ Mark: null, StoreID });
    const outputs = await kit.ask<ApplyOutputs>('DataBeaconBatch', 'Apply', {
      ...applySettings,
      Mutations: [{ ...workItem('a', 1), RemoteUser: 'ann' }, workItem('b', 2)],
    });
    expect(outputs).toMatchObject({
      IsCommitted: true,
      Results: [{ Outcome: 'applied' }, { Outcome: 'applied' }],
      Mark: { Epoch: 'e', Seq: 2 },
    });
    expect(
      await kit.ask<MarkOutputs>('DataBeaconBatch', 'Mark', {
        IDBeaconConnection: 1,
        HubID: 'hub1',
        Lane: 'queue',
      }),
    ).toEqual({ Mark: outputs.Mark, StoreID });
    const applied = () =>
      rowsIn(
        join(kit.config.dataDir, 'beacon.db'),
        "SELECT RemoteUser, Count, Outcome FROM Audit WHERE Action = 'Apply' ORDER BY 1",
      );
    await until('the audit', () => applied().length > 0, { deadlineMs: 2_000 });
    expect(applied()).toEqual([
      { RemoteUser: 'ann', Count: 1, Outcome: 'ok' },
      { RemoteUser: 'ultravisor-system', Count: 1, Outcome: 'ok' },
    ]);
  });

  test('many applies at once are done one after the other', async () => {
    const kit = await start();
    await ensure(kit);
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        kit.ask<ApplyOutputs>('DataBeaconBatch', 'Apply', {
          ...applySettings,
          ThroughSeq: at + 1,
          Mutations: [workItem('one', at + 1, { Priority: at })],
        }),
      ),
    );
    expect(all.every((outputs) => outputs.IsCommitted)).toBe(true);
    expect(rowsIn(kit.path, 'SELECT BridgeSeq, Priority FROM UVQueueWorkItem')).toEqual([
      { BridgeSeq: 20, Priority: 19 },
    ]);
  });

  test.each([
    [
      'DataBeaconBatch',
      'Apply',
      { ...applySettings, IDBeaconConnection: 9 },
      'NOT_FOUND',
      'connection 9',
    ],
    [
      'DataBeaconBatch',
      'Apply',
      { ...applySettings, Lane: 'x' },
      'INVALID_MESSAGE',
      'Settings.Lane',
    ],
    [
      'DataBeaconBatch',
      'Apply',
      { ...applySettings, Mutations: [{ Op: 'drop' }] },
      'INVALID_MESSAGE',
      'Settings.Mutations[0].Op',
    ],
    [
      'DataBeaconBatch',
      'Apply',
      { ...applySettings, Mutations: 'all' },
      'INVALID_MESSAGE',
      'Settings.Mutations',
    ],
    ['DataBeaconBatch', 'Apply', applySettings, 'UNAVAILABLE', 'run EnsureSchema first'],
    ['DataBeaconBatch', 'Nope', {}, 'INVALID_MESSAGE', 'unknown action Nope'],
    ['DataBeaconSchema', 'EnsureSchema', {}, 'INVALID_MESSAGE', 'Settings.IDBeaconConnection'],
    [
      'DataBeaconSchema',
      'EnsureSchema',
      { IDBeaconConnection: 1, SchemaJSON: {} },
      'INVALID_MESSAGE',
      'Settings.SchemaJSON.Tables',
    ],
    [
      'DataBeaconManagement',
      'EnableEndpoint',
      { IDBeaconConnection: 1, TableName: 'Nope' },
      'NOT_FOUND',
      'Introspected table not found: Nope.',
    ],
    [
      'MeadowProxy',
      'Request',
      { Path: '/1.0/x/y' },
      'INVALID_MESSAGE',
      'MeadowProxy: Method is required.',
    ],
  ])(
    '%s.%s is refused with a code and a reason (%#)',
    async (capability, action, settings, code, reason) => {
      const kit = await start();
      await expect(kit.ask(capability, action, settings)).rejects.toMatchObject({
        code,
        message: expect.stringContaining(reason) as string,
      });
    },
  );

  test('a beacon without batch says so, and serves the proxy', async () => {
    const kit = await start({ isBatchOn: false });
    expect((await until('presence', () => kit.heard[0])).Capabilities).not.toContain(
      'DataBeaconBatch',
    );
    await expect(kit.ask('DataBeaconBatch', 'Apply', applySettings)).rejects.toThrow(
      'switched off',
    );
    await ensure(kit);
    const { EndpointBase } = await kit.ask<{ EndpointBase: string }>(
      'DataBeaconManagement',
      'EnableEndpoint',
      { IDBeaconConnection: 1, TableName: 'UVManifest' },
    );
    const outputs = await kit.ask<ProxyOutputs>('MeadowProxy', 'Request', {
      Method: 'POST',
      Path: EndpointBase,
      Body: JSON.stringify({ HubID: 'h', Hash: 'm' }),
    });
    expect(outputs.Status).toBe(200);
  });

  test('databases can be looked at and added', async () => {
    const kit = await start();
    await ensure(kit);
    await kit.ask('DataBeaconBatch', 'Apply', applySettings);
    expect(await kit.ask('DataBeaconAccess', 'ListConnections')).toMatchObject({
      Connections: [{ IDBeaconConnection: 1, Name: 'backend', Type: 'SQLite', Config: '{}' }],
    });
    const { Tables } = await kit.ask<{ Tables: object[] }>('DataBeaconAccess', 'ListTables', {
      IDBeaconConnection: 1,
    });
    expect(Tables).toContainEqual({
      TableName: 'UVQueueWorkItem',
      EndpointsEnabled: false,
      RowCountEstimate: 2,
    });
    expect(
      await kit.ask('DataBeaconAccess', 'ReadRecords', {
        IDBeaconConnection: 1,
        TableName: 'UVQueueWorkItem',
        Begin: 1,
      }),
    ).toMatchObject({ Count: 1, Records: [{ WorkItemHash: 'b' }] });
    const { Tables: facts } = await kit.ask<{
      Tables: { TableName: string; Columns: { Name: string }[] }[];
    }>('DataBeaconManagement', 'Introspect', { IDBeaconConnection: 1 });
    expect(facts.map((table) => table.TableName)).not.toContain('UVBridgeStore');
    expect(facts.find((table) => table.TableName === 'UVManifest')?.Columns).toContainEqual({
      Name: 'Status',
      NativeType: 'VARCHAR(32)',
      MaxLength: 32,
      Nullable: false,
      IsPrimaryKey: false,
      IsAutoIncrement: false,
      DefaultValue: "''",
      MeadowType: 'String',
    });
    const settings = {
      Name: 'Second One',
      Type: 'SQLite',
      Config: { SQLiteFilePath: 'second.sqlite' },
    };
    const made = await kit.ask<{ IDBeaconConnection: number }>(
      'DataBeaconManagement',
      'CreateConnection',
      settings,
    );
    expect(made).toMatchObject({ Created: true, Connected: true });
    expect(await kit.ask('DataBeaconManagement', 'CreateConnection', settings)).toMatchObject({
      IDBeaconConnection: made.IDBeaconConnection,
      Created: false,
    });
  });
});
