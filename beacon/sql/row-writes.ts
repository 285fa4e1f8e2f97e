/** Endpoint queries that write one row, as SQL text for each engine; nothing is run here. */
import { type Expression, sql } from 'kysely';
import type { Scalar } from '../../contracts/schema.ts';
import type { EngineKind, Statement } from '../engine/engine.ts';
import type { Table } from '../engine/table.ts';
import { encode } from './codec.ts';
import { columnOf, flag, identityColumnOf } from './conditions.ts';
import { builderOf, toStatement } from './query-compiler.ts';

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

/** Reads a row by id, after writing it. */
function rowOf(
  kind: EngineKind,
  table: Table,
  id: Expression<unknown>,
  hub: string | null = null,
): Statement {
  const query = builderOf(kind)
    .selectFrom(table.name)
    .selectAll()
    .where(identityColumnOf(table).name, '=', id);
  return toStatement((hub === null ? query : query.where('HubID', '=', hub)).compile(), false);
}

/** Inserts one row and returns it. */
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

/**
 * Updates the row with that id, if it is in scope and belongs to `hub` (null for any), and returns
 * it.
 */
export function updateRow(
  kind: EngineKind,
  table: Table,
  id: Scalar,
  values: Record<string, Scalar>,
  scope: RowScope,
  hub: string | null = null,
): Statement {
  const identity = identityColumnOf(table).name;
  // SQL Server refuses to set an identity column, even to its present value.
  const { [identity]: number, ...others } = encoded(kind, table, values);
  const isIdle = Object.keys(others).length === 0;
  const set = isIdle ? { [identity]: number ?? id } : others;
  let query = builderOf(kind).updateTable(table.name).set(set).where(identity, '=', id);
  if (scope !== 'any' && table.columns.has('Deleted'))
    query = query.where('Deleted', '=', flag(kind, table, scope === 'live' ? 0 : 1));
  if (hub !== null) query = query.where('HubID', '=', hub);
  if (kind === 'mssql')
    return isIdle
      ? rowOf(kind, table, sql`${id}`, hub)
      : toStatement(query.outputAll('inserted').compile(), true);
  if (kind === 'mysql')
    return {
      ...toStatement(query.compile(), true),
      readBack: rowOf(kind, table, sql`${id}`, hub),
    };
  return toStatement(query.returningAll().compile(), true);
}

/**
 * Deletes the row with that id for good, in tables without soft delete. Returns it where the engine
 * can.
 */
export function removeRow(
  kind: EngineKind,
  table: Table,
  id: Scalar,
  hub: string | null = null,
): Statement {
  let query = builderOf(kind).deleteFrom(table.name).where(identityColumnOf(table).name, '=', id);
  if (hub !== null) query = query.where('HubID', '=', hub);
  if (kind === 'mysql') return toStatement(query.compile(), true);
  return toStatement(
    (kind === 'mssql' ? query.outputAll('deleted') : query.returningAll()).compile(),
    true,
  );
}
