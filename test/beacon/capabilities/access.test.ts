/**
 * Aggregates, joins, packages and connections: what is read of databases, and what of them is never
 * told.
 */
import { describe, expect, test } from 'vitest';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { aggregate, join } from '../../../beacon/capabilities/access-groups.ts';
import type { DatabaseConnection } from '../../../beacon/databases/connections.ts';
import { introspectPackage } from '../../../beacon/capabilities/management.ts';
import { ensureSchema } from '../../../beacon/capabilities/schema-manager.ts';
import { decodeDescriptor } from '../../../beacon/capabilities/schema-settings.ts';
import { openEngine } from '../../kit/beacon/fixture.ts';
import { start } from '../../kit/beacon/proxy-kit.ts';

/** Orders with their customers, one of each removed softly. */
async function shop(): Promise<DatabaseConnection> {
  const { engine } = openEngine();
  await engine.migrate(() => [
    'CREATE TABLE Customer (IDCustomer INTEGER PRIMARY KEY, Name VARCHAR(20), Region TEXT, Deleted BOOLEAN DEFAULT 0)',
    'CREATE TABLE Sale (IDSale INTEGER PRIMARY KEY, IDCustomer INTEGER, Amount REAL, Deleted BOOLEAN DEFAULT 0)',
    "INSERT INTO Customer VALUES (1, 'ann', 'north', 0), (2, 'bob', 'south', 0), (3, 'gone', 'south', 1)",
    'INSERT INTO Sale VALUES (1, 1, 10.5, 0), (2, 1, 20, 0), (3, 2, 5, 0), (4, 2, 1000, 1), (5, 3, 7, 0), (6, 2, 1, 0)',
  ]);
  return {
    id: 1,
    engine,
    endpoints: new Set(),
    defaults: new Map(),
  } as unknown as DatabaseConnection;
}

describe('aggregates', () => {
  test('group, filter and order rows, soft-deleted ones left out', async () => {
    const AggregateSpec = {
      Table: 'Sale',
      GroupBy: ['IDCustomer'],
      OrderBy: ['-Total'],
      Filter: 'FBV~Amount~GT~1',
      Aggregates: [
        { Source: '*', Function: 'Count', As: 'N' },
        { Source: 'Amount', Function: 'Sum', As: 'Total' },
        { Column: 'Amount', Op: 'mean', As: 'Mean' },
        { Source: 'Amount', Function: 'Min', As: 'Least' },
        { Source: 'Amount', Function: 'Max', As: 'Most' },
      ],
    };
    const expected = [
      { IDCustomer: 1, N: 2, Total: 30.5, Mean: 15.25, Least: 10.5, Most: 20 },
      { IDCustomer: 3, N: 1, Total: 7, Mean: 7, Least: 7, Most: 7 },
      { IDCustomer: 2, N: 1, Total: 5, Mean: 5, Least: 5, Most: 5 },
    ];
    expect(await aggregate(await shop(), { AggregateSpec })).toMatchObject({
      Rows: expected,
      RowCount: 3,
    });
    expect(
      await aggregate(await shop(), { AggregateSpec: JSON.stringify(AggregateSpec) }),
    ).toMatchObject({ Rows: expected });
  });

  test('over everything there is one row', async () => {
    const all = { Table: 'Sale', Aggregates: [{ Source: '*', Function: 'Count', As: 'N' }] };
    expect(await aggregate(await shop(), { AggregateSpec: all })).toMatchObject({
      Rows: [{ N: 5 }],
    });
    expect(
      await aggregate(await shop(), { AggregateSpec: { ...all, Filter: 'FBV~Deleted~EQ~1' } }),
    ).toMatchObject({ Rows: [{ N: 1 }] });
  });

  const base = {
    Table: 'Sale',
    GroupBy: ['IDCustomer'],
    Aggregates: [{ Source: 'Amount', Function: 'Sum', As: 'Total' }],
  };
  test.each([
    [{ ...base, Table: 'Sale; DROP TABLE Sale' }, 'Table'],
    [{ ...base, Table: 'UVBridgeStore' }, 'not found'],
    [{ ...base, GroupBy: ['IDCustomer" --'] }, 'GroupBy[0]'],
    [{ ...base, GroupBy: ['Nope'] }, 'Nope'],
    [{ ...base, Aggregates: [] }, 'Aggregates'],
    [
      { ...base, Aggregates: [{ Source: 'Amount', Function: 'load_extension', As: 'x' }] },
      'Aggregates[0].Function',
    ],
    [{ ...base, Aggregates: [{ Source: '*', Function: 'Sum', As: 'x' }] }, 'Aggregates[0].Source'],
    [
      { ...base, Aggregates: [{ Source: 'Amount', Function: 'Sum', As: 'a"b' }] },
      'Aggregates[0].As',
    ],
    [
      { ...base, Aggregates: [{ Source: 'Amount', Function: 'Sum', As: 'IDCustomer' }] },
      'each name once',
    ],
    [{ ...base, OrderBy: ['Amount'] }, 'OrderBy[0]'],
    [{ ...base, OrderBy: ['Total; --'] }, 'OrderBy[0]'],
    [{ ...base, Filter: 'FBV~Nope~EQ~1' }, 'Nope'],
    [{ ...base, Filter: 'what' }, 'Filter'],
    ['{', 'AggregateSpec'],
  ])('refuse %j', async (AggregateSpec, reason) => {
    await expect(aggregate(await shop(), { AggregateSpec })).rejects.toMatchObject({
      code: expect.stringMatching(/^(INVALID_MESSAGE|NOT_FOUND)$/) as string,
      message: expect.stringContaining(reason) as string,
    });
  });
});

