/**
 * What would be sent to a SQL Server, as text: no server runs here, so each statement is held to
 * the letter; the conformance suite runs where MSSQL_TEST_URL is given.
 */
import { expect, test } from 'vitest';
import {
  addColumnStatement,
  createIndexStatement,
  createStoreStatements,
  createTableStatement,
} from '../../../beacon/sql/ddl.ts';
import { mssqlFaultOf } from '../../../beacon/engines/mssql/faults.ts';
import { columnsSql, indexesSql } from '../../../beacon/engines/mssql/introspect.ts';
import { mssqlSets } from '../../../beacon/engines/mssql/row-statements.ts';
import { StatementFault, type TableInfo } from '../../../beacon/engine/engine.ts';
import { emptyFilter, parseFilter } from '../../../beacon/sql/filter.ts';
import { countMatching, selectRows } from '../../../beacon/sql/row-reads.ts';
import { insertRow, removeRow, updateRow } from '../../../beacon/sql/row-writes.ts';
import { type Column, toTable } from '../../../beacon/engine/table.ts';

const plain = {
  charsMax: null,
  isNullable: false,
  isPrimaryKey: false,
  isIdentity: false,
  defaultText: '',
  defaultValue: undefined,
} as const;
const info: TableInfo = {
  name: 'Odd]Name',
  columns: [
    {
      ...plain,
      name: 'ID',
      nativeType: 'bigint',
      family: 'integer',
      isPrimaryKey: true,
      isIdentity: true,
    },
    { ...plain, name: 'Hash', nativeType: 'nvarchar(64)', family: 'text', charsMax: 64 },
    { ...plain, name: 'Live', nativeType: 'bit', family: 'boolean' },
    { ...plain, name: 'At', nativeType: 'datetime2', family: 'date', isNullable: true },
    { ...plain, name: 'Deleted', nativeType: 'bit', family: 'boolean' },
  ],
  indexes: [{ name: 'K', columns: ['Hash'], isUnique: true }],
};
const table = toTable(info);
const at = (...names: string[]): Column[] => names.map((name) => table.columns.get(name) as Column);

test('SQL Server — rows over many: values joined, locked when read, quoted and bound', () => {
  const rows = [
    ['a', 1, '2026-11-21T08:00:00.000Z'],
    ['b', 0, ''],
  ] as const;
  expect(mssqlSets.insert(table, at('Hash', 'Live', 'At'), rows)).toEqual({
    sql:
      'insert into [Odd]]Name] ([Hash], [Live], [At]) select v.c0, v.c1, v.c2 from ' +
      '(values (@1, @2, @3), (@4, @5, @6)) v (c0, c1, c2)',
    parameters: ['a', 1, '2026-11-21 08:00:00.000', 'b', 0, null],
  });
  expect(mssqlSets.read(table, at('Hash'), at('ID', 'Live'), [['a'], ['b']])).toEqual({
    sql:
      'select t.[ID], t.[Live] from [Odd]]Name] t with (updlock, rowlock) join (values ' +
      '(@1), (@2)) v (c0) on t.[Hash] = v.c0',
    parameters: ['a', 'b'],
  });
  expect(
    mssqlSets.update(table, at('ID'), at('Live'), [
      [1, 1],
      [2, 0],
    ]),
  ).toEqual({
    sql: 'update t set [Live] = v.c1 from [Odd]]Name] t join (values (@1, @2), (@3, @4)) v (c0, c1) on t.[ID] = v.c0',
    parameters: [1, 1, 2, 0],
  });
  expect(mssqlSets.insertAbsent(table, at('Hash'), at('Hash'), [['a']])).toBeNull();
});

test('SQL Server — a statement stays within 2 100 parameters and 1 000 rows', () => {
  for (const columns of [1, 2, 20, 45, 400]) {
    expect(mssqlSets.rowsMax(columns) * columns).toBeLessThanOrEqual(2_100);
    expect(mssqlSets.rowsMax(columns)).toBeLessThanOrEqual(1_000);
    expect(mssqlSets.rowsMax(columns)).toBeGreaterThan(0);
  }
});

