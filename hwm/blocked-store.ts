/**
 * Entries below a mark that the database does not have: dead letters, and the later writes of their
 * keys parked behind them. Only the poisoned key waits; its writes are released in Seq order by
 * retry or drop (I7).
 */
import type { Database } from 'better-sqlite3';
import { type Lane, laneIndex } from '../contracts/subjects.ts';
import type { BlockedState } from './held-body.ts';
import { HeldCounts } from './held-counts.ts';
import { fewerSettled } from './mark-row.ts';
import { ReleasedKeys } from './released-keys.ts';
import { SkippedEntries } from './skipped-entries.ts';
import { SupersededEntries } from './superseded-entries.ts';
import { WaitingKeys } from './waiting-keys.ts';

export type BlockedEntry = {
  seq: number;
  lane: number;
  key: string;
  state: BlockedState;
  reason: string | null;
  sinceMs: number;
  parked: number;
};

/**
 * How many are held in a state up to the mark, and above it without a body; for a store of any
 * schema, so it counts row by row.
 */
export const blockedCount =
  'select count(*) from held where database = @database and lane = @lane and state = @state ' +
  'and (seq <= (select seq from mark m where m.database = @database and m.lane = @lane) ' +
  'or not exists (select 1 from entry e where e.seq = held.seq and e.body is not null))';

const deadOfLane =
  'select seq, lane, key, state, reason, since_ms from held ' +
  "where database = @database and state = 'dead' and seq > @after";

function lookupsOf(db: Database) {
  return {
    isHolding: db
      .prepare<[number], number>(
        'select 1 from held where database in (select id from database) and seq = ? ' +
          "and state <> 'dropped' limit 1",
      )
      .pluck(),
    dropped: db
      .prepare<[number, number, number]>(
        "select seq from held where database = ? and lane = ? and seq > ? and state = 'dropped'",
      )
      .pluck(),
    list: db.prepare<[{ database: number; after: number; limit: number }], BlockedEntry>(
      'select h.seq, h.lane, h.key, h.state, h.reason, h.since_ms as sinceMs, ' +
        '(select count(*) from held p indexed by held_waiting where p.database = @database ' +
        "and p.lane = h.lane and p.key = h.key and p.state <> 'dropped' and p.state = 'parked' " +
        'and p.seq > h.seq) as parked ' +
        `from (${deadOfLane} and lane = 0 union all ${deadOfLane} and lane = 1 ` +
        'order by seq limit @limit) h order by h.seq',
    ),
    ofKey: db
      .prepare<[number, number, string, number]>(
        'select seq from held where database = ? and lane = ? and key = ? order by seq desc limit ?',
      )
      .pluck(),
    get: db.prepare<[number, number], BlockedEntry>(
      'select seq, lane, key, state, reason, since_ms as sinceMs, 0 as parked from held where database = ? and seq = ?',
    ),
    oldestParked: db
      .prepare<[number, number]>(
        "select min(seq) from held indexed by held_state where database = ? and lane = ? and state = 'parked'",
      )
      .pluck(),
  };
}

