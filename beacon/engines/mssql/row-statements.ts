/**
 * Statements over many rows for SQL Server: rows are lists of values, and a statement has at most 2
 * 100 parameters and 1 000 rows.
 */
import type { Scalar } from '../../../contracts/schema.ts';
import { bounds } from '../../bounds.ts';
import { encode } from '../../sql/codec.ts';
import type { Query, SetStatements } from '../server/dialect.ts';
import type { Column } from '../../engine/table.ts';

type Rows = readonly (readonly Scalar[])[];

const parametersMax = 2_000;

export function inBrackets(name: string): string {
  return `[${name.replaceAll(']', ']]')}]`;
}

/** `(values (@1, @2), ...) v (c0, c1)`, with the values. */
function valuesOf(columns: readonly Column[], rows: Rows): { from: string; parameters: unknown[] } {
  let next = 0;
  const list = rows.map(() => `(${columns.map(() => `@${++next}`).join(', ')})`).join(', ');
  const names = columns.map((_, at) => `c${at}`).join(', ');
  return {
    from: `(values ${list}) v (${names})`,
    parameters: rows.flatMap((row) =>
      columns.map((column, at) => encode('mssql', row[at] ?? null, column)),
    ),
  };
}

function matches(by: readonly Column[]): string {
  return by.map((column, at) => `t.${inBrackets(column.name)} = v.c${at}`).join(' and ');
}

function names(columns: readonly Column[]): string {
  return columns.map((column) => inBrackets(column.name)).join(', ');
}

export const mssqlSets: SetStatements = {
  rowsMax: (columns) =>
    Math.max(1, Math.min(bounds.setRowsMax, Math.floor(parametersMax / (columns + 2)))),
  read(table, key, columns, keys): Query {
    const { from, parameters } = valuesOf(key, keys);
    const list = columns.map((column) => `t.${inBrackets(column.name)}`).join(', ');
    return {
      sql: `select ${list} from ${inBrackets(table.name)} t with (updlock, rowlock) join ${from} on ${matches(key)}`,
      parameters,
    };
  },
  insert(table, columns, rows): Query {
    const { from, parameters } = valuesOf(columns, rows);
    return {
      sql:
        `insert into ${inBrackets(table.name)} (${names(columns)}) select ` +
        `${columns.map((_, at) => `v.c${at}`).join(', ')} from ${from}`,
      parameters,
    };
  },
  // `merge` races with itself; what is not there after the locked read goes in plainly.
  insertAbsent: () => null,
  update(table, by, columns, rows): Query {
    const { from, parameters } = valuesOf([...by, ...columns], rows);
    const sets = columns
      .map((column, at) => `${inBrackets(column.name)} = v.c${by.length + at}`)
      .join(', ');
    return {
      sql: `update t set ${sets} from ${inBrackets(table.name)} t join ${from} on ${matches(by)}`,
      parameters,
    };
  },
};
