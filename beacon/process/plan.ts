/** For the command line: the statements a database lacks, which nobody runs here. */
import { existsSync } from 'node:fs';
import type { SchemaPlan } from '../../contracts/capability.ts';
import { persistenceSchema } from '../../contracts/schema.ts';
import { newUuid, systemClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { parseDatabaseUrl } from '../databases/config.ts';
import { openEngine } from '../databases/open-engine.ts';
import { planMigration, planSchema } from '../capabilities/schema-manager.ts';
import { FrontClient, frontUrl } from '../front/front-client.ts';
import { frontPlan } from '../front/front-schema.ts';
import { FrontTables } from '../front/front-tables.ts';

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
