/** Reads the state and history of operations from the store's file, without being its writer. */
import { existsSync } from 'node:fs';
import { TidemarkError } from '../../contracts/errors.ts';
import { type Connection, openReadOnly } from '../state/connection.ts';
import { versionOf } from '../state/schema/migrate.ts';
import { schemaVersion } from '../state/schema/migrations.ts';
import { pathsOf } from '../state/paths.ts';
import { OperationTable } from './table.ts';
import { type AttemptView, historyOf, type OperationsView, statusOf } from './views.ts';

/** The first schema version with operations. */
const firstSchema = 2;

/** @throws TidemarkError NOT_THERE or NEWER_SCHEMA: what was run is then unknown */
export function lookAtStatus(dataDir: string, folder: string, nowMs: number): OperationsView {
  return reading(dataDir, (db) => statusOf(folder, new OperationTable(db), nowMs));
}

/** @throws TidemarkError as `lookAtStatus`, and NOT_FOUND for an id that was never run */
export function lookAtHistory(dataDir: string, id: string | null): AttemptView[] {
  return reading(dataDir, (db) => historyOf(new OperationTable(db), id));
}

/**
 * @throws TidemarkError NOT_THERE: without a store nothing is known, which differs from nothing
 * being applied
 */
export function assertStore(dataDir: string): void {
  if (!existsSync(pathsOf(dataDir).db))
    throw new TidemarkError(
      'NOT_THERE',
      `no worker answers and there is no store in ${dataDir}: what was run is unknown`,
    );
}

function reading<T>(dataDir: string, use: (db: Connection) => T): T {
  assertStore(dataDir);
  const db = openReadOnly(pathsOf(dataDir).db);
  try {
    const version = versionOf(db);
    if (version > schemaVersion)
      throw new TidemarkError(
        'NEWER_SCHEMA',
        `state.db has schema ${version}, this program knows ${schemaVersion}: what was run is unknown here`,
      );
    if (version < firstSchema)
      throw new TidemarkError(
        'NOT_THERE',
        `state.db has schema ${version}, which knows no operations yet: what was run is unknown; start the worker once`,
      );
    return use(db);
  } finally {
    db.close();
  }
}
