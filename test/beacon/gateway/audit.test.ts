/**
 * The audit trail: who, what, with what outcome, in time, within its bounds; and the command that
 * reads it.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Bus } from '../../../runtime/bus/bus.ts';
import { createLog } from '../../../runtime/log.ts';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { type AuditStore, AuditTrail } from '../../../beacon/gateway/audit.ts';
import { bounds } from '../../../beacon/bounds.ts';
import { type AuditLine, BeaconState, readAudit } from '../../../beacon/databases/state.ts';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import type { TestNats } from '../../kit/servers/nats.ts';
import { rowsIn, tempFolder, workItem } from '../../kit/beacon/fixture.ts';
import { startOn, withBus } from '../../kit/beacon/with-bus.ts';

const log = createLog('test', 'silent');
const line = (more: Partial<AuditLine> = {}) => ({
  remoteUser: 'ann',
  capability: 'C',
  action: 'A',
  connection: 1,
  table: 'T',
  outcome: 'ok',
  count: 1,
  detail: '',
  ...more,
});

/** A store that remembers, or refuses. */
function memory(): AuditStore & { lines: AuditLine[]; trims: string[]; isBroken: boolean } {
  return {
    lines: [],
    trims: [],
    isBroken: false,
    addAudit(lines) {
      if (this.isBroken) throw new Error('disk is full');
      this.lines.push(...lines);
    },
    trimAudit(before) {
      this.trims.push(before);
    },
  };
}

describe('trail', () => {
  test('lines are written together within a second, at once when there are many, and at the stop', async () => {
    const [clock, store] = [new ManualClock(), memory()];
    const trail = new AuditTrail(store, clock, log);
    trail.add(line());
    trail.add(line({ remoteUser: 'bob' }));
    expect(store.lines).toEqual([]);
    await clock.advance(999);
    expect(store.lines.map((one) => one.remoteUser)).toEqual(['ann', 'bob']);
    for (let n = 0; n < bounds.auditLinesMax; n++) trail.add(line());
    expect(store.lines).toHaveLength(bounds.auditLinesMax + 2);
    trail.add(line({ remoteUser: 'last' }));
    trail.stop();
    expect(store.lines.at(-1)?.remoteUser).toBe('last');
    trail.add(line());
    await clock.advance(5_000);
    expect(store.lines).toHaveLength(bounds.auditLinesMax + 3);
  });

  test('while the disk refuses, lines wait up to a bound, and it is said how many were lost (I9)', async () => {
    const [clock, store] = [new ManualClock(), memory()];
    const trail = new AuditTrail(store, clock, log);
    store.isBroken = true;
    for (let n = 0; n < bounds.auditLinesMax + 7; n++) trail.add(line({ count: n }));
    await clock.advance(3_000);
    expect(store.lines).toEqual([]);
    store.isBroken = false;
    await clock.advance(1_000);
    expect(store.lines).toHaveLength(bounds.auditLinesMax + 1);
    expect(store.lines[0]).toMatchObject({ count: 7 });
    expect(store.lines.at(-1)).toMatchObject({ capability: 'Audit', outcome: 'lost', count: 7 });
  });

  test('what a sender made long is cut', () => {
    const [clock, store] = [new ManualClock(), memory()];
    const trail = new AuditTrail(store, clock, log);
    trail.add(
      line({
        remoteUser: 'u'.repeat(5_000),
        action: 'a'.repeat(5_000),
        table: 't'.repeat(5_000),
        detail: 'd'.repeat(5_000),
      }),
    );
    trail.stop();
    expect(
      Object.values(store.lines[0] ?? {}).filter((value) => String(value).length > 200),
    ).toEqual([]);
  });

  test('old and surplus lines go (I9)', async () => {
    const folder = tempFolder();
    const state = BeaconState.open(folder);
    onTestFinished(() => state.close());
    const clock = new ManualClock();
    const before = new AuditTrail(state, clock, log);
    before.add(line({ remoteUser: 'old' }));
    before.flush();
    before.stop();
    await clock.advance(bounds.auditKeptMs + 1_000);
    const trail = new AuditTrail(state, clock, log);
    trail.add(line({ remoteUser: 'new' }));
    trail.flush();
    expect(readAudit(folder, { limit: 10 }).map((one) => one.remoteUser)).toEqual(['new']);
    const file = new Database(join(folder, 'beacon.db'));
    file.prepare('UPDATE Audit SET IDAudit = IDAudit + ?').run(bounds.auditRowsMax);
    file
      .prepare(
        'INSERT INTO Audit (IDAudit, At, RemoteUser, Capability, Action, ' +
          "IDBeaconConnection, Detail) VALUES (1, '9999', 'surplus', '', '', 0, '')",
      )
      .run();
    file.close();
    expect(readAudit(folder, { limit: 10 })).toHaveLength(2);
    await clock.advance(bounds.auditTrimMs);
    expect(readAudit(folder, { limit: 10 }).map((one) => one.remoteUser)).toEqual(['new']);
    trail.stop();
  });

  test('a state of the first version is taken over with what it holds', () => {
    const folder = tempFolder();
    const db = new Database(join(folder, 'beacon.db'));
    db.exec(`
      CREATE TABLE Connection (IDBeaconConnection INTEGER PRIMARY KEY, Name TEXT NOT NULL UNIQUE,
        Url TEXT NOT NULL, Origin TEXT NOT NULL, Description TEXT NOT NULL) STRICT;
      CREATE TABLE Proxy (ID INTEGER PRIMARY KEY CHECK (ID = 1), PathAllowlist TEXT NOT NULL,
        AllowWrites INTEGER NOT NULL) STRICT;
      CREATE TABLE Audit (IDAudit INTEGER PRIMARY KEY AUTOINCREMENT, At TEXT NOT NULL,
        RemoteUser TEXT NOT NULL, Capability TEXT NOT NULL, Action TEXT NOT NULL,
        IDBeaconConnection INTEGER NOT NULL, Detail TEXT NOT NULL) STRICT;
      INSERT INTO Proxy VALUES (1, '["^/x/"]', 0);
      INSERT INTO Audit VALUES (1, '2026-01-01', 'ann', 'C', 'A', 1, 'd');
      PRAGMA user_version = 1`);
    db.close();
    const state = BeaconState.open(folder);
    expect(state.proxyConfig()).toMatchObject({ patterns: ['^/x/'], allowWrites: false });
    state.close();
    expect(readAudit(folder, { limit: 1 })).toMatchObject([
      { remoteUser: 'ann', outcome: 'ok', table: '' },
    ]);
  });
});

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
    expect(kit.heard.at(-1)?.Connections).toHaveLength(4);
  });

  test('leaves user, connection, table, outcome and count, refused or not; the command line shows it', async () => {
    const kit = await startOn(nats, bus);
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
    await kit.beacon.drain();
    const seen = rowsIn(
      join(kit.config.dataDir, 'beacon.db'),
      'SELECT RemoteUser, Capability, Action, IDBeaconConnection, TableName, Outcome, ' +
        'Count, Detail FROM Audit ORDER BY IDAudit',
    ).map((row) => Object.values(row));
    expect(seen).toEqual([
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
      [
        'eve',
        'DataBeaconAccess',
        'QueryTable',
        1,
        '',
        'INVALID_MESSAGE',
        0,
        'DROP TABLE UVManifest',
      ],
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
    ]);
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
