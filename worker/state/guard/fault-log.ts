/**
 * The last faults of the local state, for health: what happened, when, and what was saved or lost
 * by it.
 */
import { limits } from '../../../contracts/limits.ts';
import { isoOf } from '../../../runtime/clock.ts';
import type { Connection } from '../connection.ts';

export type FaultView = { At: string; Class: string; What: string; Detail: unknown };

export function lastFaults(db: Connection): FaultView[] {
  const rows = db
    .prepare<[number], { atMs: number; class: string; what: string; detail: string | null }>(
      'select at_ms as atMs, class, what, detail from fault order by id desc limit ?',
    )
    .all(limits.faultsShown);
  return rows.map((row) => ({
    At: isoOf(row.atMs),
    Class: row.class,
    What: row.what,
    Detail: row.detail === null ? null : (JSON.parse(row.detail) as unknown),
  }));
}

/** Old ones go: a fault a day is kept for years. */
export function forgetOldFaults(db: Connection): void {
  db.prepare('delete from fault where id <= (select max(id) from fault) - ?').run(
    limits.faultsKept,
  );
}
