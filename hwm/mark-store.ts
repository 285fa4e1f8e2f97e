/**
 * The marks of all databases, and how a batch is settled. They are in the same file as the journal.
 *
 * Constraints: I4, a mark never moves back by itself; I5, a mark is at s only if every entry up to
 * s is settled or blocked. Ordering: `settle` writes mark, blocked entries and counts in one
 * transaction, after the backend committed and before the next batch is sent.
 */
import type { Database } from 'better-sqlite3';
import { limits } from '../contracts/limits.ts';
import { type Lane, laneIndex, lanes } from '../contracts/subjects.ts';
import type { CarrierName } from '../contracts/status.ts';
import { fewerSettled, markColumns, type MarkRow, markTables } from './mark-row.ts';
import { SupersededEntries } from './superseded-entries.ts';

export type Mark = MarkRow & {
  /**
   * Sent to the database with the mark. Moving the mark, or delivering below it, begins a new one.
   */
  epoch: string;
  /**
   * Earlier epochs, with blanks between, that the database may still show because it has not
   * confirmed the present one; null once it has.
   */
  epochBefore: string | null;
  /** The lowest mark that the database can show under one of those unless it lost writes. */
  seqBefore: number | null;
};

/**
 * A move of a mark to another place, under a new epoch. `again` of the settled entries are not
 * settled any more.
 */
export type Move = {
  to: number;
  guid: Buffer | null;
  recordedMs: number | null;
  again: number;
  epoch: string;
};

/**
 * How a batch ended. `blocked` are the entries that the database does not have: dead letters, and
 * later writes of their keys.
 */
export type Settlement = {
  throughSeq: number;
  throughGuid: Buffer;
  recordedMs: number;
  nowMs: number;
  applied: number;
  present: number;
  /** Entries of an earlier owner, behind rows of a later one. */
  superseded?: readonly { seq: number; key: string }[];
  blocked: { seq: number; key: string; state: 'dead' | 'parked'; reason: string | null }[];
  carrier: CarrierName;
};

const select =
  `select ${markColumns()}, m.epoch, m.epoch_before as epochBefore, m.seq_before as seqBefore ` +
  `from ${markTables}`;

const epochBefore = "epoch_before = trim(coalesce(epoch_before, '') || ' ' || epoch)";

function lookupsOf(db: Database) {
  return {
    databaseId: db.prepare<[string, number], { id: number }>(
      'select id from database where beacon = ? and connection = ?',
    ),
    get: db.prepare<[number, number], Mark>(`${select} where m.database = ? and m.lane = ?`),
    list: db.prepare<[number], Mark>(`${select} where m.lane = ? order by d.beacon, d.connection`),
    // An operator's assignment goes before a tag's choice.
    assigned: db.prepare<[{ lane: number }], { beacon: string; connection: number }>(
      'select beacon, connection from assignment where lane = @lane union all ' +
        'select beacon, connection from tag_choice where lane = @lane limit 1',
    ),
    deliveredAt: db
      .prepare<[number, number, number]>(
        'select at_ms from delivery where database = ? and lane = ? and through_seq >= ? order by through_seq limit 1',
      )
      .pluck(),
  };
}

