/** What a filter asks of a row, as a condition of each engine's SQL. */
import { type Expression, type ExpressionBuilder, sql, type SqlBool } from 'kysely';
import type { Scalar } from '../../contracts/schema.ts';
import type { EngineKind } from '../engine/engine.ts';
import { type Column, Misfit, type Table, toColumnValue } from '../engine/table.ts';
import { encode } from './codec.ts';
import { withoutNul } from './nul.ts';
import { BadRequest, type Filter, type Group, type Term } from './filter.ts';
import type { AnySchema } from './query-compiler.ts';

export type Builder = ExpressionBuilder<AnySchema, string>;

/** The column of a table by its name. @throws BadRequest */
export function columnOf(table: Table, name: string): Column {
  const column = table.columns.get(name);
  if (!column) throw new BadRequest(`table ${table.name} has no column ${name.slice(0, 80)}`);
  return column;
}

/** The column that numbers the rows. @throws BadRequest when the table has none */
export function identityColumnOf(table: Table): Column {
  if (!table.identity)
    throw new BadRequest(`table ${table.name} has no column that numbers its rows`);
  return table.identity;
}

/** SQLite keeps dates as text and compares them as such; the others know no date that is none. */
function dateOf(kind: EngineKind, text: string, column: Column): Scalar {
  if (kind !== 'sqlite' && Number.isNaN(Date.parse(text)))
    throw new BadRequest(
      `filter: column ${column.name} holds dates, not ${JSON.stringify(text.slice(0, 40))}`,
    );
  return encode(kind, text, column);
}

function asStored(kind: EngineKind, text: string): string {
  return kind === 'postgresql' ? withoutNul(text) : text;
}

function comparable(kind: EngineKind, text: string, column: Column): Scalar | Expression<unknown> {
  if (column.family === 'text' || column.family === 'binary') return asStored(kind, text);
  if (column.family === 'date') return dateOf(kind, text, column);
  try {
    const value = encode(
      kind,
      toColumnValue(text, {
        ...column,
        family: column.family === 'integer' ? 'float' : column.family,
      }),
      column,
    );
    // PostgreSQL takes the other side for a value of the column's own type.
    return kind === 'postgresql' && column.family === 'integer' && !Number.isSafeInteger(value)
      ? sql`${value}::numeric`
      : value;
  } catch (error) {
    if (error instanceof Misfit) throw new BadRequest(`filter: ${error.message}`);
    throw error;
  }
}

/**
 * Text in the order of its code points, whatever the language of the database: so does the worker
 * compare.
 */
export function ordered(kind: EngineKind, column: Column): Expression<unknown> {
  const plain = sql.ref(column.name);
  return kind === 'postgresql' && column.family === 'text' ? sql`${plain} collate "C"` : plain;
}

/**
 * As SQLite does it: small and capital letters are alike to a pattern, and what is no text is
 * looked at as text.
 */
function like(
  kind: EngineKind,
  column: Column,
  given: string,
  isNot: boolean,
): Expression<SqlBool> {
  const plain = sql.ref(column.name);
  const pattern = asStored(kind, given);
  switch (kind) {
    case 'postgresql':
      return isNot
        ? sql<SqlBool>`${plain}::text not ilike ${pattern} escape ''`
        : sql<SqlBool>`${plain}::text ilike ${pattern} escape ''`;
    case 'mysql':
      return isNot
        ? sql<SqlBool>`lower(${plain}) not like lower(${pattern})`
        : sql<SqlBool>`lower(${plain}) like lower(${pattern})`;
    default:
      return isNot
        ? sql<SqlBool>`${plain} not like ${pattern}`
        : sql<SqlBool>`${plain} like ${pattern}`;
  }
}

const comparisons = { EQ: '=', NE: '!=', GT: '>', GE: '>=', LT: '<', LE: '<=' } as const;

function termExpression(
  kind: EngineKind,
  term: Term,
  table: Table,
  eb: Builder,
): Expression<SqlBool> {
  const column = columnOf(table, term.column);
  switch (term.operator) {
    case 'IN':
      return eb(column.name, 'is', null);
    case 'NN':
      return eb(column.name, 'is not', null);
    case 'INN':
      return eb(
        column.name,
        'in',
        term.values.map((value) => comparable(kind, value, column)),
      );
    case 'NIN':
      return eb(
        column.name,
        'not in',
        term.values.map((value) => comparable(kind, value, column)),
      );
    case 'LK':
    case 'NLK':
      return like(kind, column, term.values[0] ?? '', term.operator === 'NLK');
    case 'EQ':
    case 'NE':
      return eb(
        column.name,
        comparisons[term.operator],
        comparable(kind, term.values[0] ?? '', column),
      );
    default:
      return eb(
        ordered(kind, column),
        comparisons[term.operator],
        comparable(kind, term.values[0] ?? '', column),
      );
  }
}

/** Null where the group says nothing. */
function groupExpression(
  kind: EngineKind,
  group: Group,
  table: Table,
  eb: Builder,
): Expression<SqlBool> | null {
  const any = group.any.flatMap((all) => {
    const terms = all.flatMap(
      (node) =>
        (node.kind === 'term'
          ? termExpression(kind, node, table, eb)
          : groupExpression(kind, node, table, eb)) ?? [],
    );
    return terms.length === 0 ? [] : [eb.and(terms)];
  });
  return any.length === 0 ? null : eb.or(any);
}

/** What a reader may see: soft-deleted rows only where the filter names Deleted. */
export function visible(
  kind: EngineKind,
  filter: Filter,
  table: Table,
  eb: Builder,
): Expression<SqlBool> {
  const isHiding = table.columns.has('Deleted') && !filter.columns.has('Deleted');
  const conditions = [
    isHiding ? eb('Deleted', '=', flag(kind, table, 0)) : null,
    groupExpression(kind, filter.where, table, eb),
  ];
  return eb.and(conditions.filter((condition) => condition !== null));
}

/** A value of the column that marks deleted rows. */
export function flag(kind: EngineKind, table: Table, value: 0 | 1): Scalar {
  const column = table.columns.get('Deleted');
  return column ? encode(kind, value, column) : value;
}
