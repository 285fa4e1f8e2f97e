/**
 * The mark row of a hub and lane in a SQLite database, read and written in the caller's
 * transaction.
 */
import type { StoredMark } from '../../../contracts/capability.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { bounds } from '../../bounds.ts';
import { type ApplyBatch, markTable } from '../../engine/engine.ts';
import { insistOnTermColumns, markOfRow } from '../../engine/mark-rule.ts';
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
  const sql =
    `SELECT "Epoch", "Seq", "UpdatedAt"${hasTerm(handle) ? ', "Term", "Owner"' : ''} ` +
    `FROM "${markTable}" WHERE "HubID" = ? AND "Lane" = ?`;
  const row = handle.prepare(sql).get(batch.hubId, batch.lane);
  return row ? markOfRow(row as Record<string, unknown>) : null;
}

function hasTerm(handle: SqliteHandle): boolean {
  return handle.table(markTable)?.columns.some(({ name }) => name === 'Term') ?? false;
}

export function writeMark(handle: SqliteHandle, batch: ApplyBatch, mark: StoredMark): void {
  const isTermed = hasTerm(handle);
  insistOnTermColumns(isTermed, batch);
  const names = ['Epoch', 'Seq', 'UpdatedAt', ...(isTermed ? ['Term', 'Owner'] : [])];
  const { Epoch, Seq, UpdatedAt, Term = 0, Owner = '' } = mark;
  handle
    .prepare(
      `INSERT INTO "${markTable}" ("HubID", "Lane", ${names.map((name) => `"${name}"`).join(', ')}) ` +
        `VALUES (?, ?, ${names.map(() => '?').join(', ')}) ON CONFLICT ("HubID", "Lane") DO UPDATE ` +
        `SET ${names.map((name) => `"${name}" = excluded."${name}"`).join(', ')}`,
    )
    .run(batch.hubId, batch.lane, Epoch, Seq, UpdatedAt, ...(isTermed ? [Term, Owner] : []));
}
