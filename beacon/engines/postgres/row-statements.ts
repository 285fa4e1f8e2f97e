/**
 * Statements over many rows for PostgreSQL: rows go in as one array a column, so that the text of a
 * statement does not grow with them.
 */
import type { Scalar } from '../../../contracts/schema.ts';
import { bounds } from '../../bounds.ts';
import { encode } from '../../sql/codec.ts';
import type { Query, SetStatements } from '../server/dialect.ts';
import type { Column, Table } from '../../engine/table.ts';

type Rows = readonly (readonly Scalar[])[];

export function inDoubleQuotes(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

const arrayTypes = {
  text: 'text',
  integer: 'bigint',
  float: 'double precision',
  boolean: 'boolean',
  date: 'text',
  binary: 'text',
} as const;

/**
 * `unnest` of one array a column as a table `v`, with the values. A row that is alone goes in as it
 * is: within an array a manifest of 60 MB would be copied twice more, with each quote escaped.
 */
function arrays(columns: readonly Column[], rows: Rows): { from: string; parameters: unknown[] } {
  const names = columns.map((_, at) => `c${at}`).join(', ');
  const [only] = rows;
  if (only && rows.length === 1) {
    const marks = columns.map((column, at) => `$${at + 1}::${arrayTypes[column.family]}`);
    return {
      from: `(values (${marks.join(', ')})) as v(${names})`,
      parameters: columns.map((column, at) => encode('postgresql', only[at] ?? null, column)),
    };
  }
  const from =
    `unnest(${columns.map((column, at) => `$${at + 1}::${arrayTypes[column.family]}[]`).join(', ')}) ` +
    `as v(${names})`;
  return {
    from,
    parameters: columns.map((column, at) =>
      rows.map((row) => encode('postgresql', row[at] ?? null, column)),
    ),
  };
}

/** The value of a column in `v`, in a type that the column takes. */
function valueOf(column: Column, at: number): string {
  const isPlain =
    column.family !== 'date' &&
    column.family !== 'binary' &&
    (column.family !== 'text' || /^(text|character)/.test(column.nativeType));
  if (isPlain) return `v.c${at}`;
  // A timestamp without a zone is one in UTC here: so is the session.
  const isTimestamp = column.family === 'date' && column.nativeType.startsWith('timestamp');
  return `v.c${at}::${isTimestamp ? 'timestamptz' : column.nativeType}`;
}

function matches(by: readonly Column[]): string {
  return by
    .map((column, at) => `t.${inDoubleQuotes(column.name)} = ${valueOf(column, at)}`)
    .join(' and ');
}

function insertText(table: Table, columns: readonly Column[], from: string): string {
  return (
    `insert into ${inDoubleQuotes(table.name)} ` +
    `(${columns.map((column) => inDoubleQuotes(column.name)).join(', ')}) select ` +
    `${columns.map(valueOf).join(', ')} from ${from}`
  );
}

export const postgresSets: SetStatements = {
  rowsMax: () => bounds.setRowsMax,
  read(table, key, columns, keys): Query {
    const { from, parameters } = arrays(key, keys);
    const list = columns.map((column) => `t.${inDoubleQuotes(column.name)}`).join(', ');
    return {
      sql: `select ${list} from ${inDoubleQuotes(table.name)} t join ${from} on ${matches(key)} for update of t`,
      parameters,
    };
  },
  insert(table, columns, rows): Query {
    const { from, parameters } = arrays(columns, rows);
    return { sql: insertText(table, columns, from), parameters };
  },
  insertAbsent(table, key, columns, rows): Query {
    const { from, parameters } = arrays(columns, rows);
    const names = key.map((column) => inDoubleQuotes(column.name)).join(', ');
    return {
      sql: `${insertText(table, columns, from)} on conflict (${names}) do nothing returning ${names}`,
      parameters,
    };
  },
  update(table, by, columns, rows): Query {
    const { from, parameters } = arrays([...by, ...columns], rows);
    const sets = columns
      .map((column, at) => `${inDoubleQuotes(column.name)} = ${valueOf(column, by.length + at)}`)
      .join(', ');
    return {
      sql: `update ${inDoubleQuotes(table.name)} t set ${sets} from ${from} where ${matches(by)}`,
      parameters,
    };
  },
};
