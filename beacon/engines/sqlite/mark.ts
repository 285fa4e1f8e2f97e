/**
 * The mark row of a hub and lane in a SQLite database, read and written in the caller's
 * transaction.
 */
import type { StoredMark } from '../../../contracts/capability.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { bounds } from '../../bounds.ts';
import { type ApplyBatch, markTable } from '../../engine/engine.ts';
import type { SqliteHandle } from './handle.ts';

/**
 * The stored mark, or null.
 * @throws TidemarkError UNAVAILABLE when the database has no table for marks
 */
export function readMark(handle: SqliteHandle, batch: ApplyBatch): StoredMark | null {
  if (handle.table(markTable) === null) {
    throw new TidemarkError(
      'UNAVAILABLE',
      `database ${handle.path} has no table ${markTable}; run EnsureSchema first`,
      { retryAfterMs: bounds.databaseRetryMs },
    );
  }
  const sql = `SELECT "Epoch", "Seq", "UpdatedAt" FROM "${markTable}" WHERE "HubID" = ? AND "Lane" = ?`;
  return (handle.prepare(sql).get(batch.hubId, batch.lane) as StoredMark | undefined) ?? null;
}

export function writeMark(handle: SqliteHandle, batch: ApplyBatch, mark: StoredMark): void {
  handle
    .prepare(
      `INSERT INTO "${markTable}" ("HubID", "Lane", "Epoch", "Seq", "UpdatedAt") VALUES (?, ?, ?, ?, ?)` +
        (' ON CONFLICT ("HubID", "Lane") DO UPDATE SET "Epoch" = excluded."Epoch", "Seq" = ' +
          'excluded."Seq", "UpdatedAt" = excluded."UpdatedAt"'),
    )
    .run(batch.hubId, batch.lane, mark.Epoch, mark.Seq, mark.UpdatedAt);
}
