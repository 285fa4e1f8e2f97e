/**
 * Blocked entries, in table held: dead letters, and the later writes of their keys parked behind
 * them. The mark passes them although the database does not have them. Only the key of a dead
 * letter waits; retry or drop releases its writes in Seq order (I7).
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

/** SQL for `count` in a store of any schema, so it counts row by row. */
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
    // Takes entries that are sent again off the counts of the mark. Settling them adds them again.
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

  /** The keys whose new writes must wait behind blocked entries. */
  waitingKeys(database: number, lane: Lane): WaitingKeys {
    return new WaitingKeys(this.#db, database, laneIndex(lane));
  }

  /**
   * Makes an entry that can never be sent a dead letter before its batch is sent, whether the mark
   * has passed it or not. A dropped entry stays dropped.
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

  /** Whether an entry is blocked for any database, so that its body is still needed. */
  isHolding(seq: number): boolean {
    return this.#look.isHolding.get(seq) !== undefined;
  }

  /**
   * Call it when entries lose their bodies: dropped ones leave table held, and are only counted
   * from then on.
   */
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
   * Parks entries, so that their batch is sent without them. Once the mark has passed them, they
   * are sent in runs of their key.
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
   * Parks entries below the mark, so that they are sent once more, each key's in Seq order. Returns
   * how many. Entries that are in table held already stay as they are. The counts change in the
   * same transaction, so that the balance (I10) holds at every moment.
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

  /** Settles blocked entries that reached the database after all. */
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

  /** Makes a blocked entry a dead letter (again), because it cannot be delivered. */
  bury(database: number, seq: number, reason: string, nowMs: number): void {
    this.#change.setState.run({ database, seq, state: 'dead', reason, nowMs });
  }

  /**
   * Releases a dead letter, and in order what is parked behind it, to be sent again. False when
   * there is no such dead letter.
   */
  retry(database: number, seq: number, nowMs: number): boolean {
    if (this.#look.get.get(database, seq)?.state !== 'dead') return false;
    return (
      this.#change.setState.run({ database, seq, state: 'parked', reason: null, nowMs }).changes ===
      1
    );
  }

  /** Drops a dead letter, and releases what is parked behind it. The dead letter stays counted. */
  drop(database: number, seq: number, nowMs: number): boolean {
    const blocked = this.#look.get.get(database, seq);
    if (blocked?.state !== 'dead') return false;
    return (
      this.#change.setState.run({ database, seq, state: 'dropped', reason: blocked.reason, nowMs })
        .changes === 1
    );
  }

  /**
   * Rows of held in a state, except those above the mark whose entries have bodies: these are
   * pending.
   */
  count(database: number, lane: Lane, state: BlockedState): number {
    return this.#counts.count(database, lane, state);
  }

  /**
   * Dead letters as `count` counts them, and all dropped ones, whether they are still in table held
   * or not.
   */
  countGivenUp(database: number, lane: Lane): number {
    return this.#counts.countGivenUp(database, lane);
  }

  /**
   * Rows of held whose entries have a body, with `from` < Seq <= `through`, dropped ones included.
   */
  countBetween(database: number, lane: Lane, from: number, through: number): number {
    return this.#counts.countBetween(database, lane, from, through);
  }

  /**
   * Dropped Seqs above `seq`. They are left out when entries are sent again to a database that went
   * back in time.
   */
  droppedAbove(database: number, lane: Lane, seq: number): Set<number> {
    return new Set(this.#look.dropped.all(database, laneIndex(lane), seq) as number[]);
  }

  /** Dead letters above `after`, oldest first, each with how many writes wait behind it. */
  list(database: number, limit: number, after = 0): BlockedEntry[] {
    return this.#look.list.all({ database, after, limit });
  }

  /** Seqs of one key in table held, newest first. */
  ofKey(database: number, lane: Lane, key: string, limit: number): number[] {
    return this.#look.ofKey.all(database, laneIndex(lane), key, limit) as number[];
  }

  get(database: number, seq: number): BlockedEntry | null {
    return this.#look.get.get(database, seq) ?? null;
  }

  /** The lowest parked Seq; null when none is parked. */
  oldestParked(database: number, lane: Lane): number | null {
    return this.#look.oldestParked.get(database, laneIndex(lane)) as number | null;
  }
}
