/** The filter grammar: precedence, brackets, lists, and values that look like grammar. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BadRequest, parseFilter } from '../../../beacon/sql/filter.ts';
import { selectRows } from '../../../beacon/sql/row-reads.ts';
import { toTable } from '../../../beacon/engine/table.ts';
import type { ColumnInfo } from '../../../beacon/engine/engine.ts';

function column(name: string, more: Partial<ColumnInfo> = {}): ColumnInfo {
  return {
    name,
    nativeType: 'TEXT',
    family: 'text',
    charsMax: null,
    isNullable: true,
    isPrimaryKey: false,
    isIdentity: false,
    defaultText: null,
    defaultValue: undefined,
    ...more,
  };
}

const table = toTable({
  name: 'T',
  columns: [
    column('ID', { family: 'integer', isIdentity: true, isPrimaryKey: true }),
    column('A'),
    column('B'),
    column('N', { family: 'integer' }),
    column('Deleted', { family: 'boolean' }),
  ],
  indexes: [],
});

function sqlOf(raw: string): { sql: string; values: unknown[] } {
  const { sql, parameters } = selectRows('sqlite', table, parseFilter(raw), { begin: 0, cap: 10 });
  return {
    sql: sql.replace(/^.* where /, '').replace(/ limit \? offset \?$/, ''),
    values: parameters.slice(0, -2),
  };
}

/** A value as a careful sender encodes it. */
const encoded = (value: string) => encodeURIComponent(value).replaceAll('~', '%7E');

