/** Runs a databeacon as a process: connects the bus, starts, and drains on the first signal. */
import { existsSync } from 'node:fs';
import type { EnsureSchemaOutputs } from '../contracts/capability.ts';
import { messageOf, processExit, TidemarkError } from '../contracts/errors.ts';
import { persistenceSchema } from '../contracts/schema.ts';
import { Bus, type BusOptions } from '../runtime/bus.ts';
import { newUuid, systemClock } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';
import { startBeacon } from './compose.ts';
import { type BeaconConfig, checkBeaconConfig, parseDatabaseUrl } from './config.ts';
import { openEngine } from './open-engine.ts';
import { planMigration, planSchema } from './schema-manager.ts';
import { readAudit } from './state.ts';

/** Runs until SIGTERM or SIGINT (a second one leaves at once); resolves with the exit code. `onReady` is called when the beacon is online. */
export async function runBeacon(config: BeaconConfig, busOptions: BusOptions, onReady: () => void = () => undefined): Promise<number> {
  const log = createLog('databeacon');
  const signalled = firstSignal();
  let bus: Bus | null = null;
  try {
    checkBeaconConfig(config);
    bus = await Promise.race([Bus.connect(busOptions, log), signalled.then(() => null)]);
    if (bus === null) return 0;
    const beacon = await startBeacon(config, bus, log, systemClock);
    onReady();
    await signalled;
    await beacon.drain();
    await bus.drain();
    return 0;
  } catch (error) {
    log.error({ reason: messageOf(error) }, 'databeacon stopped');
    await bus?.close();
    const exits: Record<string, number> = processExit;
    return error instanceof TidemarkError ? (exits[error.code] ?? 1) : 1;
  }
}

/** What the audit of a beacon says, the newest line first. @throws TidemarkError NOT_THERE without a state in the folder */
export function auditLines(dataDir: string, query: { user?: string; limit: number }): Record<string, string | number>[] {
  return readAudit(dataDir, query).map(({ at, remoteUser, capability, action, connection, table, outcome, count, detail }) => ({
    At: at, RemoteUser: remoteUser, Capability: capability, Action: action, IDBeaconConnection: connection, Table: table, Outcome: outcome, Count: count, Detail: detail,
  }));
}

/** What EnsureSchema of the persistence schema would do to a database. A SQLite file that is not there is not made. @throws TidemarkError CONFIG_INVALID, UNAVAILABLE */
export async function planOf(url: string): Promise<EnsureSchemaOutputs> {
  const database = parseDatabaseUrl(url);
  if (database.kind === 'sqlite' && !existsSync(database.path)) return planMigration('sqlite', 'ultravisor', persistenceSchema, { tables: [], storeId: '' }, newUuid()).outputs;
  const engine = openEngine(database);
  try {
    return await planSchema(engine, 'ultravisor', persistenceSchema);
  } finally {
    await engine.close();
  }
}

/** Resolves at the first signal to stop; the second ends the process, which is safe: what was answered is on disk. */
function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    const onSignal = () => {
      count += 1;
      if (count > 1) process.exit(1);
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
