/**
 * Statements over many rows for MariaDB and MySQL: rows are lists of values; a change of many finds
 * them by the number they were read with.
 */
import type { Scalar } from '../../../contracts/schema.ts';
import { bounds } from '../../bounds.ts';
import { encode } from '../../sql/codec.ts';
import type { Query, SetStatements } from '../server/dialect.ts';
import type { Column, Table } from '../../engine/table.ts';

type Rows = readonly (readonly Scalar[])[];

export function inBackticks(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

function values(columns: readonly Column[], rows: Rows): unknown[] {
  return rows.flatMap((row) =>
    columns.map((column, at) => encode('mysql', row[at] ?? null, column)),
  );
}

function marks(columns: readonly Column[]): string {
  return `(${columns.map(() => '?').join(', ')})`;
}

function names(columns: readonly Column[]): string {
  return columns.map((column) => inBackticks(column.name)).join(', ');
}

/**
 * Told to go by the unique index: rows that are only looked past are locked too, and of a small
 * table all are looked at, those of other hubs with them.
 */
function byIndex(table: Table, by: readonly Column[]): string {
  const index = table.uniqueKeys.find(
    ({ columns }) =>
      columns.length === by.length && by.every((column) => columns.includes(column.name)),
  );
  return index ? ` force index (${inBackticks(index.name)})` : '';
}

export const mysqlSets: SetStatements = {
  rowsMax: () => bounds.setRowsMax,
  read(table, key, columns, keys): Query {
    const list = keys.map(() => marks(key)).join(', ');
    return {
      sql:
        `select ${names(columns)} from ${inBackticks(table.name)}${byIndex(table, key)} ` +
        `where (${names(key)}) in (${list}) for update`,
      parameters: values(key, keys),
    };
  },
  insert(table, columns, rows): Query {
    const list = rows.map(() => marks(columns)).join(', ');
    return {
      sql: `insert into ${inBackticks(table.name)} (${names(columns)}) values ${list}`,
      parameters: values(columns, rows),
    };
  },
  // `insert ignore` would hide what is wrong with a value, and `on duplicate key update` would take
  // any unique key for the natural one.
  insertAbsent: () => null,
  update(table, by, columns, rows): Query {
    const [first] = rows;
    if (rows.length === 1 && first) {
      const sets = columns.map((column) => `${inBackticks(column.name)} = ?`).join(', ');
      const where = by.map((column) => `${inBackticks(column.name)} = ?`).join(' and ');
      const parameters = [...values(columns, [first.slice(by.length)]), ...values(by, [first])];
      return { sql: `update ${inBackticks(table.name)} set ${sets} where ${where}`, parameters };
    }
    const all = [...by, ...columns];
    const one = all.map((_, at) => `? as c${at}`).join(', ');
    const others = rows
      .slice(1)
      .map(() => ` union all select ${all.map(() => '?').join(', ')}`)
      .join('');
    const on = by.map((column, at) => `t.${inBackticks(column.name)} = v.c${at}`).join(' and ');
    const sets = columns
      .map((column, at) => `t.${inBackticks(column.name)} = v.c${by.length + at}`)
      .join(', ');
    return {
      sql:
        `update (select ${one}${others}) v straight_join ${inBackticks(table.name)} t` +
        `${byIndex(table, by)} on ${on} set ${sets}`,
      parameters: values(all, rows),
    };
  },
};
