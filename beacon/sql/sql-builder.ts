/** Endpoint queries as SQL text of each engine, compiled by kysely; nothing is run here. */
import {
  type Expression,
  type ExpressionBuilder,
  type OrderByModifiers,
  type SelectQueryBuilder,
  sql,
  type SqlBool,
} from 'kysely';
import type { Scalar } from '../../contracts/schema.ts';
import { encode } from './codec.ts';
import type { EngineKind, Statement } from '../engine/engine.ts';
import { BadRequest, type Filter, type Group, type Term } from './filter.ts';
import { type AnySchema, builderOf, toStatement } from './query-compiler.ts';
import { type Column, Misfit, type Table, toStored } from '../engine/table.ts';

export type Schema = AnySchema;
export type Builder = ExpressionBuilder<Schema, string>;

/** The column of a table by its name. @throws BadRequest */
export function columnOf(table: Table, name: string): Column {
  const column = table.columns.get(name);
  if (!column) throw new BadRequest(`table ${table.name} has no column ${name.slice(0, 80)}`);
  return column;
}

/** The column that numbers the rows. @throws BadRequest when the table has none */
export function identityOf(table: Table): Column {
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

function comparable(kind: EngineKind, text: string, column: Column): Scalar | Expression<unknown> {
  if (kind === 'postgresql' && text.includes('\u0000'))
    throw new BadRequest('filter: PostgreSQL keeps no text with a NUL character');
  if (column.family === 'text' || column.family === 'binary') return text;
  if (column.family === 'date') return dateOf(kind, text, column);
  try {
    const value = encode(
      kind,
      toStored(text, { ...column, family: column.family === 'integer' ? 'float' : column.family }),
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
  pattern: string,
  isNot: boolean,
): Expression<SqlBool> {
  const plain = sql.ref(column.name);
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

/** What of the rows is read: all columns, or these; each combination once, if `isDistinct`. */
export type RowShape = { columns?: readonly string[]; isDistinct?: boolean };

/**
 * Rows in the filter's order, ties broken by the numbering column, or by all columns where there is
 * none to break them.
 */
export function selectRows(
  kind: EngineKind,
  table: Table,
  filter: Filter,
  page: Page,
  shape: RowShape = {},
): Statement {
  const isDistinct = shape.isDistinct === true || filter.isDistinct;
  const columns = shape.columns?.map((name) => columnOf(table, name).name);
  let query = builderOf(kind)
    .selectFrom(table.name)
    .where((eb) => visible(kind, filter, table, eb));
  query = columns ? query.select(columns) : query.selectAll();
  if (isDistinct) query = query.distinct();
  // Distinct rows are ordered by what is read, as it is read.
  const order = (name: string) =>
    isDistinct ? sql.ref(columnOf(table, name).name) : ordered(kind, columnOf(table, name));
  const isOrderable = (name: string) => !isDistinct || !columns || columns.includes(name);
  for (const { column, isDescending } of filter.sort) {
    if (!isOrderable(column))
      throw new BadRequest(
        `filter: distinct rows can only be sorted by what is read, not by ${column.slice(0, 80)}`,
      );
    query = query.orderBy(
      order(column),
      direction(kind, columnOf(table, column).isNullable, isDescending),
    );
  }
  const ties =
    table.identity && isOrderable(table.identity.name) ? [table.identity.name] : (columns ?? []);
  // SQL Server refuses to be told a column twice.
  for (const name of ties)
    if (!filter.sort.some(({ column }) => column === name))
      query = query.orderBy(
        order(name),
        kind === 'postgresql'
          ? direction(kind, columnOf(table, name).isNullable, false)
          : undefined,
      );
  return toStatement(paged(kind, query, page).compile(), false);
}

/**
 * Null is less than anything, as in every engine but PostgreSQL, which must be told; where there
 * can be none, an index serves the order as it is.
 */
export function direction(
  kind: EngineKind,
  isNullable: boolean,
  isDescending: boolean,
): OrderByModifiers {
  if (kind !== 'postgresql' || !isNullable) return isDescending ? 'desc' : 'asc';
  return (item) => (isDescending ? item.desc().nullsLast() : item.asc().nullsFirst());
}

export type Page = { begin: number; cap: number };

/** The rows of a page of an ordered query, as the engine writes it. */
export function paged<O>(
  kind: EngineKind,
  query: SelectQueryBuilder<Schema, string, O>,
  { begin, cap }: Page,
): SelectQueryBuilder<Schema, string, O> {
  // SQL Server has no page without an end, and none of no rows.
  return kind === 'mssql'
    ? query.offset(begin).fetch(Math.max(cap, 1))
    : query.limit(cap).offset(begin);
}

/** One row with the single column `Count`. */
export function countRows(kind: EngineKind, table: Table, filter: Filter): Statement {
  const query = builderOf(kind)
    .selectFrom(table.name)
    .select((eb) => eb.fn.countAll().as('Count'))
    .where((eb) => visible(kind, filter, table, eb));
  return toStatement(query.compile(), false);
}

/** A boolean column's value. */
function flag(kind: EngineKind, table: Table, value: 0 | 1): Scalar {
  const column = table.columns.get('Deleted');
  return column ? encode(kind, value, column) : value;
}

function encoded(
  kind: EngineKind,
  table: Table,
  values: Record<string, Scalar>,
): Record<string, Scalar> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      encode(kind, value, columnOf(table, name)),
    ]),
  );
}

