/**
 * Entries below a mark that the database does not have: dead letters, and the later writes of their
 * keys parked behind them. Only the poisoned key waits; its writes are released in Seq order by
 * retry or drop (I7).
 */
import type { Database } from 'better-sqlite3';
import { type Lane, laneIndex } from '../contracts/subjects.ts';
import { fewerSettled } from './mark-row.ts';
import { SkippedEntries } from './skipped-entries.ts';

export type BlockedState = 'dead' | 'parked' | 'dropped';
export type BlockedEntry = {
  seq: number;
  lane: number;
  key: string;
  state: BlockedState;
  reason: string | null;
  sinceMs: number;
  parked: number;
};

const hasBody = 'exists (select 1 from entry e where e.seq = held.seq and e.body is not null)';
/** How many are held in a state: see `BlockedStore.count`. */
export const blockedCount =
  'select count(*) from held where database = @database and lane = @lane and state = @state ' +
  'and (seq <= (select seq from mark m where m.database = @database and m.lane = @lane) ' +
  `or not ${hasBody})`;

function lookupsOf(db: Database) {
  return {
    keys: db
      .prepare<[number, number]>(
        "select distinct key from held where database = ? and lane = ? and state <> 'dropped'",
      )
      .pluck(),
    deliverable: db
      .prepare<[{ database: number; lane: number; limit: number }]>(
        'select min(seq) from held h where database = @database and lane = @lane ' +
          "and state = 'parked' and not exists (select 1 from held d indexed by held_key " +
          'where d.database = h.database and d.lane = h.lane and d.key = h.key ' +
          "and d.state = 'dead' and d.seq < h.seq) and seq <= (select seq from mark m " +
          'where m.database = h.database and m.lane = h.lane) group by key order by 1 limit @limit',
      )
      .pluck(),
    count: db
      .prepare<[{ database: number; lane: number; state: BlockedState }]>(blockedCount)
      .pluck(),
    between: db
      .prepare<[number, number, number, number]>(
        `select count(*) from held where database = ? and lane = ? and seq > ? and seq <= ? and ${hasBody}`,
      )
      .pluck(),
    dropped: db
      .prepare<[number, number, number]>(
        "select seq from held where database = ? and lane = ? and seq > ? and state = 'dropped'",
      )
      .pluck(),
    // By itself SQLite goes through all that is held above, for each row anew.
    list: db.prepare<[number, number, number], BlockedEntry>(
      'select h.seq, h.lane, h.key, h.state, h.reason, h.since_ms as sinceMs, ' +
        '(select count(*) from held p indexed by held_key where p.database = h.database ' +
        "and p.lane = h.lane and p.key = h.key and p.state = 'parked' and p.seq > h.seq) " +
        "as parked from held h where h.database = ? and h.state = 'dead' and h.seq > ? " +
        'order by h.seq limit ?',
    ),
    ofKey: db
      .prepare<[number, number, string, number]>(
        'select seq from held where database = ? and lane = ? and key = ? order by seq desc limit ?',
      )
      .pluck(),
    get: db.prepare<[number, number], BlockedEntry>(
      'select seq, lane, key, state, reason, since_ms as sinceMs, 0 as parked from held where database = ? and seq = ?',
    ),
    oldest: db
      .prepare<[number, number]>(
        "select min(seq) from held where database = ? and lane = ? and state <> 'dropped'",
      )
      .pluck(),
    oldestParked: db
      .prepare<[number, number]>(
        "select min(seq) from held where database = ? and lane = ? and state = 'parked'",
      )
      .pluck(),
  };
}

function changesOf(db: Database) {
  return {
    park: db.prepare(
      "insert into held values (?, ?, ?, ?, 'parked', null, ?) on conflict (database, seq) do nothing",
    ),
    remove: db.prepare('delete from held where database = ? and seq = ?'),
    setState: db.prepare(
      'update held set state = @state, reason = @reason, since_ms = @nowMs where database = @database and seq = @seq',
    ),
    // The counts of a mark lose what is sent again, however it was settled; sending it adds it to
    // them anew.
    uncount: db.prepare(
      `update mark set ${fewerSettled} where database = @database and lane = @lane`,
    ),
    countSettled: db.prepare(
      'update mark set applied = applied + ?, present = present + ? where database = ? and lane = ?',
    ),
  };
}

export class BlockedStore {
  readonly skipped: SkippedEntries;
  readonly #db: Database;
  readonly #look: ReturnType<typeof lookupsOf>;
  readonly #change: ReturnType<typeof changesOf>;

  constructor(db: Database) {
    this.#db = db;
    this.#look = lookupsOf(db);
    this.#change = changesOf(db);
    this.skipped = new SkippedEntries(db);
  }