function changesOf(db: Database) {
  return {
    park: db.prepare(
      "insert into held values (?, ?, ?, ?, 'parked', null, ?) on conflict (database, seq) do nothing",
    ),
    kill: db.prepare(
      "insert into held values (@database, @seq, @lane, @key, 'dead', @reason, @nowMs) " +
        "on conflict (database, seq) do update set state = 'dead', reason = excluded.reason, " +
        "since_ms = excluded.since_ms where state = 'parked'",
    ),
    remove: db.prepare('delete from held where database = ? and seq = ?'),
    forget: db.prepare("delete from held where database = ? and seq = ? and state = 'dropped'"),
    countForgotten: db.prepare(
      'update mark set dropped = dropped + 1 where database = ? and lane = ?',
    ),
    noteGivenUp: db.prepare('update known set given_up = 1 where seq = ?'),
    databases: db.prepare<[], number>('select id from database').pluck(),
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
  readonly released: ReleasedKeys;
  readonly #db: Database;
  readonly #counts: HeldCounts;
  readonly superseded: SupersededEntries;
  readonly #look: ReturnType<typeof lookupsOf>;
  readonly #change: ReturnType<typeof changesOf>;

  constructor(db: Database) {
    this.#db = db;
    this.#counts = new HeldCounts(db);
    this.superseded = new SupersededEntries(db);
    this.released = new ReleasedKeys(db);
    this.#look = lookupsOf(db);
    this.#change = changesOf(db);
    this.skipped = new SkippedEntries(db);
  }

  /** Keys whose new writes must wait behind what is held, asked as they are met. */
  waitingKeys(database: number, lane: Lane): WaitingKeys {
    return new WaitingKeys(this.#db, database, laneIndex(lane));
  }

  /**
   * An entry that can never be sent becomes a dead letter before its batch goes, whether the mark
   * has passed it or not. One that was dropped stays so.
   */
  kill(
    database: number,
    lane: Lane,
    { seq, key }: { seq: number; key: string },
    reason: string,
    nowMs: number,
  ): void {
    this.#change.kill.run({ database, lane: laneIndex(lane), seq, key, reason, nowMs });
  }

  /** Whether a dead letter or what waits behind one, of any database, needs the body of an entry. */
  isHolding(seq: number): boolean {
    return this.#look.isHolding.get(seq) !== undefined;
  }

  /** Their bodies go: those that were given up are only counted from now on, and marked so. */
  forgetDropped(lane: Lane, seqs: readonly number[]): void {
    const databases = this.#change.databases
      .all()
      .filter((database) => this.#counts.all(database, lane, 'dropped') > 0);
    for (const database of databases)
      for (const seq of seqs)
        if (this.#change.forget.run(database, seq).changes > 0) {
          this.#change.noteGivenUp.run(seq);
          this.#change.countForgotten.run(database, laneIndex(lane));
        }
  }

  /**
   * Takes entries out of a batch before it is sent again without them; they wait for the mark to
   * pass, then go in runs of their key.
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
        for (const { seq, key } of entries) {
          again += this.#change.park.run(database, seq, laneIndex(lane), key, nowMs).changes;
          this.superseded.remove(database, seq);
        }
        this.#change.uncount.run({ again, database, lane: laneIndex(lane) });
        return again;
      })
      .immediate();
  }

  /** Held entries reached the database after all. */
  settle(database: number, lane: Lane, seqs: readonly number[], isApplied: boolean): void {
    this.#db
      .transaction(() => {
        let gone = 0;
        for (const seq of seqs) gone += this.#change.remove.run(database, seq).changes;
        this.#change.countSettled.run(
          isApplied ? gone : 0,
          isApplied ? 0 : gone,
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
    return this.#counts.count(database, lane, state);
  }

  /** Dead letters as `count` counts them, and all that were given up, kept or not. */
  countGivenUp(database: number, lane: Lane): number {
    return this.#counts.countGivenUp(database, lane);
  }

  /** Held entries with a body and `from` < Seq <= `through`, dropped ones included. */
  countBetween(database: number, lane: Lane, from: number, through: number): number {
    return this.#counts.countBetween(database, lane, from, through);
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
    return this.#look.list.all({ database, after, limit });
  }

  /** Seqs held of one key, newest first. */
  ofKey(database: number, lane: Lane, key: string, limit: number): number[] {
    return this.#look.ofKey.all(database, laneIndex(lane), key, limit) as number[];
  }

  get(database: number, seq: number): BlockedEntry | null {
    return this.#look.get.get(database, seq) ?? null;
  }

  /**
   * The lowest Seq that waits behind a dead letter, or is to be sent one by one; null when none
   * does.
   */
  oldestParked(database: number, lane: Lane): number | null {
    return this.#look.oldestParked.get(database, laneIndex(lane)) as number | null;
  }
}
