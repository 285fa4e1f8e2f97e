/** Aggregate and Join of DataBeaconAccess: grouped rows, and joined pairs of rows. */
import { TidemarkError } from '../../contracts/errors.ts';
import { type QueryOutputs, readRows } from './access-rows.ts';
import { aggregateSpecAt, joinSpecAt } from './access-spec.ts';
import type { DatabaseConnection } from '../databases/connections.ts';
import type { Statement } from '../engine/engine.ts';
import { BadRequest } from '../sql/filter.ts';
import { knownTable } from '../databases/known-tables.ts';
import type { Settings } from '../settings.ts';
import { aggregateRows, joinRows } from '../sql/sql-aggregate.ts';
import { toTable } from '../engine/table.ts';

/** Builds a statement that may run long. Unknown column names are the caller's mistake. */
function built(build: () => Statement): Statement {
  try {
    return { ...build(), isLong: true };
  } catch (cause) {
    if (cause instanceof BadRequest)
      throw new TidemarkError('INVALID_MESSAGE', cause.message, { cause });
    throw cause;
  }
}

/** Groups the rows of a table, without soft-deleted ones. */
export async function aggregate(
  connection: DatabaseConnection,
  settings: Settings,
): Promise<QueryOutputs & { SQL: string }> {
  const spec = aggregateSpecAt(settings);
  const table = toTable(await knownTable(connection, spec.table));
  const statement = built(() => aggregateRows(connection.engine.kind, table, spec, spec.page));
  const numbers = spec.aggregates
    .filter(({ call }) => call !== 'min' && call !== 'max')
    .map(({ as }) => as);
  const rows = await readRows(connection, statement);
  // Servers return sums and means as decimals in text.
  for (const row of rows)
    for (const name of numbers) if (typeof row[name] === 'string') row[name] = Number(row[name]);
  return { Rows: rows, RowCount: rows.length, SQL: statement.sql };
}

/**
 * A page of joined rows of two tables. `CursorField` names the field of the last row that is the
 * next page's AfterValue.
 */
export async function join(
  connection: DatabaseConnection,
  settings: Settings,
): Promise<
  QueryOutputs & { Offset: number; AfterValue: unknown; CursorField: string | null; SQL: string }
> {
  const spec = joinSpecAt(settings);
  const [source, related] = [
    toTable(await knownTable(connection, spec.table)),
    toTable(await knownTable(connection, spec.related)),
  ];
  const statement = built(() => joinRows(connection.engine.kind, source, related, spec, spec.page));
  const rows = await readRows(connection, statement);
  return {
    Rows: rows,
    RowCount: rows.length,
    Offset: spec.page.begin,
    AfterValue: spec.after,
    CursorField: spec.cursorField,
    SQL: statement.sql,
  };
}