  /** Keys whose new writes must wait behind what is held. */
  poisonedKeys(database: number, lane: Lane): Set<string> {
    return new Set(this.#look.keys.all(database, laneIndex(lane)) as string[]);
  }

  /** Seqs that may be delivered now: the first of each key, with no dead letter ahead of it. */
  deliverable(database: number, lane: Lane, limit: number): number[] {
    return this.#look.deliverable.all({ database, lane: laneIndex(lane), limit }) as number[];
  }

  /**
   * Takes entries out of a batch before it is sent again without them; they wait for the mark to
   * pass, then go one by one.
   */
  park(
    database: number,
    lane: Lane,
    entries: readonly { seq: number; key: string }[],
    nowMs: number,
  ): void {
    this.#db
      .transaction(() => {
        for (const entry of entries)
          this.#change.park.run(database, entry.seq, laneIndex(lane), entry.key, nowMs);
      })
      .immediate();
  }

  /**
   * Sends entries below the mark once more, each key's in Seq order; returns how many. Those held
   * already stay as they are. The counts follow, so that the balance (I10) holds at every moment.
   */
  sendAgain(
    database: number,
    lane: Lane,
    entries: readonly { seq: number; key: string }[],
    nowMs: number,
  ): number {
    return this.#db
      .transaction(() => {
        let again = 0;
        for (const entry of entries)
          again += this.#change.park.run(
            database,
            entry.seq,
            laneIndex(lane),
            entry.key,
            nowMs,
          ).changes;
        this.#change.uncount.run({ again, database, lane: laneIndex(lane) });
        return again;
      })
      .immediate();
  }

  /** A held entry reached the database after all. */
  settle(database: number, lane: Lane, seq: number, isApplied: boolean): void {
    this.#db
      .transaction(() => {
        if (this.#change.remove.run(database, seq).changes === 0) return;
        this.#change.countSettled.run(
          isApplied ? 1 : 0,
          isApplied ? 0 : 1,
          database,
          laneIndex(lane),
        );
      })
      .immediate();
  }

  /** The backend refused a held entry: it becomes (again) a dead letter. */
  bury(database: number, seq: number, reason: string, nowMs: number): void {
    this.#change.setState.run({ database, seq, state: 'dead', reason, nowMs });
  }

  /**
   * Sends a dead letter again, and in order what is parked behind it. False when there is no such
   * dead letter.
   */
  retry(database: number, seq: number, nowMs: number): boolean {
    if (this.#look.get.get(database, seq)?.state !== 'dead') return false;
    return (
      this.#change.setState.run({ database, seq, state: 'parked', reason: null, nowMs }).changes ===
      1
    );
  }

  /** Gives a dead letter up; what is parked behind it is released. It stays counted. */
  drop(database: number, seq: number, nowMs: number): boolean {
    const blocked = this.#look.get.get(database, seq);
    if (blocked?.state !== 'dead') return false;
    return (
      this.#change.setState.run({ database, seq, state: 'dropped', reason: blocked.reason, nowMs })
        .changes === 1
    );
  }

  /**
   * Held entries up to the mark, and above it those without a body; others above it are pending
   * like all there.
   */
  count(database: number, lane: Lane, state: BlockedState): number {
    return Number(this.#look.count.get({ database, lane: laneIndex(lane), state }));
  }

  /** Dead letters, dropped ones included, as `count` counts them. */
  countGivenUp(database: number, lane: Lane): number {
    return this.count(database, lane, 'dead') + this.count(database, lane, 'dropped');
  }

  /** Held entries with a body and `from` < Seq <= `through`, dropped ones included. */
  countBetween(database: number, lane: Lane, from: number, through: number): number {
    return Number(this.#look.between.get(database, laneIndex(lane), from, through));
  }

  /**
   * Seqs given up above `seq`: they stay out when a database that went back in time is sent the
   * slice again.
   */
  droppedAbove(database: number, lane: Lane, seq: number): Set<number> {
    return new Set(this.#look.dropped.all(database, laneIndex(lane), seq) as number[]);
  }

  /** Dead letters above `after`, oldest first, each with how many writes wait behind it. */
  list(database: number, limit: number, after = 0): BlockedEntry[] {
    return this.#look.list.all(database, after, limit);
  }

  /** Seqs held of one key, newest first. */
  ofKey(database: number, lane: Lane, key: string, limit: number): number[] {
    return this.#look.ofKey.all(database, laneIndex(lane), key, limit) as number[];
  }

  get(database: number, seq: number): BlockedEntry | null {
    return this.#look.get.get(database, seq) ?? null;
  }

  /** The lowest Seq that is held, or null: nothing at or above it may lose its body. */
  oldest(database: number, lane: Lane): number | null {
    return this.#look.oldest.get(database, laneIndex(lane)) as number | null;
  }

  /**
   * The lowest Seq that waits behind a dead letter, or is to be sent one by one; null when none
   * does.
   */
  oldestParked(database: number, lane: Lane): number | null {
    return this.#look.oldestParked.get(database, laneIndex(lane)) as number | null;
  }
}
