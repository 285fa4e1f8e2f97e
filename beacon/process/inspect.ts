/**
 * For the command line, without a running beacon: reads a beacon's audit, and plans a schema
 * change.
 */
import { existsSync } from 'node:fs';
import type { EnsureSchemaOutputs } from '../../contracts/capability.ts';
import { persistenceSchema } from '../../contracts/schema.ts';
import { newUuid } from '../../runtime/clock.ts';
import { parseDatabaseUrl } from '../databases/config.ts';
import { openEngine } from '../databases/open-engine.ts';
import { planMigration, planSchema } from '../capabilities/schema-manager.ts';
import { readAudit } from '../databases/state.ts';

/**
 * Lines of a beacon's audit, newest first.
 * @throws TidemarkError NOT_THERE without a state in the folder
 */
export function auditLines(
  dataDir: string,
  query: { user?: string; limit: number },
): Record<string, string | number>[] {
  return readAudit(dataDir, query).map(
    ({ at, remoteUser, capability, action, connection, table, outcome, count, detail }) => ({
      At: at,
      RemoteUser: remoteUser,
      Capability: capability,
      Action: action,
      IDBeaconConnection: connection,
      Table: table,
      Outcome: outcome,
      Count: count,
      Detail: detail,
    }),
  );
}

/**
 * What EnsureSchema of the persistence schema would do to a database. A missing SQLite file is not
 * created.
 * @throws TidemarkError CONFIG_INVALID, UNAVAILABLE
 */
export async function planOf(url: string): Promise<EnsureSchemaOutputs> {
  const database = parseDatabaseUrl(url);
  if (database.kind === 'sqlite' && !existsSync(database.path))
    return planMigration(
      'sqlite',
      'ultravisor',
      persistenceSchema,
      { tables: [], storeId: '' },
      newUuid(),
    ).outputs;
  const engine = openEngine(database);
  try {
    return await planSchema(engine, 'ultravisor', persistenceSchema);
  } finally {
    await engine.close();
  }
}
