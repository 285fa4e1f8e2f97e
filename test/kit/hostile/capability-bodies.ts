/** What a databeacon is asked for, action by action, with the values a stranger would try. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dice } from '../simulator/dice.ts';
import { docOf, guid, strange } from './shapes.ts';

type Doc = Record<string, unknown>;
type Make = (dice: Dice) => Doc;

const schemaPath = join(import.meta.dirname, '../../../contracts/persistence-schema.json');
const persistence = readFileSync(schemaPath, 'utf8');
const connection = (dice: Dice) => dice.pick<unknown>([1, 1, 1, 1, 2, 99, 0, -1, '1']);
const hub = (dice: Dice) => dice.pick(['hub2', 'hub2', 'hub2', 'hub1', '', '__proto__']);
const table = (dice: Dice) =>
  dice.pick(['UVQueueWorkItem', 'UVManifest', 'UVBridgeMark', 'Payroll', 'sqlite_master', 'x']);

function mutation(dice: Dice, owner: string): Doc {
  const hash = `stranger-${dice.below(20)}`;
  return docOf({
    Op: dice.pick(['write', 'insert', 'delete', 'drop']),
    Table: table(dice),
    Key: docOf({ HubID: dice.chance(0.9) ? owner : hub(dice), WorkItemHash: hash }),
    Seq: dice.pick([1, 2, 1_000, 2 ** 53 - 2, -1]),
    Set: docOf({ Status: 'Pending', RunID: 'x', HubID: dice.chance(0.9) ? owner : 'hub1' }),
    Fill: dice.chance(0.3) ? docOf({ Capability: strange(dice) }) : undefined,
    Merge: dice.chance(0.3) ? docOf({ Extra: docOf({ a: strange(dice) }) }) : undefined,
  });
}

const batch: Record<string, Make> = {
  Apply: (dice) => {
    const owner = hub(dice);
    return docOf({
      IDBeaconConnection: connection(dice),
      HubID: owner,
      Lane: dice.pick(['queue', 'manifest', 'x']),
      Epoch: dice.pick([guid(dice), '', 'epoch']),
      Mutations: Array.from({ length: dice.below(4) }, () => mutation(dice, owner)),
      ThroughSeq: dice.pick([0, 1, 1_000, 2 ** 53 - 2, -1]),
      AfterSeq: dice.pick([undefined, 0, 1, 1_000]),
      AfterEpoch: dice.pick([undefined, '', 'epoch']),
      IsBelowMark: dice.chance(0.2) ? true : undefined,
      Term: dice.pick([undefined, 0, 2 ** 53 - 2]),
    });
  },
  Mark: (dice) =>
    docOf({
      IDBeaconConnection: connection(dice),
      HubID: hub(dice),
      Lane: dice.pick(['queue', 'x']),
    }),
};

const paths = [
  '/1.0/db-1/UVQueueWorkItem/1',
  '/1.0/db-1/UVQueueWorkItems/0/100',
  '/1.0/db-1/UVQueueWorkItem',
  '/1.0/db-1/UVQueueWorkItems/FilteredTo/FBV~HubID~EQ~hub1/0/10',
  '/1.0/db-1/UVQueueWorkItem?/Schema/Validate',
  '/1.0/db-1/UVQueueWorkItem/Schema',
  '/1.0/db-1/Payroll/1',
  '/1.0/db-1/../../etc/passwd',
  '//127.0.0.1:1/1.0/x',
  `/1.0/db-1/UVQueueWorkItems/FilteredTo/${'FBV~a~EQ~b~'.repeat(200)}/0/10`,
];

const proxy: Record<string, Make> = {
  Request: (dice) =>
    docOf({
      Method: dice.pick(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'get', 'X'.repeat(50)]),
      Path: dice.pick(paths),
      Body: dice.pick([
        undefined,
        JSON.stringify({ HubID: 'hub2', WorkItemHash: `stranger-${dice.below(9)}`, Status: 'P' }),
        JSON.stringify({ HubID: 'hub1', IDUVQueueWorkItem: 1, Status: 'Stolen' }),
        '['.repeat(5_000),
        '{"__proto__":{"polluted":1}}',
      ]),
      RemoteUser: strange(dice),
    }),
};

const schema: Record<string, Make> = {
  EnsureSchema: (dice) => docOf({ ...descriptor(dice), IDBeaconConnection: connection(dice) }),
  IntrospectSchema: (dice) => docOf({ ...descriptor(dice), IDBeaconConnection: connection(dice) }),
};

function descriptor(dice: Dice): Doc {
  const known = JSON.parse(persistence) as unknown;
  const Tables = [
    { Scope: 'Payroll', Schema: [{ Column: 'Stolen', Type: 'Text' }] },
    { Scope: 'UVQueueWorkItem"; DROP TABLE Payroll; --', Schema: [] },
  ];
  return docOf({
    SchemaName: dice.pick(['persistence', strange(dice)]),
    SchemaJSON: dice.chance(0.6) ? known : docOf({ Tables }),
  });
}

const rough = `${'.?'.repeat(6)}${'.*'.repeat(3)}Z`;

const management: Record<string, Make> = {
  Introspect: (dice) => docOf({ IDBeaconConnection: connection(dice), TableName: table(dice) }),
  EnableEndpoint: (dice) => docOf({ IDBeaconConnection: connection(dice), TableName: table(dice) }),
  DisableEndpoint: (dice) => docOf({ IDBeaconConnection: connection(dice), TableName: 'Payroll' }),
  UpdateProxyConfig: (dice) =>
    docOf({
      PathAllowlist: dice.pick<unknown>([[rough], Array(40).fill(rough), ['.*'], [strange(dice)]]),
      AllowWrites: dice.pick([true, false, 'yes']),
    }),
  CreateConnection: (dice) =>
    docOf({
      Name: 'planted',
      Type: dice.pick(['SQLite', 'PostgreSQL', 'MySQL']),
      Config: dice.pick<unknown>([
        { SQLiteFilePath: '/tmp/tidemark-planted.sqlite' },
        'postgres://a:b@127.0.0.1:1/x?sslrootcert=/dev/zero',
        'sqlite:/proc/self/environ',
        strange(dice),
      ]),
    }),
};

const access: Record<string, Make> = {
  ListConnections: () => docOf(),
  ListTables: (dice) => docOf({ IDBeaconConnection: connection(dice) }),
  ReadRecords: (dice) =>
    docOf({ IDBeaconConnection: connection(dice), TableName: table(dice), Limit: 1e9 }),
  QueryTable: (dice) =>
    docOf({
      IDBeaconConnection: connection(dice),
      TableName: table(dice),
      SQL: dice.pick([
        'select * from UVQueueWorkItem',
        'with recursive a(n) as (select 1 union all select n + 1 from a) select count(*) from a',
        "attach '/tmp/tidemark-attached.sqlite' as a",
        'delete from UVQueueWorkItem',
        'select zeroblob(1000000000)',
      ]),
    }),
  Aggregate: (dice) => docOf({ IDBeaconConnection: connection(dice), TableName: table(dice) }),
  Join: (dice) => docOf({ IDBeaconConnection: connection(dice), Tables: [table(dice), 'x'] }),
};

const makers: Readonly<Record<string, Record<string, Make>>> = {
  DataBeaconBatch: batch,
  MeadowProxy: proxy,
  DataBeaconSchema: schema,
  DataBeaconManagement: management,
  DataBeaconAccess: access,
};

export function capabilityActions(capability: string): string[] {
  return Object.hasOwn(makers, capability) ? Object.keys(makers[capability] ?? {}) : ['x'];
}

export function bodyOfCapability(dice: Dice, capability: string, action: string): Doc {
  const known = Object.hasOwn(makers, capability) ? makers[capability] : undefined;
  const make = known && Object.hasOwn(known, action) ? known[action] : undefined;
  return docOf({
    Settings: make ? make(dice) : strange(dice),
    TimeoutMs: dice.pick([undefined, 1, 1e12, -1]),
  });
}
