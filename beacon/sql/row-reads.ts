/** Endpoint queries that read rows, as SQL text for each engine; nothing is run here. */
import { type OrderByModifiers, type SelectQueryBuilder, sql } from 'kysely';
import type { EngineKind, Statement } from '../engine/engine.ts';
import type { Table } from '../engine/table.ts';
import { columnOf, ordered, visible } from './conditions.ts';
import { BadRequest, type Filter } from './filter.ts';
import { type AnySchema, builderOf, toStatement } from './query-compiler.ts';

/** Which columns to read, all by default; with `isDistinct`, each combination once. */
export type RowShape = { columns?: readonly string[]; isDistinct?: boolean };

/**
 * Rows in the filter's order. Ties are broken by the identity column, or by the selected columns
 * when it is not available.
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
  // Distinct rows can only be ordered by the expressions they select.
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
  // SQL Server refuses the same column twice in ORDER BY.
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
 * Sorts null first, as every engine but PostgreSQL does by itself. A column that is not nullable is
 * left alone, so that an index can serve the order.
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

/** Limits an ordered query to a page, in the engine's syntax. */
export function paged<O>(
  kind: EngineKind,
  query: SelectQueryBuilder<AnySchema, string, O>,
  { begin, cap }: Page,
): SelectQueryBuilder<AnySchema, string, O> {
  // SQL Server has no page without an end, and no page of zero rows.
  return kind === 'mssql'
    ? query.offset(begin).fetch(Math.max(cap, 1))
    : query.limit(cap).offset(begin);
}

/** Returns one row with the single column `Count`. */
export function countMatching(kind: EngineKind, table: Table, filter: Filter): Statement {
  const query = builderOf(kind)
    .selectFrom(table.name)
    .select((eb) => eb.fn.countAll().as('Count'))
    .where((eb) => visible(kind, filter, table, eb));
  return toStatement(query.compile(), false);
}
