/**
 * The schema manager on any engine: fresh, unchanged, extended, taken over from the incumbent, and
 * ten at once.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { isNullableColumn, persistenceSchema } from '../../../../contracts/schema.ts';
import {
  ensureSchema,
  introspectSchema,
  planSchema,
} from '../../../../beacon/capabilities/schema-manager.ts';
import type { RunningBackend } from '../backends.ts';
import { Desk, freshDesk, openAt, openFor, type Shared } from '../desk.ts';
import { growthTests, leftTests } from './schema-growth.ts';
import { oddTests } from './schema-odd-names.ts';
import { family, familyOf, nothing, plain } from './schema-facts.ts';

const tableNames = persistenceSchema.Tables.map((table) => table.Scope);
const indexNames = persistenceSchema.Tables.flatMap((table) =>
  (table.Indexes ?? []).map((index) => index.Name),
);

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
