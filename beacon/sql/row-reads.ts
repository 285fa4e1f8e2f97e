/** Endpoint queries that read rows, as SQL of each engine, compiled by kysely; nothing is run here. */
import { type OrderByModifiers, type SelectQueryBuilder, sql } from 'kysely';
import type { EngineKind, Statement } from '../engine/engine.ts';
import type { Table } from '../engine/table.ts';
import { columnOf, ordered, visible } from './conditions.ts';
import { BadRequest, type Filter } from './filter.ts';
import { type AnySchema, builderOf, toStatement } from './query-compiler.ts';

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
  query: SelectQueryBuilder<AnySchema, string, O>,
  { begin, cap }: Page,
): SelectQueryBuilder<AnySchema, string, O> {
  // SQL Server has no page without an end, and none of no rows.
  return kind === 'mssql'
    ? query.offset(begin).fetch(Math.max(cap, 1))
    : query.limit(cap).offset(begin);
}

/** One row with the single column `Count`. */
export function countMatching(kind: EngineKind, table: Table, filter: Filter): Statement {
  const query = builderOf(kind)
    .selectFrom(table.name)
    .select((eb) => eb.fn.countAll().as('Count'))
    .where((eb) => visible(kind, filter, table, eb));
  return toStatement(query.compile(), false);
}
