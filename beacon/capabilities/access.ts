/**
 * DataBeaconAccess: reads databases without changing anything, by table and by the caller's own
 * SQL.
 */
import { type QueryOutputs, readRows, type Rows } from './access-rows.ts';
import { bounds } from '../bounds.ts';
import { typeNames } from '../databases/connection-config.ts';
import type { DatabaseConnection, Connections } from '../databases/connections.ts';
import { emptyFilter } from '../sql/filter.ts';
import { tableAt, visibleTables } from '../databases/known-tables.ts';
import { guardedQuery } from './query-guard.ts';
import { integerAt, type Settings, textAt } from '../settings.ts';
import { countMatching, selectRows } from '../sql/row-reads.ts';
import { toTable } from '../engine/table.ts';

/** Does not reveal where the databases are: Config is masked. */
export async function listConnections(
  connections: Connections,
): Promise<{ Connections: Record<string, unknown>[] }> {
  const presences = await connections.presence();
  return {
    Connections: connections.all().map(({ id, name, engine, routeHash }, at) => {
      const isConnected = presences[at]?.Connected === true;
      return {
        IDBeaconConnection: id,
        Name: name,
        Type: typeNames[engine.kind],
        Config: '{}',
        Status: isConnected ? 'OK' : 'Failed',
        Connected: isConnected,
        StoreID: presences[at]?.StoreID ?? '',
        RouteHash: routeHash,
      };
    }),
  };
}

export async function listTables(connection: DatabaseConnection): Promise<{
  Tables: { TableName: string; EndpointsEnabled: boolean; RowCountEstimate: number }[];
}> {
  const tables = [];
  for (const info of await visibleTables(connection)) {
    const filter = emptyFilter();
    filter.columns.add('Deleted');
    const [row] = await readRows(
      connection,
      countMatching(connection.engine.kind, toTable(info), filter),
    );
    tables.push({
      TableName: info.name,
      EndpointsEnabled: connection.endpoints.has(info.name),
      RowCountEstimate: Number(row?.['Count'] ?? 0),
    });
  }
  return { Tables: tables };
}

/** Rows ordered by their ids, without soft-deleted ones. */
export async function readRecords(
  connection: DatabaseConnection,
  settings: Settings,
): Promise<{ Records: Rows; Count: number }> {
  const table = toTable(await tableAt(connection, settings));
  const page = {
    begin: integerAt(settings, 'Begin', 0, Number.MAX_SAFE_INTEGER, 0),
    cap: integerAt(settings, 'Cap', 1, bounds.pageRowsMax, bounds.readRecordsDefault),
  };
  const records = await readRows(
    connection,
    selectRows(connection.engine.kind, table, emptyFilter(), page),
  );
  return { Records: records, Count: records.length };
}

/**
 * Runs one SELECT of the caller's. `IsCut` when there are more rows than `Cap`.
 * @throws TidemarkError INVALID_MESSAGE for anything but a SELECT, TOO_LARGE when it exceeds a
 * bound
 */
export async function queryTable(
  connection: DatabaseConnection,
  settings: Settings,
  timeoutMs: number,
): Promise<QueryOutputs & { IsCut: boolean }> {
  const sql = guardedQuery(
    textAt(settings, 'SQL', Number.MAX_SAFE_INTEGER),
    connection.engine.kind,
  );
  const cap = integerAt(settings, 'Cap', 1, bounds.queryRowsMax, bounds.queryRowsDefault);
  const query = {
    rowsMax: cap + 1,
    timeoutMs: Math.max(1, Math.min(bounds.queryMs, Math.round(timeoutMs * bounds.queryShare))),
  };
  const rows = await readRows(connection, { sql, parameters: [], isWrite: false, query });
  return {
    Rows: rows.slice(0, cap),
    RowCount: Math.min(rows.length, cap),
    IsCut: rows.length > cap,
  };
}
