/** Finds the table a request names; the beacon's own tables are hidden. */
import { TidemarkError } from '../../contracts/errors.ts';
import type { DatabaseConnection } from './connections.ts';
import { isBeaconTable, type TableInfo } from '../engine/engine.ts';
import { type Settings, textAt } from '../settings.ts';

export const tableNameCharsMax = 128;

export async function visibleTables(connection: DatabaseConnection): Promise<TableInfo[]> {
  return (await connection.engine.introspect()).filter((table) => !isBeaconTable(table.name));
}

/**
 * The table of that name.
 * @throws TidemarkError NOT_FOUND
 */
export async function knownTable(connection: DatabaseConnection, name: string): Promise<TableInfo> {
  const [table] = isBeaconTable(name) ? [] : await connection.engine.introspect([name]);
  // An engine may resolve several spellings to the same table.
  if (table && !isBeaconTable(table.name)) return table;
  throw new TidemarkError(
    'NOT_FOUND',
    `Introspected table not found: ${name}. Connection ${connection.id} has no such table; run EnsureSchema first.`,
  );
}

/**
 * The table of `Settings.TableName`.
 * @throws TidemarkError NOT_FOUND, INVALID_MESSAGE
 */
export function tableAt(connection: DatabaseConnection, settings: Settings): Promise<TableInfo> {
  return knownTable(connection, textAt(settings, 'TableName', tableNameCharsMax));
}