test('SQL Server — tables: names in brackets, types that keep their values, exact comparison of text', () => {
  const made = createTableStatement(
    'mssql',
    {
      Scope: 'T',
      Schema: [
        { Column: 'IDT', Type: 'AutoIdentity' },
        { Column: 'Name', Type: 'String', Size: '64' },
        { Column: 'Long', Type: 'String', Size: 'Default' },
        { Column: 'N', Type: 'Integer' },
        { Column: 'F', Type: 'Float' },
        { Column: 'B', Type: 'Boolean' },
        { Column: 'CreateDate', Type: 'CreateDate' },
      ],
      DefaultObject: { Name: "it's", N: 7 },
    },
    'Latin1_General_100_BIN2',
  );
  expect(made).toBe(
    'CREATE TABLE [T] ([IDT] decimal(16, 0) IDENTITY(1,1) PRIMARY KEY, [Name] ' +
      "nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL DEFAULT N'it''s', " +
      ('[Long] nvarchar(max) COLLATE Latin1_General_100_BIN2, [N] decimal(16, 0) NOT NULL ' +
        'DEFAULT 7, [F] float(53), [B] bit NOT NULL DEFAULT 0, [CreateDate] datetime2(3))'),
  );
  expect(
    addColumnStatement('mssql', { Scope: 'T', Schema: [] }, { Column: 'X', Type: 'Integer' }),
  ).toBe('ALTER TABLE [T] ADD [X] decimal(16, 0) NOT NULL DEFAULT 0');
  expect(
    createIndexStatement(
      'mssql',
      { Scope: 'T', Schema: [] },
      { Name: 'I', Columns: ['A', 'B'], Unique: true },
    ),
  ).toBe('CREATE UNIQUE INDEX [I] ON [T] ([A], [B])');
  expect(createStoreStatements('mssql', 'id-1')).toEqual([
    "IF OBJECT_ID(N'UVBridgeStore') IS NULL CREATE TABLE [UVBridgeStore] ([StoreID] VARCHAR(36) NOT NULL)",
    "INSERT INTO [UVBridgeStore] ([StoreID]) VALUES ('id-1')",
  ]);
});

test('SQL Server — endpoints: pages by offset and fetch, rows answered by output, a row is never numbered anew', () => {
  const filter = parseFilter('FBV~Hash~EQ~a~FSF~Hash~DESC~0');
  expect(selectRows('mssql', table, filter, { begin: 5, cap: 10 })).toEqual({
    sql:
      'select * from "Odd]Name" where ("Deleted" = @1 and "Hash" = @2) order by "Hash" ' +
      'desc, "ID" offset @3 rows fetch next @4 rows only',
    parameters: [0, 'a', 5, 10],
    isWrite: false,
  });
  expect(countMatching('mssql', table, emptyFilter()).sql).toBe(
    'select count(*) as "Count" from "Odd]Name" where "Deleted" = @1',
  );
  expect(insertRow('mssql', table, { Hash: 'a', Live: 1 })).toMatchObject({
    sql: 'insert into "Odd]Name" ("Hash", "Live") output "inserted".* values (@1, @2)',
    parameters: ['a', 1],
  });
  expect(updateRow('mssql', table, 3, { ID: 3, Live: 1 }, 'live')).toMatchObject({
    sql: 'update "Odd]Name" set "Live" = @1 output "inserted".* where "ID" = @2 and "Deleted" = @3',
    parameters: [1, 3, 0],
  });
  expect(updateRow('mssql', table, 3, { ID: 3 }, 'any').sql).toBe(
    'select * from "Odd]Name" where "ID" = @1',
  );
  expect(removeRow('mssql', table, 3).sql).toBe(
    'delete from "Odd]Name" output "deleted".* where "ID" = @1',
  );
});

test('SQL Server — the catalogue is asked for tables by name, bound', () => {
  expect(columnsSql(2)).toContain('and lower(t.name) in (@1, @2)');
  expect(indexesSql(null)).not.toContain(' in (@');
});

test.each([
  [1205, 'again'],
  [2627, 'unique'],
  [2601, 'unique'],
  [2628, 'misfit'],
  [8115, 'misfit'],
  [515, 'misfit'],
  [9002, 'away'],
  [4060, 'away'],
  [207, 'other'],
])('SQL Server — error %i means %s', (number, means) => {
  const fault = mssqlFaultOf(Object.assign(new Error('said the server'), { number }));
  expect(fault instanceof StatementFault ? fault.kind : fault).toBe(means);
  expect(mssqlFaultOf(new Error('socket hang up'))).toBe('away');
});
