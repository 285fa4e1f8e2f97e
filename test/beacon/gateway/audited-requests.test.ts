/** Every request leaves its line in the audit, and no secret in any answer. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Bus } from '../../../runtime/bus/bus.ts';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { readAudit } from '../../../beacon/databases/state.ts';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import type { TestNats } from '../../kit/servers/nats.ts';
import { rowsIn, workItem } from '../../kit/beacon/fixture.ts';
import { startOn, withBus } from '../../kit/beacon/with-bus.ts';

type Asking = (
  capability: string,
  action: string,
  settings: object,
  user?: string,
) => Promise<void>;

/** Requests of each kind, by different users, refused ones among them. */
async function askOfEverything(ask: Asking): Promise<void> {
  const at = { IDBeaconConnection: 1 };
  const apply = (more: object, user: string) =>
    ask(
      'DataBeaconBatch',
      'Apply',
      { ...at, HubID: 'h', Lane: 'queue', Epoch: 'e', ...more },
      user,
    );
  await ask(
    'DataBeaconSchema',
    'EnsureSchema',
    { ...at, SchemaName: 'ultravisor', SchemaJSON: persistenceSchema },
    'ann',
  );
  await apply(
    {
      ThroughSeq: 3,
      Mutations: [
        { ...workItem('a', 1), RemoteUser: 'bob' },
        { ...workItem('b', 2), RemoteUser: 'bob' },
        workItem('c', 3),
      ],
    },
    'carol',
  );
  await apply({ Lane: 'no' }, 'carol');
  await ask(
    'DataBeaconManagement',
    'EnableEndpoint',
    { ...at, TableName: 'UVQueueWorkItem' },
    'ann',
  );
  await ask('MeadowProxy', 'Request', {
    Method: 'GET',
    Path: '/1.0/backend/UVQueueWorkItems',
    RemoteUser: 'dora',
  });
  await ask('MeadowProxy', 'Request', { Method: 'GET', Path: '/1.0/Secret' }, 'eve');
  await ask(
    'MeadowProxy',
    'Request',
    { Method: 'DELETE', Path: '/1.0/backend/UVQueueWorkItem/99' },
    'eve',
  );
  await ask('DataBeaconAccess', 'QueryTable', { ...at, SQL: 'DROP TABLE UVManifest' }, 'eve');
  await ask('DataBeaconAccess', 'QueryTable', { ...at, SQL: 'SELECT 1 AS a' }, 'eve');
  await ask(
    'DataBeaconAccess',
    'Aggregate',
    {
      ...at,
      AggregateSpec: {
        Table: 'UVQueueWorkItem',
        Aggregates: [{ Source: '*', Function: 'Count', As: 'N' }],
      },
    },
    'eve',
  );
  await ask('DataBeaconAccess', 'ListConnections', {});
  await ask('DataBeaconAccess', 'Nope', {}, 'eve');
}

/** User, capability, action, connection, table, outcome, count and detail of each of them. */
const audited = [
  [
    'ann',
    'DataBeaconSchema',
    'EnsureSchema',
    1,
    'ultravisor',
    'ok',
    expect.any(Number),
    expect.stringContaining('CREATE TABLE'),
  ],
  ['bob', 'DataBeaconBatch', 'Apply', 1, '', 'ok', 2, 'h.queue through 3'],
  ['carol', 'DataBeaconBatch', 'Apply', 1, '', 'ok', 1, 'h.queue through 3'],
  [
    'carol',
    'DataBeaconBatch',
    'Apply',
    1,
    '',
    'INVALID_MESSAGE',
    0,
    expect.stringContaining('Settings.Lane'),
  ],
  ['ann', 'DataBeaconManagement', 'EnableEndpoint', 1, 'UVQueueWorkItem', 'ok', 0, ''],
  [
    'dora',
    'MeadowProxy',
    'Request',
    1,
    'UVQueueWorkItem',
    '200',
    3,
    'GET /1.0/backend/UVQueueWorkItems',
  ],
  ['eve', 'MeadowProxy', 'Request', 0, '', 'INVALID_MESSAGE', 0, 'GET /1.0/Secret'],
  [
    'eve',
    'MeadowProxy',
    'Request',
    1,
    'UVQueueWorkItem',
    '404',
    0,
    'DELETE /1.0/backend/UVQueueWorkItem/99',
  ],
  ['eve', 'DataBeaconAccess', 'QueryTable', 1, '', 'INVALID_MESSAGE', 0, 'DROP TABLE UVManifest'],
  ['eve', 'DataBeaconAccess', 'QueryTable', 1, '', 'ok', 1, 'SELECT 1 AS a'],
  ['eve', 'DataBeaconAccess', 'Aggregate', 1, 'UVQueueWorkItem', 'ok', 1, ''],
  ['ultravisor-system', 'DataBeaconAccess', 'ListConnections', 0, '', 'ok', 1, ''],
  [
    'eve',
    'DataBeaconAccess',
    'Nope',
    0,
    '',
    'INVALID_MESSAGE',
    0,
    expect.stringContaining('unknown action'),
  ],
];

