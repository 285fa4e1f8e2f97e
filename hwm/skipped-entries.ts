/**
 * Entries that an operator skipped by moving a mark forwards. They are rows of held like dropped
 * dead letters, recognised by their reason, and are sent after all when the mark is moved back.
 */
import type { Database } from 'better-sqlite3';
import { heldHasBody } from './held-body.ts';
import { type Lane, laneIndex } from '../contracts/subjects.ts';

const prefix = 'skipped by hwm set: ';
const isSkipped = `state = 'dropped' and substr(reason, 1, ${prefix.length}) = '${prefix}' and ${heldHasBody}`;

function statementsOf(db: Database) {
  const add = (view: string) =>
    db.prepare(
      'insert into held select @database, seq, @lane, key, ' +
        `'dropped', @reason, @nowMs from ${view} where seq > @from and seq <= @through ` +
        "on conflict (database, seq) do update set state = 'dropped', " +
        "reason = excluded.reason, since_ms = excluded.since_ms where state <> 'dropped'",
    );
  return {
    add: [add('queue_entry'), add('manifest_entry')] as const,
    takeBack: db.prepare(
      `delete from held where database = ? and lane = ? and seq > ? and ${isSkipped}`,
    ),
    count: db
      .prepare<[number, number, number, number]>(
        'select count(*) from held where database = ? and lane = ? ' +
          `and seq > ? and seq <= ? and ${isSkipped}`,
      )
      .pluck(),
  };
}

export class SkippedEntries {
  readonly #sql: ReturnType<typeof statementsOf>;

  constructor(db: Database) {
    this.#sql = statementsOf(db);
  }

  /**
   * Skips all entries with `from` < Seq <= `through`, whether they were blocked or not, so that a
   * mark may pass them. Returns how many.
   */
  add(
    database: number,
    lane: Lane,
    slice: { from: number; through: number; reason: string; nowMs: number },
  ): number {
    return this.#sql.add[lane === 'queue' ? 0 : 1].run({
      ...slice,
      reason: prefix + slice.reason,
      database,
      lane: laneIndex(lane),
    }).changes;
  }

  /**
   * Takes skipped entries above `seq` out of table held, so that they are sent. Dropped dead
   * letters stay dropped.
   */
  takeBack(database: number, lane: Lane, seq: number): number {
    return this.#sql.takeBack.run(database, laneIndex(lane), seq).changes;
  }

  /** How many entries with `from` < Seq <= `through` `takeBack` would take out. */
  count(database: number, lane: Lane, from: number, through: number): number {
    return Number(this.#sql.count.get(database, laneIndex(lane), from, through));
  }
}
