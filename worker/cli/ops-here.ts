/** Operations without a worker: the command line takes the writer's lock and does them itself, or reads the file. */
import { existsSync } from 'node:fs';
import { TidemarkError } from '../../contracts/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { openLocal } from '../local.ts';
import { historyOf, Operations, type OperationsView, statusOf } from '../ops/operations.ts';
import type { AttemptView } from '../ops/standing.ts';
import { OperationTable } from '../ops/table.ts';
import { type Connection, openReadOnly } from '../state/connection.ts';
import { versionOf } from '../state/migrate.ts';
import { schemaVersion } from '../state/migrations.ts';
import { openStore } from '../state/open-store.ts';
import { pathsOf } from '../state/paths.ts';
import type { CliConfig } from './config.ts';
import { packageVersion } from './version.ts';

/** The first schema that knows operations. */
const firstSchema = 2;

/** Whether there was nobody to ask. */
export function isAway(error: unknown): boolean {
  return error instanceof TidemarkError && (error.code === 'UNREACHABLE' || error.code === 'UNAVAILABLE');
}

/** @throws TidemarkError NOT_THERE without a store, LOCK_HELD while somebody has it */
export async function withOperations<T>(config: CliConfig, use: (operations: Operations) => Promise<T>): Promise<T> {
  assertStore(config.data);
  const store = openStore(config.data);
  try {
    openLocal(store, config.hub);
    return await use(new Operations({ ...config.ops, store, hubId: config.hub, version: packageVersion(), clock: systemClock, backend: null }));
  } finally {
    store.close();
  }
}

export function statusHere(config: CliConfig): OperationsView {
  return reading(config.data, (db) => statusOf(config.ops.folder, new OperationTable(db), systemClock.nowMs()));
}

export function historyHere(config: CliConfig, id: string | null): AttemptView[] {
  return reading(config.data, (db) => historyOf(new OperationTable(db), id));
}

function reading<T>(data: string, use: (db: Connection) => T): T {
  assertStore(data);
  const db = openReadOnly(pathsOf(data).db);
  try {
    const version = versionOf(db);
    if (version > schemaVersion) throw new TidemarkError('NEWER_SCHEMA', `state.db has schema ${version}, this program knows ${schemaVersion}: what was run is unknown here`);
    if (version < firstSchema) throw new TidemarkError('NOT_THERE', `state.db has schema ${version}, which knows no operations yet: what was run is unknown; start the worker once`);
    return use(db);
  } finally {
    db.close();
  }
}

function assertStore(data: string): void {
  if (!existsSync(pathsOf(data).db)) throw new TidemarkError('NOT_THERE', `no worker answers and there is no store in ${data}: what was run is unknown`);
}
