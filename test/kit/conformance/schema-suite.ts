/**
 * The schema manager on any engine: fresh, unchanged, extended, taken over from the incumbent, and
 * ten at once.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { TidemarkError } from '../../../contracts/errors.ts';
import {
  isNullableColumn,
  persistenceSchema,
  type SchemaDescriptor,
  type TableDescriptor,
} from '../../../contracts/schema.ts';
import {
  ensureSchema,
  introspectSchema,
  planSchema,
} from '../../../beacon/capabilities/schema-manager.ts';
import type { RunningBackend } from './backends.ts';
import { Desk, freshDesk, openAt, openFor, type Shared } from './desk.ts';

const tableNames = persistenceSchema.Tables.map((table) => table.Scope);
const indexNames = persistenceSchema.Tables.flatMap((table) =>
  (table.Indexes ?? []).map((index) => index.Name),
);
const nothing = {
  TablesCreated: [],
  ColumnsAdded: [],
  IndicesCreated: [],
  MigrationStatements: [],
  SkippedDestructive: [],
  Notes: [],
};

export function schemaSuite(on: () => Shared): void {
  const backend = (): RunningBackend => on().backend;
  describe('a fresh database', () => {
    freshTests(backend);
    firstTests(backend);
  });
  describe('a descriptor that grew', () => {
    growthTests(backend);
  });
  describe('a database that is in the way', () => {
    leftTests(backend);
  });
  describe('a descriptor with odd names, sizes and defaults', () => {
    oddTests(backend);
  });
}

function tableOf(scope: string): TableDescriptor {
  const table = persistenceSchema.Tables.find((one) => one.Scope === scope);
  if (!table) throw new Error(`no table ${scope}`);
  return table;
}

function freshTests(backend: () => RunningBackend): void {
  test('gets each table, column, index of the descriptor, reported by name; a second run has no news', async () => {
    const place = await backend().fresh();
    const { engine } = openFor(place);
    const first = await ensureSchema(engine, 'ultravisor', persistenceSchema);
    expect(first).toMatchObject({
      Success: true,
      SchemaName: 'ultravisor',
      Engine: backend().kind,
      ColumnsAdded: [],
      SkippedDestructive: [],
    });
    expect([first.TablesCreated, first.IndicesCreated]).toEqual([tableNames, indexNames]);
    expect(first.MigrationStatements.length).toBeGreaterThan(tableNames.length);
    expect(await place.query('select "StoreID" from "UVBridgeStore"')).toEqual([
      { StoreID: first.StoreID },
    ]);
    expect((await engine.check()).storeId).toBe(first.StoreID);
    const { engine: another } = openFor(place);
    for (const again of [engine, another])
      expect(await ensureSchema(again, 'ultravisor', persistenceSchema)).toMatchObject({
        ...nothing,
        StoreID: first.StoreID,
      });
  });

  test('a plan says what EnsureSchema would do, and does nothing', async () => {
    const place = await backend().fresh();
    const { engine } = openFor(place);
    const plan = await planSchema(engine, 'ultravisor', persistenceSchema);
    expect(await engine.introspect()).toEqual([]);
    const done = await ensureSchema(engine, 'ultravisor', persistenceSchema);
    const bare = (statements: string[]) =>
      statements.map((sql) => sql.replace(/'[0-9a-f-]{36}'/, 'its identity'));
    expect(bare(done.MigrationStatements)).toEqual(bare(plan.MigrationStatements));
    expect(await planSchema(engine, 'ultravisor', persistenceSchema)).toMatchObject({
      ...nothing,
      StoreID: done.StoreID,
    });
  });

  test('is introspected as it was described', async () => {
    const { engine } = await freshDesk(backend());
    const there = await engine.introspect(tableNames);
    for (const table of persistenceSchema.Tables) {
      const info = there.find((one) => one.name === table.Scope);
      expect(
        info?.columns.map((column) => [
          column.name,
          column.isIdentity,
          column.isPrimaryKey,
          column.isNullable,
          column.charsMax,
          family(column.family),
        ]),
      ).toEqual(
        table.Schema.map((column) => {
          const isIdentity = column.Type === 'AutoIdentity';
          return [
            column.Column,
            isIdentity,
            isIdentity,
            !isIdentity && isNullableColumn(column),
            column.Type === 'String' && column.Size !== 'Default' ? Number(column.Size) : null,
            familyOf(column.Type),
          ];
        }),
      );
      const unset = new Set(['AutoIdentity', 'CreateDate', 'UpdateDate']);
      expect(
        info?.columns.flatMap((column, at) =>
          unset.has(table.Schema[at]?.Type ?? '') ? [] : [[column.name, column.defaultValue]],
        ),
      ).toEqual(
        table.Schema.flatMap((column) =>
          unset.has(column.Type)
            ? []
            : [[column.Column, plain(table.DefaultObject?.[column.Column])]],
        ),
      );
      const indexes = info?.indexes.map((index) => `${index.columns.join(',')} ${index.isUnique}`);
      for (const index of table.Indexes ?? [])
        expect(indexes).toContain(`${index.Columns.join(',')} ${index.Unique === true}`);
    }
  });

  test('declares the defaults of the descriptor, so that a plain insert by anybody stores them', async () => {
    const { place } = await freshDesk(backend());
    await place.query(`insert into "UVQueueWorkItem" ("HubID", "WorkItemHash") values ('h', 'x')`);
    const [row] = await place.query('select * from "UVQueueWorkItem"');
    expect(row).toMatchObject({
      IDUVQueueWorkItem: 1,
      Status: 'Pending',
      MaxAttempts: 1,
      HealthLabel: 'Unknown',
      Settings: '{}',
      Extra: '{}',
      CancelReason: '',
      Deleted: 0,
      BridgeSeq: 0,
      CancelRequested: 0,
      Health: 0,
      CreateDate: null,
    });
  });
}

function firstTests(backend: () => RunningBackend): void {
  test('tells what is missing without making it', async () => {
    const { engine } = openFor(await backend().fresh());
    const { Tables } = await introspectSchema(engine, 'ultravisor', persistenceSchema);
    expect(Tables[0]).toMatchObject({ Scope: 'UVQueueWorkItem', Exists: false, Columns: [] });
    expect(Tables[0]?.MissingColumns).toContain('WorkItemHash');
    expect(await engine.introspect()).toEqual([]);
    expect(await engine.check()).toEqual({ isConnected: true, storeId: '', reason: '' });
  });

  test('defect 29: ten EnsureSchema at once, an engine each, make one schema with one identity', async () => {
    const place = await backend().fresh();
    const opened = Array.from({ length: 10 }, () => openAt(place.url));
    onTestFinished(async () => {
      await Promise.all(opened.map((one) => one.close()));
    });
    const all = await Promise.all(
      opened.map(({ engine }) => ensureSchema(engine, 'ultravisor', persistenceSchema)),
    );
    expect(
      all.map((outputs) => outputs.TablesCreated.length).toSorted((one, other) => one - other),
    ).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, tableNames.length]);
    expect(new Set(all.map((outputs) => outputs.StoreID)).size).toBe(1);
    expect(await place.query('select "StoreID" from "UVBridgeStore"')).toHaveLength(1);
    const [d] = opened.map(({ engine }) => new Desk(engine, place, 'hub1'));
    expect(await d?.outcomes([d.workItem('a', 1)])).toEqual(['applied']);
  }, 60_000);
}

function growthTests(backend: () => RunningBackend): void {
  const event = tableOf('UVQueueWorkItemEvent');
  const wider: SchemaDescriptor = {
    Tables: [
      {
        ...event,
        Schema: [
          ...event.Schema,
          { Column: 'Colour', Type: 'String', Size: '16' },
          { Column: 'Weight', Type: 'Float' },
          { Column: 'Note', Type: 'String', Size: 'Default' },
          { Column: 'IsRound', Type: 'Boolean' },
          { Column: 'Sum', Type: 'BigInteger' },
        ],
        DefaultObject: { ...event.DefaultObject, Colour: 'grey' },
        Indexes: [
          ...(event.Indexes ?? []),
          { Name: 'IX_UVQueueEvent_Colour', Columns: ['Colour', 'EventType'] },
        ],
      },
      {
        Scope: 'UVQueueNote',
        Schema: [
          { Column: 'IDUVQueueNote', Type: 'AutoIdentity' },
          { Column: 'HubID', Type: 'String', Size: '64' },
          { Column: 'Name', Type: 'String', Size: '20' },
          { Column: 'BridgeSeq', Type: 'BigInteger' },
          { Column: 'Deleted', Type: 'Deleted' },
        ],
        Indexes: [{ Name: 'IX_UVQueueNote', Columns: ['HubID', 'Name'], Unique: true }],
      },
    ],
  };

  test('defect 50: columns, indexes, tables arrive with data in place, at once usable by those connected', async () => {
    const d = await freshDesk(backend());
    const other = new Desk(openFor(d.place).engine, d.place, 'hub2');
    await d.apply([d.event('e-1', 1, { EventType: 'old' })]);
    await other.apply([other.event('e-1', 1)]);
    const outputs = await ensureSchema(d.engine, 'x', wider);
    expect(outputs).toMatchObject({
      TablesCreated: ['UVQueueNote'],
      ColumnsAdded: ['Colour', 'Weight', 'Note', 'IsRound', 'Sum'].map(
        (name) => `UVQueueWorkItemEvent.${name}`,
      ),
      IndicesCreated: ['IX_UVQueueEvent_Colour', 'IX_UVQueueNote'],
    });
    expect(
      await d.outcomes([
        d.event('e-2', 2, { Colour: 'green', Weight: 0.5, Note: 'n', IsRound: true, Sum: 2 ** 40 }),
      ]),
    ).toEqual(['applied']);
    expect(
      await other.outcomes([
        other.event('e-2', 2, { Colour: 'blue' }),
        {
          Op: 'write',
          Table: 'UVQueueNote',
          Key: { HubID: 'hub2', Name: 'first' },
          Seq: 3,
          Set: {},
        },
      ]),
    ).toEqual(['applied', 'applied']);
    expect(
      await d.rows(
        'UVQueueWorkItemEvent',
        'EventType',
        'Colour',
        'Weight',
        'Note',
        'IsRound',
        'Sum',
      ),
    ).toEqual([
      { EventType: 'old', Colour: 'grey', Weight: null, Note: null, IsRound: 0, Sum: 0 },
      { EventType: '', Colour: 'green', Weight: 0.5, Note: 'n', IsRound: 1, Sum: 2 ** 40 },
    ]);
    expect(await ensureSchema(other.engine, 'x', wider)).toMatchObject(nothing);
  });

  test('a column made by somebody else can be written at once', async () => {
    const d = await freshDesk(backend());
    await d.apply([d.workItem('a', 1)]);
    expect((await d.apply([d.workItem('a', 2, { Colour: 'green' })])).Results).toMatchObject([
      { Outcome: 'rejected' },
    ]);
    await d.place.query(`alter table "UVQueueWorkItem" add "Colour" varchar(8)`);
    expect(await d.outcomes([d.workItem('a', 2, { Colour: 'green' })])).toEqual(['applied']);
    expect(await d.rows('UVQueueWorkItem', 'Colour')).toEqual([{ Colour: 'green' }]);
  });
}

function leftTests(backend: () => RunningBackend): void {
  test('what would have to be altered is named and left', async () => {
    const place = await backend().fresh();
    await place.query(
      'create table "Thing" ("IDThing" integer not null primary key, "Name" varchar(8) ' +
        'not null, "Size" varchar(20), "Extra2" varchar(9)); create index "IX_Name" on ' +
        '"Thing" ("Extra2")',
    );
    await place.query(`insert into "Thing" values (1, 'one', 'big', 'kept')`);
    const { engine } = openFor(place);
    const outputs = await ensureSchema(engine, 'things', {
      Tables: [
        {
          Scope: 'Thing',
          Schema: [
            { Column: 'IDThing', Type: 'AutoIdentity' },
            { Column: 'Name', Type: 'String', Size: '64' },
            { Column: 'Size', Type: 'Integer' },
          ],
          Indexes: [{ Name: 'IX_Name', Columns: ['Name'] }],
        },
      ],
    });
    expect(outputs).toMatchObject({ TablesCreated: [], ColumnsAdded: [], IndicesCreated: [] });
    expect(outputs.SkippedDestructive).toEqual([
      'alter-column:Thing.Name',
      'alter-column:Thing.Size',
      'alter-index:IX_Name',
      'drop-column:Thing.Extra2',
    ]);
    expect(outputs.Notes.join()).toMatch(/left alone/);
    expect(await place.query('select * from "Thing"')).toEqual([
      { IDThing: 1, Name: 'one', Size: 'big', Extra2: 'kept' },
    ]);
  });

  test('defect 50: a refused migration says why, and once that is mended the next one completes it', async () => {
    const place = await backend().fresh();
    await place.query(
      'create table "UVQueueWorkItemEvent" ("EventGUID" varchar(36) not null); insert ' +
        `into "UVQueueWorkItemEvent" values ('same'), ('same')`,
    );
    const { engine } = openFor(place);
    const error = await ensureSchema(engine, 'ultravisor', persistenceSchema).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(TidemarkError);
    expect(error).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/unique|duplicate/i) as string,
    });
    // A MySQL commits each statement; the others take all of it back.
    if (backend().kind !== 'mysql')
      expect((await engine.introspect()).map((table) => table.name)).toEqual([
        'UVQueueWorkItemEvent',
      ]);
    await place.query('delete from "UVQueueWorkItemEvent"');
    await ensureSchema(engine, 'ultravisor', persistenceSchema);
    expect(await ensureSchema(engine, 'ultravisor', persistenceSchema)).toMatchObject({
      TablesCreated: [],
      ColumnsAdded: [],
      IndicesCreated: [],
      MigrationStatements: [],
    });
    const d = new Desk(engine, place, 'hub1');
    expect(
      (await d.apply([d.event('e', 1, { Payload: '{}' }), d.workItem('a', 2)])).Results,
    ).toEqual([{ Outcome: 'applied' }, { Outcome: 'applied' }]);
  });
}

function oddTests(backend: () => RunningBackend): void {
  const text = 'it\'s "odd" \\ \\\' %s ? $1 \u{1F600}';
  const descriptor: SchemaDescriptor = {
    Tables: [
      {
        Scope: 'order',
        Schema: [
          { Column: 'IDorder', Type: 'AutoIdentity' },
          { Column: 'HubID', Type: 'String', Size: '64' },
          { Column: 'Key', Type: 'String', Size: '100' },
          { Column: 'select', Type: 'String', Size: '64' },
          { Column: 'Group', Type: 'Integer' },
          { Column: 'Long', Type: 'String', Size: '20000' },
          { Column: 'Free', Type: 'String', Size: 'Default' },
          { Column: 'Doc', Type: 'JSON' },
          { Column: 'When', Type: 'DateTime' },
          { Column: 'Rate', Type: 'Float', Nullable: false },
          { Column: 'BridgeSeq', Type: 'BigInteger' },
          { Column: 'Deleted', Type: 'Deleted' },
        ],
        DefaultObject: { select: text, Free: text, Group: -7, Rate: 0.1234, Doc: '{"a":"\'"}' },
        Indexes: [
          { Name: 'IX_order', Columns: ['HubID', 'Key'], Unique: true },
          { Name: 'IX_group', Columns: ['Group', 'select'] },
        ],
      },
    ],
  };

  test('is made as it says', async () => {
    const place = await backend().fresh();
    const { engine } = openFor(place);
    expect(await ensureSchema(engine, 'odd', descriptor)).toMatchObject({
      TablesCreated: ['order'],
      IndicesCreated: ['IX_order', 'IX_group'],
    });
    expect(await ensureSchema(engine, 'odd', descriptor)).toMatchObject(nothing);
    await place.query(`insert into "order" ("HubID", "Key") values ('hub1', 'plain')`);
    const d = new Desk(engine, place, 'hub1');
    const long = '\u{1F600}'.repeat(20_000);
    const write = {
      Op: 'write' as const,
      Table: 'order',
      Key: { HubID: 'hub1', Key: 'k' },
      Seq: 1,
      Set: { Long: long, When: '2026-11-21T08:00:00.000Z' },
    };
    const defaults = new Map([['order', descriptor.Tables[0]?.DefaultObject ?? {}]]);
    expect(
      await engine
        .apply({ ...d.batch([write]), defaults, lane: 'queue' })
        .catch((error: unknown) => error),
    ).toMatchObject({ code: 'UNAVAILABLE' });
    await ensureSchema(engine, 'ultravisor', persistenceSchema);
    expect((await engine.apply({ ...d.batch([write]), defaults })).Results).toEqual([
      { Outcome: 'applied' },
    ]);
    expect(
      await place.query(
        'select "Key", "select", "Free", "Group", "Rate", "Doc", "Long" from "order" order by "IDorder"',
      ),
    ).toEqual([
      {
        Key: 'plain',
        select: text,
        Free: text,
        Group: -7,
        Rate: 0.1234,
        Doc: '{"a":"\'"}',
        Long: '',
      },
      {
        Key: 'k',
        select: text,
        Free: text,
        Group: -7,
        Rate: 0.1234,
        Doc: '{"a":"\'"}',
        Long: long,
      },
    ]);
  });
}

/** Dates are text in SQLite. */
function family(is: string): string {
  return is === 'date' ? 'text' : is;
}

function familyOf(type: string): string {
  const families: Record<string, string> = {
    AutoIdentity: 'integer',
    Integer: 'integer',
    BigInteger: 'integer',
    Float: 'float',
    Boolean: 'boolean',
    Deleted: 'boolean',
  };
  return families[type] ?? 'text';
}

function plain(value: unknown): unknown {
  return typeof value === 'boolean' ? Number(value) : value;
}
