/**
 * The keys of a lane that have blocked entries, so that their new writes wait. Looks up key by key,
 * because there may be more of them than a batch has entries.
 */
import type { Database } from 'better-sqlite3';

export class WaitingKeys {
  readonly isEmpty: boolean;
  readonly #known = new Map<string, boolean>();
  readonly #find;
  readonly #letGo: () => number;
  readonly #letGoBefore: number;

  constructor(db: Database, database: number, lane: number) {
    const where = "database = ? and lane = ? and state <> 'dropped'";
    this.isEmpty =
      db
        .prepare(`select 1 from held indexed by held_waiting where ${where} limit 1`)
        .get(database, lane) === undefined;
    const find = db.prepare<[number, number, string]>(
      `select 1 from held indexed by held_waiting where ${where} and key = ? limit 1`,
    );
    this.#find = (key: string) => find.get(database, lane, key) !== undefined;
    const letGo = db
      .prepare<[number], number>('select looked_anew from lane where lane = ?')
      .pluck();
    this.#letGo = () => letGo.get(lane) ?? 0;
    this.#letGoBefore = this.#letGo();
  }

  /**
   * Blocked entries were released or settled since this object was made: a key that does not wait
   * now may have waited then.
   */
  get hasLetGo(): boolean {
    return this.#letGo() !== this.#letGoBefore;
  }

  /** Whether a key waits. The answer stays the one of the first call for that key. */
  has(key: string): boolean {
    if (this.isEmpty) return false;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#find(key);
    this.#known.set(key, found);
    return found;
  }
}
