/**
 * Counts the bodies that are still in `entry_old`, the table of entries from before schema 5, while
 * it exists.
 */
import { type Lane, laneIndex } from '../../contracts/subjects.ts';
import type { Connection } from '../state/connection.ts';
import { hasOldEntries } from '../state/schema/old-entries.ts';

export class OldCounts {
  readonly #db: Connection;

  private constructor(db: Connection) {
    this.#db = db;
  }

  static of(db: Connection): OldCounts | null {
    return hasOldEntries(db) ? new OldCounts(db) : null;
  }

  /** Null once the table is gone. */
  between(lane: Lane, from: number, to: number | null): number | null {
    if (!hasOldEntries(this.#db)) return null;
    return (
      this.#db
        .prepare<[number, number, number], number>(
          'select count(*) from entry_old where lane = ? and seq > ? and seq <= ? and body is not null',
        )
        .pluck()
        .get(laneIndex(lane), from, to ?? Number.MAX_SAFE_INTEGER) ?? 0
    );
  }
}