describe('filter', () => {
  test.each([
    ['FBV~A~EQ~x', '("Deleted" = ? and "A" = ?) order by "ID"', [0, 'x']],
    [
      'FBV~A~EQ~x~FBV~N~GE~3',
      '("Deleted" = ? and ("A" = ? and "N" >= ?)) order by "ID"',
      [0, 'x', 3],
    ],
    [
      'FBV~A~EQ~x~FBVOR~B~NE~y~FBV~N~LT~3',
      '("Deleted" = ? and ("A" = ? or ("B" != ? and "N" < ?))) order by "ID"',
      [0, 'x', 'y', 3],
    ],
    [
      'FOP~0~(~0~FBV~A~EQ~x~FBVOR~A~EQ~y~FCP~0~)~0~FBV~N~GT~1',
      '("Deleted" = ? and (("A" = ? or "A" = ?) and "N" > ?)) order by "ID"',
      [0, 'x', 'y', 1],
    ],
    [
      'FBV~A~EQ~x~FOPOR~0~(~0~FBV~A~EQ~y~FBV~B~EQ~z~FCP~0~)~0',
      '("Deleted" = ? and ("A" = ? or ("A" = ? and "B" = ?))) order by "ID"',
      [0, 'x', 'y', 'z'],
    ],
    ['FBL~A~INN~x,y%2Cz', '("Deleted" = ? and "A" in (?, ?)) order by "ID"', [0, 'x', 'y,z']],
    [
      'FBL~N~NIN~1,2~FBLOR~A~INN~q',
      '("Deleted" = ? and ("N" not in (?, ?) or "A" in (?))) order by "ID"',
      [0, 1, 2, 'q'],
    ],
    [
      'FBV~A~IN~0~FBV~B~NN~0',
      '("Deleted" = ? and ("A" is null and "B" is not null)) order by "ID"',
      [0],
    ],
    [
      'FBV~A~LK~x%25~FBV~B~NLK~%25y',
      '("Deleted" = ? and ("A" like ? and "B" not like ?)) order by "ID"',
      [0, 'x%', '%y'],
    ],
    ['FBV~A~LE~', '("Deleted" = ? and "A" <= ?) order by "ID"', [0, '']],
    ['FBV~Deleted~EQ~1', '"Deleted" = ? order by "ID"', [1]],
    [
      'FBD~A~EQ~2026-11-21T09:00:00.000Z',
      '("Deleted" = ? and ("A" >= ? and "A" < ?)) order by "ID"',
      [0, '2026-11-21', '2026-11-22'],
    ],
    [
      'FBD~A~NE~2026-12-31',
      '("Deleted" = ? and ("A" < ? or "A" >= ?)) order by "ID"',
      [0, '2026-12-31', '2027-01-01'],
    ],
    [
      'FBD~A~GT~2024-02-28~FBDOR~A~LT~2024-03-01',
      '("Deleted" = ? and ("A" >= ? or "A" < ?)) order by "ID"',
      [0, '2024-02-29', '2024-03-01'],
    ],
    [
      'FBD~A~GE~2024-02-28~FBD~A~LE~2024-03-01',
      '("Deleted" = ? and ("A" >= ? and "A" < ?)) order by "ID"',
      [0, '2024-02-28', '2024-03-02'],
    ],
    [
      'FBD~A~INN~2026-01-01,2026-01-03',
      '("Deleted" = ? and (("A" >= ? and "A" < ?) or ("A" >= ? and "A" < ?))) order by "ID"',
      [0, '2026-01-01', '2026-01-02', '2026-01-03', '2026-01-04'],
    ],
    ['FBD~A~NN~0', '("Deleted" = ? and "A" is not null) order by "ID"', [0]],
    ['FSF~ID~DESC~0', '"Deleted" = ? order by "ID" desc', [0]],
    ['FSF~N~DESC~0~FSF~A~ASC~0', '"Deleted" = ? order by "N" desc, "A" asc, "ID"', [0]],
  ])('%s', (raw, sql, values) => {
    expect(sqlOf(raw)).toEqual({ sql, values });
  });

  test('defect 37: a value holds any character and is never read as grammar', () => {
    expect(sqlOf(`FBV~A~EQ~${encoded("no~FBVOR~B~EQ~x' OR 1=1; -- %7E")}`)).toEqual({
      sql: '("Deleted" = ? and "A" = ?) order by "ID"',
      values: [0, "no~FBVOR~B~EQ~x' OR 1=1; -- %7E"],
    });
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
        (value) => {
          expect(sqlOf(`FBV~A~EQ~${encoded(value)}`).values).toEqual([0, value]);
        },
      ),
    );
  });

  test('a list holds values with any character', () => {
    const texts = fc.array(
      fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(texts, (values) => {
        expect(sqlOf(`FBL~A~INN~${values.map(encoded).join(',')}`).values).toEqual([0, ...values]);
      }),
    );
  });

  test('FDST reads each row once, sorted only by what is read', () => {
    const shape = { columns: ['B', 'A'] };
    expect(
      selectRows(
        'sqlite',
        table,
        parseFilter('FDST~0~0~0~FSF~A~DESC~0'),
        { begin: 0, cap: 5 },
        shape,
      ).sql,
    ).toBe(
      'select distinct "B", "A" from "T" where "Deleted" = ? order by "A" desc, "B" limit ? offset ?',
    );
    expect(() =>
      selectRows(
        'sqlite',
        table,
        parseFilter('FDST~0~0~0~FSF~N~DESC~0'),
        { begin: 0, cap: 5 },
        shape,
      ),
    ).toThrow(BadRequest);
    expect(() =>
      selectRows(
        'sqlite',
        table,
        parseFilter(''),
        { begin: 0, cap: 5 },
        { columns: ['A"; drop table T; --'] },
      ),
    ).toThrow(BadRequest);
  });

  test.each([
    'FBV~A~EQ',
    'FBV~A~XX~1',
    'NOPE~A~EQ~1',
    'FOP~0~(~0~FBV~A~EQ~1',
    'FCP~0~)~0',
    'FBL~A~EQ~1',
    'FBV~A~EQ~%',
    'FBV~Nope~EQ~1',
    'FBV~N~EQ~many',
    'FSF~Nope~ASC~0',
    'FBD~A~EQ~yesterday',
    'FBD~A~EQ~2026-02-31',
    'FBD~A~LK~2026%25',
    'FBL~N~INN~'.concat('1,'.repeat(5000), '1'),
    Array.from(
      { length: 300 },
      () => `FBL~N~INN~${Array.from({ length: 20 }, () => '7').join(',')}`,
    ).join('~'),
    `FBD~A~INN~${Array.from({ length: 101 }, () => '2026-01-01').join(',')}`,
    Array.from({ length: 501 }, () => 'FBV~A~EQ~1').join('~'),
    Array.from({ length: 60 }, () => 'FOP~0~(~0').join('~'),
  ])('a filter that says nothing sensible is refused (%#)', (raw) => {
    expect(() => sqlOf(raw)).toThrow(BadRequest);
  });
});