describe('joins', () => {
  const spec = {
    Table: 'Sale',
    RelatedTable: 'Customer',
    JoinOn: { SourceField: 'IDCustomer', RelatedField: 'IDCustomer' },
    Projection: { Who: '{~D:Related.Name~}', Much: '{~D:Record.Amount~}' },
    OrderBy: 'IDSale',
  };

  test('are paged by where the page before ended', async () => {
    const connection = await shop();
    const seen: unknown[] = [];
    let AfterValue: unknown = null;
    for (let page = 0; page < 5; page++) {
      const { Rows, CursorField } = await join(connection, {
        JoinSpec: { ...spec, Limit: 2, AfterValue },
      });
      if (Rows.length === 0) break;
      seen.push(...Rows.map((row) => [row['Who'], row['Much']]));
      AfterValue = Rows.at(-1)?.[CursorField ?? ''];
    }
    expect(seen).toEqual([
      ['ann', 10.5],
      ['ann', 20],
      ['bob', 5],
      ['bob', 1],
    ]);
  });

  test('or by offset, and the cursor is a column of the projection where there is one', async () => {
    const connection = await shop();
    expect(await join(connection, { JoinSpec: { ...spec, Limit: 2, Offset: 2 } })).toMatchObject({
      Rows: [
        { Who: 'bob', Much: 5 },
        { Who: 'bob', Much: 1 },
      ],
      CursorField: null,
      Offset: 2,
    });
    const { Rows, CursorField } = await join(connection, {
      JoinSpec: { ...spec, Projection: { Number: '{~D:Record.IDSale~}' }, AfterValue: 2 },
    });
    expect([CursorField, Rows]).toEqual(['Number', [{ Number: 3 }, { Number: 6 }]]);
  });

  test.each([
    [{ ...spec, RelatedTable: 'sqlite_schema' }, 'not found'],
    [{ ...spec, JoinOn: { SourceField: '1=1', RelatedField: 'x' } }, 'JoinOn.SourceField'],
    [{ ...spec, Projection: {} }, 'Projection'],
    [{ ...spec, Projection: { a: '{~D:Record.Amount~} x' } }, 'Projection.a'],
    [{ ...spec, Projection: { a: 7 } }, 'Projection.a'],
    [{ ...spec, Projection: { 'a"b': '{~D:Record.Amount~}' } }, 'Projection'],
    [{ ...spec, OrderBy: 'IDSale DESC' }, 'OrderBy'],
    [{ ...spec, Limit: 100_001 }, 'Limit'],
    [{ ...spec, AfterValue: 1, Offset: 1 }, 'Offset'],
    [{ ...spec, AfterValue: { or: 1 } }, 'AfterValue'],
    [{ ...spec, OrderBy: 'Nope' }, 'Nope'],
    [{ ...spec, Offset: -1 }, 'Offset'],
  ])('refuse %j', async (JoinSpec, reason) => {
    await expect(join(await shop(), { JoinSpec })).rejects.toMatchObject({
      code: expect.stringMatching(/^(INVALID_MESSAGE|NOT_FOUND)$/) as string,
      message: expect.stringContaining(reason) as string,
    });
  });
});

test('a package of a table makes the same table elsewhere', async () => {
  const { connection } = await start();
  const { Package } = await introspectPackage(connection, { TableName: 'UVQueueWorkItem' });
  expect(Package).toMatchObject({
    Scope: 'UVQueueWorkItem',
    DefaultIdentifier: 'IDUVQueueWorkItem',
    DefaultObject: { Status: 'Pending', MaxAttempts: 1 },
  });
  const { engine } = openEngine();
  await ensureSchema(
    engine,
    'copy',
    decodeDescriptor({ SchemaJSON: { Tables: [{ ...Package, Indexes: [] }] } }),
  );
  const [there] = await engine.introspect(['UVQueueWorkItem']);
  const [here] = await connection.engine.introspect(['UVQueueWorkItem']);
  const shapes = (table: typeof here) =>
    table?.columns.map(({ name, family, charsMax, isIdentity }) => [
      name,
      family,
      charsMax,
      isIdentity,
    ]);
  expect(shapes(there)).toEqual(shapes(here));
  expect(there?.columns).toHaveLength(persistenceSchema.Tables[0]?.Schema.length ?? 0);
});
