/** Reads the last faults of the local state for health, and deletes old ones. */
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

/** Keeps the last `limits.faultsKept` faults: years of them, at one a day. */
export function forgetOldFaults(db: Connection): void {
  db.prepare('delete from fault where id <= (select max(id) from fault) - ?').run(
    limits.faultsKept,
  );
}
