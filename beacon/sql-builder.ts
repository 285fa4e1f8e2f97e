/** Endpoint queries as SQL text of each engine, compiled by kysely; nothing is run here. */
import {
  type CompiledQuery, DummyDriver, type Expression, type ExpressionBuilder, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, type SelectQueryBuilder, type SqlBool,
} from 'kysely';
import { TidemarkError } from '../contracts/errors.ts';
import type { Scalar } from '../contracts/schema.ts';
import type { EngineKind, Statement } from './engine.ts';
import { BadRequest, type Filter, type Group, type Term } from './filter.ts';
import { type Column, Misfit, type Table, toStored } from './table.ts';

export type Schema = Record<string, Record<string, unknown>>;
export type Builder = ExpressionBuilder<Schema, string>;

const sqlite = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});
const builders: Partial<Record<EngineKind, Kysely<Schema>>> = { sqlite };

/** Compiles statements of that engine; it runs none. */
export function builderOf(kind: EngineKind): Kysely<Schema> {
  const builder = builders[kind];
  if (!builder) throw new TidemarkError('INTERNAL', `no queries for ${kind} in this version`);
  return builder;
}

export function toStatement(query: CompiledQuery, isWrite: boolean): Statement {
  return { sql: query.sql, parameters: query.parameters, isWrite };
}

/** The column of a table by its name. @throws BadRequest */
export function columnOf(table: Table, name: string): Column {
  const column = table.columns.get(name);
  if (!column) throw new BadRequest(`table ${table.name} has no column ${name.slice(0, 80)}`);
  return column;
}

/** The column that numbers the rows. @throws BadRequest when the table has none */
export function identityOf(table: Table): Column {
  if (!table.identity) throw new BadRequest(`table ${table.name} has no column that numbers its rows`);
  return table.identity;
}

function comparable(text: string, column: Column): Scalar {
  if (column.family === 'text' || column.family === 'date' || column.family === 'binary') return text;
  try {
    return toStored(text, { ...column, family: column.family === 'integer' ? 'float' : column.family });
  } catch (error) {
    if (error instanceof Misfit) throw new BadRequest(`filter: ${error.message}`);
    throw error;
  }
}

const comparisons = { EQ: '=', NE: '!=', GT: '>', GE: '>=', LT: '<', LE: '<=', LK: 'like', NLK: 'not like' } as const;

function termExpression(term: Term, table: Table, eb: Builder): Expression<SqlBool> {
  const column = columnOf(table, term.column);
  switch (term.operator) {
    case 'IN':
      return eb(column.name, 'is', null);
    case 'NN':
      return eb(column.name, 'is not', null);
    case 'INN':
      return eb(column.name, 'in', term.values.map((value) => comparable(value, column)));
    case 'NIN':
      return eb(column.name, 'not in', term.values.map((value) => comparable(value, column)));
    case 'LK':
    case 'NLK':
      return eb(column.name, comparisons[term.operator], term.values[0] ?? '');
    default:
      return eb(column.name, comparisons[term.operator], comparable(term.values[0] ?? '', column));
  }
}

/** Null where the group says nothing. */
function groupExpression(group: Group, table: Table, eb: Builder): Expression<SqlBool> | null {
  const any = group.any.flatMap((all) => {
    const terms = all.flatMap((node) => (node.kind === 'term' ? termExpression(node, table, eb) : groupExpression(node, table, eb)) ?? []);
    return terms.length === 0 ? [] : [eb.and(terms)];
  });
  return any.length === 0 ? null : eb.or(any);
}

/** What a reader may see: soft-deleted rows only where the filter names Deleted. */
export function visible(filter: Filter, table: Table, eb: Builder): Expression<SqlBool> {
  const isHiding = table.columns.has('Deleted') && !filter.columns.has('Deleted');
  const conditions = [isHiding ? eb('Deleted', '=', 0) : null, groupExpression(filter.where, table, eb)];
  return eb.and(conditions.filter((condition) => condition !== null));
}

/** What of the rows is read: all columns, or these; each combination once, if `isDistinct`. */
export type RowShape = { columns?: readonly string[]; isDistinct?: boolean };

/** Rows in the filter's order, ties broken by the numbering column, or by all columns where there is none to break them. */
export function selectRows(kind: EngineKind, table: Table, filter: Filter, page: Page, shape: RowShape = {}): Statement {
  const isDistinct = shape.isDistinct === true || filter.isDistinct;
  const columns = shape.columns?.map((name) => columnOf(table, name).name);
  let query = builderOf(kind).selectFrom(table.name).where((eb) => visible(filter, table, eb));
  query = columns ? query.select(columns) : query.selectAll();
  if (isDistinct) query = query.distinct();
  const isOrderable = (name: string) => !isDistinct || !columns || columns.includes(name);
  for (const { column, isDescending } of filter.sort) {
    if (!isOrderable(column)) throw new BadRequest(`filter: distinct rows can only be sorted by what is read, not by ${column.slice(0, 80)}`);
    query = query.orderBy(columnOf(table, column).name, isDescending ? 'desc' : 'asc');
  }
  const ties = table.identity && isOrderable(table.identity.name) ? [table.identity.name] : (columns ?? []);
  // SQL Server refuses to be told a column twice.
  for (const name of ties) if (!filter.sort.some(({ column }) => column === name)) query = query.orderBy(name);
  return toStatement(paged(kind, query, page).compile(), false);
}

export type Page = { begin: number; cap: number };

/** The rows of a page of an ordered query, as the engine writes it. */
export function paged<O>(_kind: EngineKind, query: SelectQueryBuilder<Schema, string, O>, { begin, cap }: Page): SelectQueryBuilder<Schema, string, O> {
  return query.limit(cap).offset(begin);
}

/** One row with the single column `Count`. */
export function countRows(kind: EngineKind, table: Table, filter: Filter): Statement {
  const query = builderOf(kind).selectFrom(table.name).select((eb) => eb.fn.countAll().as('Count')).where((eb) => visible(filter, table, eb));
  return toStatement(query.compile(), false);
}

/** Inserts one row and returns it whole. */
export function insertRow(kind: EngineKind, table: Table, values: Record<string, Scalar>): Statement {
  const insert = builderOf(kind).insertInto(table.name);
  const filled = Object.keys(values).length === 0 ? insert.defaultValues() : insert.values(values);
  return toStatement(filled.returningAll().compile(), true);
}

export type RowScope = 'live' | 'deleted' | 'any';

/** Changes the row of that number, if it is in scope, and returns it whole. */
export function updateRow(kind: EngineKind, table: Table, id: Scalar, values: Record<string, Scalar>, scope: RowScope): Statement {
  let query = builderOf(kind).updateTable(table.name).set(values).where(identityOf(table).name, '=', id);
  if (scope !== 'any' && table.columns.has('Deleted')) query = query.where('Deleted', '=', scope === 'live' ? 0 : 1);
  return toStatement(query.returningAll().compile(), true);
}

/** Takes the row of that number out for good, where the table knows no soft delete. */
export function removeRow(kind: EngineKind, table: Table, id: Scalar): Statement {
  return toStatement(builderOf(kind).deleteFrom(table.name).where(identityOf(table).name, '=', id).returningAll().compile(), true);
}
