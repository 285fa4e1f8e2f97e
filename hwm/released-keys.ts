/**
 * Finds the parked writes that may be sent now: for each key those up to its next dead letter, in
 * order.
 *
 * Triggers note a key in table released whenever one of its writes is parked or released. A key
 * that has nothing to send is taken out here, so that a look costs what is sent and not what is
 * parked.
 */
import type { Database } from 'better-sqlite3';
import { limits } from '../contracts/limits.ts';
import { type Lane, laneIndex } from '../contracts/subjects.ts';

/** Writes of one key, ascending. */
export type Run = { key: string; seqs: number[] };

/** `isMore`: not all keys were looked at. */
export type Released = { runs: Run[]; isMore: boolean };

type HeldRow = { seq: number; state: 'dead' | 'parked' };

function statementsOf(db: Database) {
  return {
    keys: db
      .prepare<[number, number, string, number], string>(
        'select key from released where database = ? and lane = ? and key > ? order by key limit ?',
      )
      .pluck(),
    ofKey: db.prepare<[number, number, string, number], HeldRow>(
      'select seq, state from held indexed by held_waiting where database = ? and lane = ? ' +
        "and key = ? and state <> 'dropped' order by seq limit ?",
    ),
    takeOut: db.prepare<[number, number, string]>(
      'delete from released where database = ? and lane = ? and key = ?',
    ),
    mark: db
      .prepare<[number, number], number>('select seq from mark where database = ? and lane = ?')
      .pluck(),
  };
}

export class ReleasedKeys {
  readonly #db: Database;
  readonly #sql: ReturnType<typeof statementsOf>;
  /** The key after which the next look begins, so that every key gets its turn. */
  readonly #after = new Map<string, string>();

  constructor(db: Database) {
    this.#db = db;
    this.#sql = statementsOf(db);
  }

  /**
   * The next runs, at most `entries` writes in all, in the order of their first Seqs.
   * @param most how many writes of a key may go now
   */
  next(
    database: number,
    lane: Lane,
    entries: number,
    most: (key: string) => number = () => entries,
  ): Released {
    const place = `${database}/${lane}`;
    const from = this.#after.get(place) ?? '';
    const where = [database, laneIndex(lane)] as const;
    const keys = this.#sql.keys.all(...where, from, limits.releasedKeysLooked);
    const mark = this.#sql.mark.get(...where) ?? 0;
    const runs: Run[] = [];
    let [left, last] = [entries, ''];
    this.#db
      .transaction(() => {
        for (const key of keys) {
          if (left <= 0) break;
          last = key;
          const seqs = this.#runOf(where, key, mark, Math.min(left, most(key)));
          if (seqs.length > 0) runs.push({ key, seqs });
          left -= seqs.length;
        }
      })
      .immediate();
    const isEnd = keys.length < limits.releasedKeysLooked && last === (keys.at(-1) ?? '');
    this.#after.set(place, isEnd ? '' : last);
    runs.sort((a, b) => (a.seqs[0] ?? 0) - (b.seqs[0] ?? 0));
    // A look from the first key to the last leaves nothing out. Otherwise the other keys have their
    // turn next.
    return { runs, isMore: !isEnd || from !== '' };
  }

  #runOf(
    where: readonly [database: number, lane: number],
    key: string,
    mark: number,
    count: number,
  ): number[] {
    const rows = this.#sql.ofKey.all(...where, key, Math.max(1, count));
    if (rows[0]?.state !== 'parked') {
      this.#sql.takeOut.run(...where, key);
      return [];
    }
    const end = rows.findIndex(({ seq, state }) => state === 'dead' || seq > mark);
    return (end === -1 ? rows : rows.slice(0, end)).map((row) => row.seq);
  }
}
