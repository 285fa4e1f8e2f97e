/**
 * Aggregates and joins as SQL text for each engine, compiled by kysely. Names are checked or come
 * from introspection; values are bound.
 */
import { type AggregateFunctionBuilder, sql } from 'kysely';
import type { EngineKind, Statement } from '../engine/engine.ts';
import { type Filter } from './filter.ts';
import { type Builder, columnOf, visible } from './conditions.ts';
import { type AnySchema, builderOf, toStatement } from './query-compiler.ts';
import { direction, type Page, paged } from './row-reads.ts';
import type { Table } from '../engine/table.ts';

export type AggregateFunction = 'sum' | 'count' | 'avg' | 'min' | 'max';
export type AggregateQuery = {
  groupBy: string[];
  /** A null source counts rows. */
  aggregates: { source: string | null; call: AggregateFunction; as: string }[];
  filter: Filter;
  /** Names in the result. */
  orderBy: { name: string; isDescending: boolean }[];
};

function callOf(
  kind: EngineKind,
  eb: Builder,
  { source, call, as }: AggregateQuery['aggregates'][number],
  table: Table,
): ReturnType<AggregateFunctionBuilder<AnySchema, string>['as']> {
  if (source === null) return eb.fn.countAll().as(as);
  const { name } = columnOf(table, source);
  // An average of integers is cut to four decimal places in MySQL, and to none in SQL Server.
  const of =
    call === 'avg' && (kind === 'mysql' || kind === 'mssql')
      ? sql`${sql.ref(name)} * 1e0`
      : sql.ref(name);
  return sql<number>`${sql.raw(call)}(${of})`.as(as) as unknown as ReturnType<
    AggregateFunctionBuilder<AnySchema, string>['as']
  >;
}

/** Groups in the requested order, then by the grouping columns. */
export function aggregateRows(
  kind: EngineKind,
  table: Table,
  query: AggregateQuery,
  page: Page,
): Statement {
  const groups = query.groupBy.map((name) => columnOf(table, name).name);
  let select = builderOf(kind)
    .selectFrom(table.name)
    .where((eb) => visible(kind, query.filter, table, eb))
    .select(
      (eb) =>
        [
          ...groups,
          ...query.aggregates.map((aggregate) => callOf(kind, eb, aggregate, table)),
        ] as string[],
    );
  if (groups.length > 0) select = select.groupBy(groups);
  for (const { name, isDescending } of query.orderBy)
    select = select.orderBy(name, direction(kind, true, isDescending));
  for (const name of groups)
    if (!query.orderBy.some((one) => one.name === name))
      select = select.orderBy(name, direction(kind, columnOf(table, name).isNullable, false));
  // Without groups there is one row and no page; SQL Server allows no page without an order.
  return toStatement((groups.length > 0 ? paged(kind, select, page) : select).compile(), false);
}

export type JoinQuery = {
  on: { source: string; related: string };
  columns: { side: 'source' | 'related'; column: string; as: string }[];
  /** A unique column of the source. */
  orderBy: string;
  /** Only rows after this value of `orderBy`. */
  after: string | number | null;
};

/** Pairs of rows of both tables, without soft-deleted ones. */
export function joinRows(
  kind: EngineKind,
  source: Table,
  related: Table,
  query: JoinQuery,
  page: Page,
): Statement {
  const tables = { source, related };
  const name = (side: 'source' | 'related', column: string) =>
    `${side}.${columnOf(tables[side], column).name}`;
  const order = name('source', query.orderBy);
  let select = builderOf(kind)
    .selectFrom(`${source.name} as source`)
    .innerJoin(
      `${related.name} as related`,
      name('source', query.on.source),
      name('related', query.on.related),
    )
    .select(query.columns.map(({ side, column, as }) => `${name(side, column)} as ${as}`));
  for (const side of ['source', 'related'] as const) {
    if (tables[side].columns.has('Deleted')) select = select.where(`${side}.Deleted`, '=', 0);
  }
  if (query.after !== null) select = select.where(order, '>', query.after);
  select = select.orderBy(order);
  // A source row can have several pairs; a total order keeps pages stable between them.
  if (related.identity) select = select.orderBy(name('related', related.identity.name));
  return toStatement(paged(kind, select, page).compile(), false);
}
