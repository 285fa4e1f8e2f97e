/**
 * For the command line, without a running beacon: reads a beacon's audit, and plans a schema
 * change.
 */
import { existsSync } from 'node:fs';
import type { SchemaPlan } from '../../contracts/capability.ts';
import { persistenceSchema } from '../../contracts/schema.ts';
import { newUuid, systemClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { parseDatabaseUrl } from '../databases/config.ts';
import { openEngine } from '../databases/open-engine.ts';
import { planMigration, planSchema } from '../capabilities/schema-manager.ts';
import { readAudit } from '../databases/state.ts';
import { FrontClient, frontUrl } from '../front/front-client.ts';
import { frontPlan } from '../front/front-schema.ts';
import { FrontTables } from '../front/front-tables.ts';

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
 * What EnsureSchema of the persistence schema would do to a database, or what somebody else has to
 * do to one behind a retold-databeacon. A missing SQLite file is not created.
 * @param url a database's, or the http:// of a retold-databeacon with a connection of this number
 * @throws TidemarkError CONFIG_INVALID, UNAVAILABLE
 */
export async function planOf(url: string, connection: number): Promise<SchemaPlan> {
  if (/^https?:/i.test(url)) {
    const client = new FrontClient(frontUrl(url));
    const tables = new FrontTables(client, createLog('plan', 'silent'), systemClock);
    return frontPlan(
      { client, tables },
      {
        IDBeaconConnection: connection,
        SchemaName: 'ultravisor',
        SchemaJSON: persistenceSchema,
      },
    );
  }
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