describe('every request', () => {
  let nats: TestNats;
  let bus: Bus;
  withBus((...on) => {
    [nats, bus] = on;
  });

  test('shows no secret of a connection anywhere: replies, presence, refusals, the audit', async () => {
    const kit = await startOn(nats, bus);
    const told: unknown[] = [];
    const ask = async (capability: string, action: string, Settings: object) => {
      told.push(
        await bus
          .request(`mesh.${kit.config.beaconId}.${capability}.${action}`, {
            Settings,
            RemoteUser: 'ann',
          })
          .catch((error: unknown) => [String(error), error]),
      );
    };
    const Config = { Server: '127.0.0.1', Port: 1, User: 'ann', Password: 'hu/sh', Database: 'd' };
    for (const [Type, config] of [
      ['PostgreSQL', Config],
      ['MySQL', JSON.stringify(Config)],
      ['MySQL', 'mysql://ann:hu%2Fsh@127.0.0.1:1/d'],
      ['MySQL', 'mysql//ann:hu/sh@x'],
      ['PostgreSQL', { ...Config, Server: 'hu/sh' }],
      ['Oracle', Config],
    ] as const) {
      await ask('DataBeaconManagement', 'CreateConnection', {
        Name: `Far ${told.length}`,
        Type,
        Config: config,
      });
    }
    for (const id of [1001, 1002, 1003]) {
      await ask('DataBeaconManagement', 'Introspect', { IDBeaconConnection: id });
      await ask('DataBeaconAccess', 'QueryTable', { IDBeaconConnection: id, SQL: 'SELECT 1' });
      await ask('DataBeaconSchema', 'EnsureSchema', {
        IDBeaconConnection: id,
        SchemaJSON: persistenceSchema,
      });
    }
    await ask('DataBeaconAccess', 'ListConnections', {});
    await kit.beacon.drain();
    const audit = readAudit(kit.config.dataDir, { limit: 1_000 });
    expect([told.length, audit.length]).toEqual([16, 16]);
    expect(JSON.stringify([told, audit, kit.heard])).not.toMatch(/hu\/sh|hu%2Fsh/i);
    // What is not reached is not kept.
    expect(kit.heard.at(-1)?.Connections).toHaveLength(1);
  });

  test('leaves user, connection, table, outcome and count, refused or not; the command line shows it', async () => {
    const kit = await startOn(nats, bus, { acceptsUnscoped: true });
    const ask = async (
      capability: string,
      action: string,
      Settings: object,
      RemoteUser?: string,
    ) => {
      await bus
        .request(`mesh.${kit.config.beaconId}.${capability}.${action}`, {
          Settings,
          ...(RemoteUser ? { RemoteUser } : {}),
        })
        .catch(() => undefined);
    };
    await askOfEverything(ask);
    await kit.beacon.drain();
    const seen = rowsIn(
      join(kit.config.dataDir, 'beacon.db'),
      'SELECT RemoteUser, Capability, Action, IDBeaconConnection, TableName, Outcome, ' +
        'Count, Detail FROM Audit ORDER BY IDAudit',
    ).map((row) => Object.values(row));
    expect(seen).toEqual(audited);
    const shown = await tidemark([
      'beacon',
      'audit',
      '--data',
      kit.config.dataDir,
      '--user',
      'eve',
      '--limit',
      '2',
      '--json',
    ]);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      Lines: [
        { RemoteUser: 'eve', Action: 'Nope', Outcome: 'INVALID_MESSAGE' },
        { RemoteUser: 'eve', Action: 'Aggregate', Table: 'UVQueueWorkItem' },
      ],
    });
    expect((await tidemark(['beacon', 'audit', '--data', kit.config.dataDir])).stdout).toMatch(
      /dora +MeadowProxy\.Request +1 +UVQueueWorkItem +200 +3/,
    );
    expect(
      await tidemark(['beacon', 'audit', '--data', join(kit.config.dataDir, 'not-there')]),
    ).toMatchObject({ code: 3, stderr: expect.stringContaining('--data') as string });
    expect(await tidemark(['beacon'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--id') as string,
    });
  });
});
