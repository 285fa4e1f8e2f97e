/**
 * The schema manager on real files: fresh, unchanged, taken over from the incumbent, and two at
 * once.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { TidemarkError } from '../../../contracts/errors.ts';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { ensureSchema, introspectSchema } from '../../../beacon/capabilities/schema-manager.ts';
import { decodeDescriptor } from '../../../beacon/capabilities/schema-settings.ts';
import {
  applyTo,
  event,
  makeIncumbentDatabase,
  openBackend,
  openEngine,
  outcomesOf,
  rowsIn,
  tempFolder,
  workItem,
} from '../../kit/beacon/fixture.ts';

const tableNames = persistenceSchema.Tables.map((table) => table.Scope);
const indexNames = persistenceSchema.Tables.flatMap((table) =>
  (table.Indexes ?? []).map((index) => index.Name),
);

describe('a fresh database', () => {
  test('gets every table and index of the descriptor, and the report names each', async () => {
    const { engine, path } = openEngine();
    const outputs = await ensureSchema(engine, 'ultravisor', persistenceSchema);
    expect(outputs).toMatchObject({
      Success: true,
      SchemaName: 'ultravisor',
      Engine: 'sqlite',
      ColumnsAdded: [],
      SkippedDestructive: [],
    });
    expect(outputs.TablesCreated).toEqual(tableNames);
    expect(outputs.IndicesCreated).toEqual(indexNames);
    const there = rowsIn(
      path,
      "SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE 'IX%'",
    ).map((row) => row['name']);
    expect(there.toSorted()).toEqual(indexNames.toSorted());
    expect(rowsIn(path, 'SELECT StoreID FROM UVBridgeStore')).toEqual([
      { StoreID: outputs.StoreID },
    ]);
  });

  test('declares the defaults of the descriptor, so that a plain insert by anybody stores them', async () => {
    const { path } = await openBackend();
    const db = new Database(path);
    db.exec("INSERT INTO UVQueueWorkItem (HubID, WorkItemHash) VALUES ('h', 'x')");
    db.close();
    expect(
      rowsIn(
        path,
        'SELECT Status, MaxAttempts, HealthLabel, Settings, Extra, CancelReason, Deleted, ' +
          'BridgeSeq, CreateDate FROM UVQueueWorkItem',
      ),
    ).toEqual([
      {
        Status: 'Pending',
        MaxAttempts: 1,
        HealthLabel: 'Unknown',
        Settings: '{}',
        Extra: '{}',
        CancelReason: '',
        Deleted: 0,
        BridgeSeq: 0,
        CreateDate: null,
      },
    ]);
  });

  test('is synced at every commit: WAL with synchronous FULL', async () => {
    const { engine } = await openBackend();
    const [mode] = await engine.execute([
      { sql: 'PRAGMA journal_mode', parameters: [], isWrite: false },
    ]);
    const [sync] = await engine.execute([
      { sql: 'PRAGMA synchronous', parameters: [], isWrite: false },
    ]);
    expect(mode).toMatchObject({ rows: [{ journal_mode: 'wal' }] });
    expect(sync).toMatchObject({ rows: [{ synchronous: 2 }] });
  });
});

describe('an unchanged database', () => {
  test('reports nothing and keeps its identity', async () => {
    const { engine } = openEngine();
    const first = await ensureSchema(engine, 'ultravisor', persistenceSchema);
    const second = await ensureSchema(engine, 'ultravisor', persistenceSchema);
    expect(second).toMatchObject({
      TablesCreated: [],
      ColumnsAdded: [],
      IndicesCreated: [],
      MigrationStatements: [],
      SkippedDestructive: [],
      Notes: [],
    });
    expect(second.StoreID).toBe(first.StoreID);
  });

  test('defect 29: any number of EnsureSchema at once make one schema with one identity', async () => {
    const { path } = openEngine();
    const engines = Array.from({ length: 4 }, () => openEngine(path).engine);
    const all = await Promise.all(
      engines.map((engine) => ensureSchema(engine, 'ultravisor', persistenceSchema)),
    );
    expect(all.filter((outputs) => outputs.TablesCreated.length > 0)).toHaveLength(1);
    expect(new Set(all.map((outputs) => outputs.StoreID)).size).toBe(1);
    expect(rowsIn(path, 'SELECT * FROM UVBridgeStore')).toHaveLength(1);
  });
});

describe('a database of the incumbent', () => {
  test('is taken over: columns and indexes are added, its rows stay, nothing is dropped', async () => {
    const path = join(tempFolder(), 'incumbent.sqlite');
    makeIncumbentDatabase(path);
    const { engine } = openEngine(path);
    const outputs = await ensureSchema(engine, 'ultravisor', persistenceSchema);
    expect(outputs.TablesCreated).not.toContain('UVQueueWorkItem');
    expect(outputs.ColumnsAdded).toEqual(
      ['CreatedAt', 'RequireAffinityMatch', 'StalledAt', 'HubID', 'BridgeSeq', 'Extra'].map(
        (name) => `UVQueueWorkItem.${name}`,
      ),
    );
    expect(outputs.IndicesCreated).toContain('IX_UVQueueWorkItem_HubHash');
    expect(outputs.IndicesCreated).not.toContain('IX_UVQueueWorkItem_Status');
    expect(outputs.SkippedDestructive.filter((line) => line.startsWith('drop'))).toEqual([
      'drop-index:IX_UVQueueWorkItem_Hash',
    ]);
    expect(
      rowsIn(path, 'SELECT WorkItemHash, Status, HubID, BridgeSeq FROM UVQueueWorkItem ORDER BY 1'),
    ).toEqual([
      { WorkItemHash: 'old-1', Status: 'Running', HubID: '', BridgeSeq: 0 },
      { WorkItemHash: 'old-2', Status: 'Complete', HubID: '', BridgeSeq: 0 },
    ]);
  });

  test('its rows go to the first hub that writes them, and new rows get the descriptor’s defaults', async () => {
    const path = join(tempFolder(), 'incumbent.sqlite');
    makeIncumbentDatabase(path);
    const { engine } = openEngine(path);
    await ensureSchema(engine, 'ultravisor', persistenceSchema);
    const outputs = await applyTo(engine, [
      workItem('old-1', 10, { Status: 'Complete' }),
      workItem('new-1', 11, { Action: 'go' }),
    ]);
    expect(outcomesOf(outputs)).toEqual(['applied', 'applied']);
    expect(
      rowsIn(
        path,
        'SELECT HubID, Status, Settings, BridgeSeq FROM UVQueueWorkItem WHERE WorkItemHash = ?',
        'old-1',
      ),
    ).toEqual([{ HubID: 'hub1', Status: 'Complete', Settings: '{"a":1}', BridgeSeq: 10 }]);
    expect(
      rowsIn(
        path,
        'SELECT Status, MaxAttempts, HealthLabel, Settings FROM UVQueueWorkItem WHERE WorkItemHash = ?',
        'new-1',
      ),
    ).toEqual([{ Status: 'Pending', MaxAttempts: 1, HealthLabel: 'Unknown', Settings: '{}' }]);
  });
});

describe('a migration', () => {
  test('defect 50: takes effect whole or not at all', async () => {
    const { engine, path } = openEngine();
    const seed = new Database(path);
    seed.exec(
      "CREATE TABLE UVQueueWorkItemEvent (EventGUID TEXT NOT NULL); INSERT INTO UVQueueWorkItemEvent VALUES (''), ('')",
    );
    seed.close();
    const error = await ensureSchema(engine, 'ultravisor', persistenceSchema).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(TidemarkError);
    expect(error).toMatchObject({ code: 'CONFLICT' });
    expect(rowsIn(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")).toEqual([
      { name: 'UVQueueWorkItemEvent' },
    ]);
  });

  test('defect 50: a column added by it can be written at once', async () => {
    const { engine } = await openBackend();
    await applyTo(engine, [event('e-1', 1)]);
    const [table] = persistenceSchema.Tables.filter((one) => one.Scope === 'UVQueueWorkItemEvent');
    if (!table) throw new Error('no event table');
    const wider = {
      Tables: [
        { ...table, Schema: [...table.Schema, { Column: 'Colour', Type: 'String', Size: '16' }] },
      ],
    };
    expect((await ensureSchema(engine, 'x', wider)).ColumnsAdded).toEqual([
      'UVQueueWorkItemEvent.Colour',
    ]);
    expect(outcomesOf(await applyTo(engine, [event('e-2', 2, { Colour: 'green' })]))).toEqual([
      'applied',
    ]);
  });

  test('names what it would have to alter, and leaves it', async () => {
    const { engine, path } = openEngine();
    const seed = new Database(path);
    seed.exec(
      'CREATE TABLE Thing (IDThing INTEGER PRIMARY KEY, Name VARCHAR(8) NOT NULL, Extra2 ' +
        'TEXT); CREATE INDEX IX_Name ON Thing (Extra2)',
    );
    seed.close();
    const descriptor = decodeDescriptor({
      SchemaJSON: {
        Tables: [
          {
            Scope: 'Thing',
            Schema: [
              { Column: 'IDThing', Type: 'AutoIdentity' },
              { Column: 'Name', Type: 'String', Size: 64 },
            ],
            Indexes: [{ Name: 'IX_Name', Columns: ['Name'] }],
          },
        ],
      },
    });
    const outputs = await ensureSchema(engine, 'things', descriptor);
    expect(outputs.SkippedDestructive).toEqual([
      'alter-column:Thing.Name',
      'alter-index:IX_Name',
      'drop-column:Thing.Extra2',
    ]);
    expect(outputs.ColumnsAdded).toEqual([]);
  });

  test('tells what is missing without making it', async () => {
    const { engine } = openEngine();
    const { Tables } = await introspectSchema(engine, 'ultravisor', persistenceSchema);
    expect(Tables[0]).toMatchObject({ Scope: 'UVQueueWorkItem', Exists: false, Columns: [] });
    expect(Tables[0]?.MissingColumns).toContain('WorkItemHash');
    expect(await engine.introspect()).toEqual([]);
  });

  test.each([
    [{}, 'Settings.SchemaJSON'],
    [
      { SchemaJSON: { Tables: [{ Scope: 'a"b', Schema: [] }] } },
      'Settings.SchemaJSON.Tables[0].Scope',
    ],
    [
      {
        SchemaJSON: {
          Tables: [{ Scope: 'UVBridgeStore', Schema: [{ Column: 'a', Type: 'String' }] }],
        },
      },
      'Settings.SchemaJSON.Tables[0].Scope',
    ],
    [
      { SchemaJSON: { Tables: [{ Scope: 'A', Schema: [{ Column: 'x' }] }] } },
      'Settings.SchemaJSON.Tables[0].Schema[0].Type',
    ],
    [
      {
        SchemaJSON: {
          Tables: [
            {
              Scope: 'A',
              Schema: [{ Column: 'x', Type: 'String' }],
              Indexes: [{ Name: 'i', Columns: ['y'] }],
            },
          ],
        },
      },
      'Settings.SchemaJSON.Tables[0].Indexes[0].Columns[0]',
    ],
  ])('refuses a descriptor and names the field (%#)', (settings, path) => {
    expect(() => decodeDescriptor(settings)).toThrow(path);
  });
});