function changesOf(db: Database) {
  return {
    addDatabase: db.prepare(
      'insert into database (beacon, connection) values (?, ?) on conflict (beacon, connection) do nothing',
    ),
    setStore: db.prepare('update mark set store_id = ? where database = ? and lane = ?'),
    addMark: db.prepare(
      'insert into mark (database, lane, seq, applied, present, skipped, store_id, epoch) ' +
        "values (?, ?, ?, 0, 0, ?, '', coalesce((select value from meta where name = 'epoch'), '')) " +
        'on conflict (database, lane) do nothing',
    ),
    advance: db.prepare(
      'update mark set seq = @throughSeq, guid = @throughGuid, recorded_ms = @recordedMs, ' +
        'applied_ms = @nowMs, applied = applied + @applied, present = present + @present, ' +
        'superseded = superseded + @superseded, ' +
        'carrier = @carrier, epoch_before = null, seq_before = null ' +
        'where database = @database and lane = @lane and seq < @throughSeq',
    ),
    rewind: db.prepare(
      `update mark set seq = @to, guid = null, ${fewerSettled} ` +
        'where database = @database and lane = @lane',
    ),
    move: db.prepare(
      `update mark set seq = @to, guid = @guid, recorded_ms = @recordedMs, ${fewerSettled}, ` +
        `${epochBefore}, seq_before = min(coalesce(seq_before, seq), seq, @to), epoch = @epoch ` +
        'where database = @database and lane = @lane',
    ),
    renew: db.prepare(
      `update mark set ${epochBefore}, seq_before = min(coalesce(seq_before, seq), seq), ` +
        'epoch = ? where database = ? and lane = ?',
    ),
    confirm: db.prepare(
      'update mark set epoch_before = null, seq_before = null where database = ? and lane = ? and epoch = ?',
    ),
    passOver: db.prepare<[{ lane: number; seq: number }]>(
      'update mark set skipped = skipped + 1 where lane = @lane and seq < @seq and not exists ' +
        '(select 1 from held h where h.database = mark.database and h.seq = @seq)',
    ),
    hold: db.prepare(
      'insert into held values (@database, @seq, @lane, @key, @state, @reason, @nowMs) on ' +
        'conflict (database, seq) do nothing',
    ),
    // There is one row for each `limits.deliverySlotMs` with deliveries. Its time is that of the
    // last delivery.
    mergeDelivery: db.prepare(
      'delete from delivery where database = @database and lane = @lane and through_seq = ' +
        '(select max(through_seq) from delivery where database = @database and lane = @lane) ' +
        'and at_ms >= @slotFromMs',
    ),
    delivery: db.prepare(
      'insert into delivery values (@database, @lane, @throughSeq, @nowMs) on conflict do nothing',
    ),
    // The rows of a lane are in the order of time, so only the first ones can be old enough.
    forgetDeliveries: db.prepare(
      'delete from delivery where database = @database and lane = @lane and through_seq in ' +
        '(select through_seq from delivery where database = @database and lane = @lane ' +
        'order by through_seq limit @limit) and at_ms < @ms',
    ),
  };
}

export class MarkStore {
  readonly superseded: SupersededEntries;
  readonly #db: Database;
  readonly #look: ReturnType<typeof lookupsOf>;
  readonly #change: ReturnType<typeof changesOf>;

  constructor(db: Database) {
    this.#db = db;
    this.superseded = new SupersededEntries(db);
    this.#look = lookupsOf(db);
    this.#change = changesOf(db);
  }

  /**
   * The mark of a database and lane, made at `seq` if there was none. `skipped` counts entries that
   * are stripped already, so that this database cannot get them.
   */
  open(beacon: string, connection: number, lane: Lane, seq: number, skipped: number): Mark {
    this.#db
      .transaction(() => {
        this.#change.addDatabase.run(beacon, connection);
        const { id } = this.#look.databaseId.get(beacon, connection) as { id: number };
        this.#change.addMark.run(id, laneIndex(lane), seq, skipped);
      })
      .immediate();
    const { id } = this.#look.databaseId.get(beacon, connection) as { id: number };
    return this.get(id, lane) as Mark;
  }

  /** The mark of a connection of a beacon, or null when nothing was ever assigned to it. */
  find(beacon: string, connection: number, lane: Lane): Mark | null {
    const known = this.#look.databaseId.get(beacon, connection);
    return known ? this.get(known.id, lane) : null;
  }

  /** The mark of the database that a lane is assigned to, before anything is started. */
  assigned(lane: Lane): Mark | null {
    const chosen = this.#look.assigned.get({ lane: laneIndex(lane) });
    return chosen ? this.find(chosen.beacon, chosen.connection, lane) : null;
  }