/** The row of that number, read behind a write. */
function rowOf(kind: EngineKind, table: Table, id: Expression<unknown>): Statement {
  return toStatement(
    builderOf(kind)
      .selectFrom(table.name)
      .selectAll()
      .where(identityOf(table).name, '=', id)
      .compile(),
    false,
  );
}

/** Inserts one row and returns it whole. */
export function insertRow(
  kind: EngineKind,
  table: Table,
  values: Record<string, Scalar>,
): Statement {
  const insert = builderOf(kind).insertInto(table.name);
  const isEmpty = Object.keys(values).length === 0;
  const filled = isEmpty ? insert.defaultValues() : insert.values(encoded(kind, table, values));
  if (kind === 'mssql')
    return toStatement(
      (isEmpty
        ? insert.outputAll('inserted').defaultValues()
        : insert.outputAll('inserted').values(encoded(kind, table, values))
      ).compile(),
      true,
    );
  if (kind !== 'mysql') return toStatement(filled.returningAll().compile(), true);
  const statement = isEmpty
    ? {
        sql: `insert into \`${table.name.replaceAll('`', '``')}\` () values ()`,
        parameters: [],
        isWrite: true,
      }
    : toStatement(filled.compile(), true);
  const { identity } = table;
  if (!identity) return statement;
  const given = values[identity.name];
  return {
    ...statement,
    readBack: rowOf(kind, table, given === undefined ? sql`last_insert_id()` : sql`${given}`),
  };
}

export type RowScope = 'live' | 'deleted' | 'any';

/** Changes the row of that number, if it is in scope, and returns it whole. */
export function updateRow(
  kind: EngineKind,
  table: Table,
  id: Scalar,
  values: Record<string, Scalar>,
  scope: RowScope,
): Statement {
  const identity = identityOf(table).name;
  // SQL Server does not let a row be numbered anew, not even as it is.
  const { [identity]: number, ...others } = encoded(kind, table, values);
  const isIdle = Object.keys(others).length === 0;
  const set = isIdle ? { [identity]: number ?? id } : others;
  let query = builderOf(kind).updateTable(table.name).set(set).where(identity, '=', id);
  if (scope !== 'any' && table.columns.has('Deleted'))
    query = query.where('Deleted', '=', flag(kind, table, scope === 'live' ? 0 : 1));
  if (kind === 'mssql')
    return isIdle
      ? rowOf(kind, table, sql`${id}`)
      : toStatement(query.outputAll('inserted').compile(), true);
  if (kind === 'mysql')
    return { ...toStatement(query.compile(), true), readBack: rowOf(kind, table, sql`${id}`) };
  return toStatement(query.returningAll().compile(), true);
}

/**
 * Takes the row of that number out for good, where the table knows no soft delete. Databases that
 * can, return it.
 */
export function removeRow(kind: EngineKind, table: Table, id: Scalar): Statement {
  const query = builderOf(kind).deleteFrom(table.name).where(identityOf(table).name, '=', id);
  if (kind === 'mysql') return toStatement(query.compile(), true);
  return toStatement(
    (kind === 'mssql' ? query.outputAll('deleted') : query.returningAll()).compile(),
    true,
  );
}
