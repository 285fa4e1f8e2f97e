/** DataBeaconAccess: reading databases without changing anything, by table, by SQL of the caller's, in groups and in pairs. */
import { TidemarkError } from '../contracts/errors.ts';
import { aggregateSpecAt, joinSpecAt } from './access-spec.ts';
import { bounds } from './bounds.ts';
import { typeNames } from './connection-config.ts';
import type { Connection, Connections } from './connections.ts';
import { type Statement, StatementFault } from './engine.ts';
import { BadRequest, emptyFilter } from './filter.ts';
import { knownTable, tableAt, visibleTables } from './known-tables.ts';
import { guardedQuery } from './query-guard.ts';
import { integerAt, type Settings, textAt } from './settings.ts';
import { aggregateRows, joinRows } from './sql-aggregate.ts';
import { countRows, selectRows } from './sql-builder.ts';
import { toTable } from './table.ts';

type Rows = Record<string, unknown>[];
export type QueryOutputs = { Rows: Rows; RowCount: number };

/** Where the databases are stays here: Config is masked. */
export async function listConnections(connections: Connections): Promise<{ Connections: Record<string, unknown>[] }> {
  const presences = await connections.presence();
  return {
    Connections: connections.all().map(({ id, name, engine, routeHash }, at) => {
      const isConnected = presences[at]?.Connected === true;
      return {
        IDBeaconConnection: id, Name: name, Type: typeNames[engine.kind], Config: '{}', Status: isConnected ? 'OK' : 'Failed',
        Connected: isConnected, StoreID: presences[at]?.StoreID ?? '', RouteHash: routeHash,
      };
    }),
  };
}

/** @throws TidemarkError INVALID_MESSAGE with the database's own words when it refuses the statement */
async function rowsOf(connection: Connection, statement: Statement): Promise<Rows> {
  const [result] = await connection.engine.execute([statement]);
  if (result instanceof StatementFault) throw new TidemarkError('INVALID_MESSAGE', result.message.slice(0, bounds.reasonCharsMax), { cause: result });
  return result?.rows ?? [];
}

/** What is wrong with names of columns is the sender's. */
function built(build: () => Statement): Statement {
  try {
    return build();
  } catch (cause) {
    if (cause instanceof BadRequest) throw new TidemarkError('INVALID_MESSAGE', cause.message, { cause });
    throw cause;
  }
}

export async function listTables(connection: Connection): Promise<{ Tables: { TableName: string; EndpointsEnabled: boolean; RowCountEstimate: number }[] }> {
  const tables = [];
  for (const info of await visibleTables(connection)) {
    const filter = emptyFilter();
    filter.columns.add('Deleted');
    const [row] = await rowsOf(connection, countRows(connection.engine.kind, toTable(info), filter));
    tables.push({ TableName: info.name, EndpointsEnabled: connection.endpoints.has(info.name), RowCountEstimate: Number(row?.['Count'] ?? 0) });
  }
  return { Tables: tables };
}

/** Rows in the order of their numbers, soft-deleted ones left out. */
export async function readRecords(connection: Connection, settings: Settings): Promise<{ Records: Rows; Count: number }> {
  const table = toTable(await tableAt(connection, settings));
  const page = {
    begin: integerAt(settings, 'Begin', 0, Number.MAX_SAFE_INTEGER, 0),
    cap: integerAt(settings, 'Cap', 1, bounds.pageRowsMax, bounds.readRecordsDefault),
  };
  const records = await rowsOf(connection, selectRows(connection.engine.kind, table, emptyFilter(), page));
  return { Records: records, Count: records.length };
}

/** One SELECT of the caller's. `IsCut` when there are more rows than `Cap`. @throws TidemarkError INVALID_MESSAGE for anything else, TOO_LARGE for too much */
export async function queryTable(connection: Connection, settings: Settings, timeoutMs: number): Promise<QueryOutputs & { IsCut: boolean }> {
  const sql = guardedQuery(textAt(settings, 'SQL', Number.MAX_SAFE_INTEGER), connection.engine.kind);
  const cap = integerAt(settings, 'Cap', 1, bounds.queryRowsMax, bounds.queryRowsDefault);
  const query = { rowsMax: cap + 1, timeoutMs: Math.max(1, Math.min(bounds.queryMs, Math.round(timeoutMs * bounds.queryShare))) };
  const rows = await rowsOf(connection, { sql, parameters: [], isWrite: false, query });
  return { Rows: rows.slice(0, cap), RowCount: Math.min(rows.length, cap), IsCut: rows.length > cap };
}

/** Groups of a table's rows, soft-deleted ones left out. */
export async function aggregate(connection: Connection, settings: Settings): Promise<QueryOutputs & { SQL: string }> {
  const spec = aggregateSpecAt(settings);
  const table = toTable(await knownTable(connection, spec.table));
  const statement = built(() => aggregateRows(connection.engine.kind, table, spec, spec.page));
  const numbers = spec.aggregates.filter(({ call }) => call !== 'min' && call !== 'max').map(({ as }) => as);
  const rows = await rowsOf(connection, statement);
  // Servers give sums and means as decimals in text.
  for (const row of rows) for (const name of numbers) if (typeof row[name] === 'string') row[name] = Number(row[name]);
  return { Rows: rows, RowCount: rows.length, SQL: statement.sql };
}

/** A page of pairs of rows of two tables. `CursorField` holds the next page's AfterValue, in the last row. */
export async function join(connection: Connection, settings: Settings): Promise<QueryOutputs & { Offset: number; AfterValue: unknown; CursorField: string | null; SQL: string }> {
  const spec = joinSpecAt(settings);
  const [source, related] = [toTable(await knownTable(connection, spec.table)), toTable(await knownTable(connection, spec.related))];
  const statement = built(() => joinRows(connection.engine.kind, source, related, spec, spec.page));
  const rows = await rowsOf(connection, statement);
  return { Rows: rows, RowCount: rows.length, Offset: spec.page.begin, AfterValue: spec.after, CursorField: spec.cursorField, SQL: statement.sql };
}
