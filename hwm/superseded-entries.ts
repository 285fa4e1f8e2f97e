/**
 * Entries that a database did not take because a later owner's row stands in their place: settled,
 * counted beside those that were applied, and never reported as such.
 */
import type { Database } from 'better-sqlite3';
import { type Lane, laneIndex } from '../contracts/subjects.ts';

export type SupersededEntry = { seq: number; lane: number; key: string; atMs: number };

function statementsOf(db: Database) {
  return {
    add: db.prepare(
      'insert into superseded (database, seq, lane, key, at_ms) values (?, ?, ?, ?, ?) ' +
        'on conflict (database, seq) do nothing',
    ),
    letGo: db.prepare('delete from held where database = ? and seq = ?'),
    count: db.prepare(
      'update mark set superseded = superseded + ? where database = ? and lane = ?',
    ),
    takeBack: db.prepare('delete from superseded where database = ? and seq > ? and lane = ?'),
    remove: db.prepare('delete from superseded where database = ? and seq = ?'),
    get: db.prepare<[number, number], SupersededEntry>(
      'select seq, lane, key, at_ms as atMs from superseded where database = ? and seq = ?',
    ),
    list: db.prepare<[number, number, number], SupersededEntry>(
      'select seq, lane, key, at_ms as atMs from superseded where database = ? and seq > ? ' +
        'order by seq limit ?',
    ),
  };
}

export class SupersededEntries {
  readonly #db: Database;
  readonly #sql: ReturnType<typeof statementsOf>;

  constructor(db: Database) {
    this.#db = db;
    this.#sql = statementsOf(db);
  }

  /** In the transaction that counts them. */
  add(
    database: number,
    lane: Lane,
    entries: readonly { seq: number; key: string }[],
    nowMs: number,
  ): void {
    for (const { seq, key } of entries)
      this.#sql.add.run(database, seq, laneIndex(lane), key, nowMs);
  }

  /** Held entries found a later owner's rows in their place. */
  settle(
    database: number,
    lane: Lane,
    entries: readonly { seq: number; key: string }[],
    nowMs: number,
  ): void {
    this.#db
      .transaction(() => {
        const gone = entries.filter(({ seq }) => this.#sql.letGo.run(database, seq).changes > 0);
        this.add(database, lane, gone, nowMs);
        this.#sql.count.run(gone.length, database, laneIndex(lane));
      })
      .immediate();
  }

  /** Those above `seq` are sent again, and may end otherwise. */
  takeBack(database: number, lane: Lane, seq: number): void {
    this.#sql.takeBack.run(database, seq, laneIndex(lane));
  }

  /** One is sent again. */
  remove(database: number, seq: number): void {
    this.#sql.remove.run(database, seq);
  }

  get(database: number, seq: number): SupersededEntry | null {
    return this.#sql.get.get(database, seq) ?? null;
  }

  /** Above `after`, oldest first. */
  list(database: number, limit: number, after = 0): SupersededEntry[] {
    return this.#sql.list.all(database, after, limit);
  }
}