  get(database: number, lane: Lane): Mark | null {
    return this.#look.get.get(database, laneIndex(lane)) ?? null;
  }

  list(lane: Lane): Mark[] {
    return this.#look.list.all(laneIndex(lane));
  }

  /**
   * Settles a batch: writes its blocked entries, the counts and the mark in one transaction. Does
   * nothing when the mark is already at the end of the batch or past it (I4).
   */
  settle(database: number, lane: Lane, settlement: Settlement): void {
    this.#db
      .transaction(() => {
        const where = { database, lane: laneIndex(lane), nowMs: settlement.nowMs };
        const { blocked, superseded = [], ...counts } = settlement;
        const moved = { ...counts, superseded: superseded.length, ...where };
        if (this.#change.advance.run(moved).changes === 0) return;
        this.superseded.add(database, lane, superseded, settlement.nowMs);
        for (const one of blocked) this.#change.hold.run({ ...one, ...where });
        const slotFromMs = settlement.nowMs - (settlement.nowMs % limits.deliverySlotMs);
        this.#change.mergeDelivery.run({ ...where, slotFromMs });
        this.#change.delivery.run({ ...where, throughSeq: settlement.throughSeq });
      })
      .immediate();
  }

  /**
   * Moves the mark back because the database itself shows an older one: it was restored, or is
   * another database. `again` is how many settled entries will be sent again.
   */
  rewind(database: number, lane: Lane, to: number, again: number): void {
    this.#change.rewind.run({ database, lane: laneIndex(lane), to, again });
    this.superseded.takeBack(database, lane, to);
  }

  /**
   * Moves the mark forwards or back, under a new epoch: the database then takes entries again that
   * it had under the old one.
   */
  move(database: number, lane: Lane, move: Move): void {
    this.#change.move.run({ ...move, database, lane: laneIndex(lane) });
    this.superseded.takeBack(database, lane, move.to);
  }

  /**
   * Begins a new epoch at the same Seq, for entries that are delivered below the mark. A copy of
   * the database that still shows the old epoch does not have them.
   */
  renewEpoch(database: number, lane: Lane, epoch: string): void {
    this.#change.renew.run(epoch, database, laneIndex(lane));
  }

  /**
   * Call it when the database shows the epoch. From then on an earlier epoch means that the
   * database went back in time.
   */
  confirmEpoch(database: number, lane: Lane, epoch: string): void {
    this.#change.confirm.run(database, laneIndex(lane), epoch);
  }

  /**
   * Call it before entries are stripped: counts them as skipped for databases whose marks are below
   * them. Those are no longer assigned, and can never get them.
   */
  passOver(lane: Lane, seqs: readonly number[]): void {
    for (const seq of seqs) this.#change.passOver.run({ lane: laneIndex(lane), seq });
  }

  /**
   * Remembers the identity of the database behind a connection. Each lane does so for itself,
   * because each has to notice when it is another database.
   */
  setStoreId(database: number, lane: Lane, storeId: string): void {
    this.#change.setStore.run(storeId, database, laneIndex(lane));
  }

  /**
   * When the batch with `seq` was settled, in ms, at most `limits.deliverySlotMs` too late. Null
   * when it is not settled, or when that was too long ago.
   */
  settledAt(database: number, lane: Lane, seq: number): number | null {
    return (
      (this.#look.deliveredAt.get(database, laneIndex(lane), seq) as number | undefined) ?? null
    );
  }

  /** Forgets times of delivery in one bounded step; true when there may be more. */
  forgetDeliveriesBefore(ms: number): boolean {
    const limit = limits.forgetStepEntries;
    return lanes
      .flatMap((lane) =>
        this.list(lane).map(({ database }) => ({ database, lane: laneIndex(lane) })),
      )
      .map((of) => this.#change.forgetDeliveries.run({ ...of, ms, limit }).changes)
      .some((changes) => changes === limit);
  }
}
