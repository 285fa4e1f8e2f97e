/** Translates a filter into a condition in each engine's SQL. */
import { type Expression, type ExpressionBuilder, sql, type SqlBool } from 'kysely';
import type { Scalar } from '../../contracts/schema.ts';
import type { EngineKind } from '../engine/engine.ts';
import { type Column, Misfit, type Table, toColumnValue } from '../engine/table.ts';
import { encode } from './codec.ts';
import { withoutNul } from './nul.ts';
import { BadRequest, type Filter, type Group, type Term } from './filter.ts';
import type { AnySchema } from './query-compiler.ts';

export type Builder = ExpressionBuilder<AnySchema, string>;

/**
 * Finds a column of a table by name.
 * @throws BadRequest
 */
export function columnOf(table: Table, name: string): Column {
  const column = table.columns.get(name);
  if (!column) throw new BadRequest(`table ${table.name} has no column ${name.slice(0, 80)}`);
  return column;
}

/**
 * The identity column of a table.
 * @throws BadRequest when it has none
 */
export function identityColumnOf(table: Table): Column {
  if (!table.identity)
    throw new BadRequest(`table ${table.name} has no column that numbers its rows`);
  return table.identity;
}

/**
 * SQLite stores dates as text and compares them as text; the other engines reject an invalid date.
 */
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
    // Without the cast, PostgreSQL would read the parameter as an integer.
    return kind === 'postgresql' && column.family === 'integer' && !Number.isSafeInteger(value)
      ? sql`${value}::numeric`
      : value;
  } catch (error) {
    if (error instanceof Misfit) throw new BadRequest(`filter: ${error.message}`);
    throw error;
  }
}

/**
 * Orders text by code point whatever the database's language, because the worker compares that way.
 */
export function ordered(kind: EngineKind, column: Column): Expression<unknown> {
  const plain = sql.ref(column.name);
  return kind === 'postgresql' && column.family === 'text' ? sql`${plain} collate "C"` : plain;
}

/**
 * Matches as SQLite does: patterns ignore case, and values that are not text are compared as text.
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

/** Null when the group is empty. */
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

/** The rows a reader may see: soft-deleted ones only if the filter names Deleted. */
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

/** Encodes a value for the Deleted column. */
export function flag(kind: EngineKind, table: Table, value: 0 | 1): Scalar {
  const column = table.columns.get('Deleted');
  return column ? encode(kind, value, column) : value;
}
