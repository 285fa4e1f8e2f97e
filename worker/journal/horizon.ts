/**
 * The dedup horizon: how far back accepted writes are known by their EventGUIDs. Writes are
 * forgotten in the order of Seq. The greatest time in their version 7 GUIDs is kept: a write with
 * an earlier time may be a forgotten one.
 */
import { limits } from '../../contracts/limits.ts';
import type { Dedup } from '../../contracts/status.ts';
import type { Connection } from '../state/connection.ts';
import { guidTimeMs } from '../state/entry-identity.ts';
import { hasOldEntries } from '../state/schema/old-entries.ts';

/** How long accepted writes are known, and how many at most. */
export type DedupBounds = { entries: number; ms: number };

export const usualDedup: DedupBounds = { entries: limits.dedupEntriesMax, ms: limits.dedupMs };

/**
 * What was forgotten so far: up to which Seq, the latest time of acceptance, and the greatest time
 * in a GUID.
 */
export type Forgotten = { throughSeq: number; acceptedMs: number; guidMs: number };

type Row = { seq: number; lane: number; guid: Buffer; acceptedMs: number; hasBody: number };

const columns =
  'seq, lane, guid, accepted_ms as acceptedMs, case lane ' +
  'when 0 then exists (select 1 from queue_body b where b.seq = known.seq) ' +
  'else exists (select 1 from manifest_body b where b.seq = known.seq) end as hasBody';

function statementsOf(db: Connection) {
  return {
    get: db.prepare<[], Forgotten>(
      'select through_seq as throughSeq, accepted_ms as acceptedMs, guid_ms as guidMs from horizon',
    ),
    after: db.prepare<[number, number], Row>(
      `select ${columns} from known where seq > ? order by seq limit ?`,
    ),
    bySeq: db.prepare<[number], Row>(`select ${columns} from known where seq = ?`),
    forget: db.prepare<[number]>('delete from known where seq = ?'),
    forgetSuperseded: db.prepare<[number]>(
      'delete from superseded where database in (select id from database) and seq = ?',
    ),
    count: db.prepare<[number]>('update lane set forgotten = forgotten + 1 where lane = ?'),
    move: db.prepare<[Forgotten]>(
      'update horizon set through_seq = @throughSeq, accepted_ms = @acceptedMs, guid_ms = @guidMs',
    ),
    known: db.prepare<[], number>('select sum(accepted) - sum(forgotten) from lane').pluck(),
  };
}

export class Horizon {
  readonly #db: Connection;
  readonly #sql: ReturnType<typeof statementsOf>;

  constructor(db: Connection) {
    this.#db = db;
    this.#sql = statementsOf(db);
  }

  get(): Forgotten {
    return this.#sql.get.get() ?? { throughSeq: 0, acceptedMs: 0, guidMs: 0 };
  }

  /**
   * The horizon in effect: less time than the bounds say, when the number of entries was the
   * tighter bound.
   */
  view(nowMs: number, bounds: DedupBounds): Dedup {
    const { acceptedMs } = this.get();
    const sinceMs = acceptedMs === 0 ? bounds.ms : Math.max(0, nowMs - acceptedMs);
    return {
      ForMs: Math.min(bounds.ms, sinceMs),
      Entries: bounds.entries,
      Known: this.known(),
    };
  }

  /** How many accepted writes are known by their EventGUIDs. */
  known(): number {
    return this.#sql.known.get() ?? 0;
  }

  /**
   * One bounded step: forgets what is past the bounds, the lowest Seq first, but none that still
   * has its body. Returns whether there may be more.
   * @param isOver asked behind each row: whether the step has taken long enough
   */
  step(nowMs: number, bounds: DedupBounds, isOver: () => boolean = () => false): boolean {
    if (hasOldEntries(this.#db)) return false;
    return this.#db
      .transaction(() => {
        const forgotten = this.get();
        const rows = this.#sql.after.all(forgotten.throughSeq, limits.forgetStepEntries);
        const endMs = endOf(rows, this.known() - bounds.entries, nowMs - bounds.ms);
        const kept = rows.findIndex((row) => timeOf(row) >= endMs);
        const past = kept === -1 ? rows : rows.slice(0, kept);
        let done = 0;
        for (const row of past) {
          if (!row.hasBody) this.#forget(row, forgotten);
          forgotten.throughSeq = row.seq;
          done += 1;
          if (isOver()) break;
        }
        if (done > 0) this.#sql.move.run(forgotten);
        return done > 0 && (done < past.length || done === limits.forgetStepEntries);
      })
      .immediate();
  }

  /** Forgets entries that were just stripped, if the horizon has passed them. */
  forgetBehind(seqs: readonly number[]): void {
    const forgotten = this.get();
    const behind = seqs.filter((seq) => seq <= forgotten.throughSeq);
    if (behind.length === 0) return;
    for (const seq of behind) {
      const row = this.#sql.bySeq.get(seq);
      if (row && !row.hasBody) this.#forget(row, forgotten);
    }
    this.#sql.move.run(forgotten);
  }

  #forget(row: Row, forgotten: Forgotten): void {
    this.#sql.forget.run(row.seq);
    this.#sql.forgetSuperseded.run(row.seq);
    this.#sql.count.run(row.lane);
    forgotten.acceptedMs = Math.max(forgotten.acceptedMs, row.acceptedMs);
    const guidMs = guidTimeMs(row.guid);
    if (guidMs !== null && isTold(row, guidMs))
      forgotten.guidMs = Math.max(forgotten.guidMs, guidMs);
  }
}

/** The time from which on rows are kept, by their age and by their number. */
function endOf(rows: readonly Row[], excess: number, beforeMs: number): number {
  if (excess <= 0) return beforeMs;
  const last = rows[Math.min(excess, rows.length) - 1];
  return Math.max(beforeMs, last ? last.acceptedMs + 1 : 0);
}

/**
 * The time that decides about a row: of its acceptance, or the one in its GUID, which may be a
 * little ahead.
 */
function timeOf(row: Row): number {
  const guidMs = guidTimeMs(row.guid);
  return guidMs !== null && isTold(row, guidMs) ? Math.max(guidMs, row.acceptedMs) : row.acceptedMs;
}

/** Whether the time in a GUID counts. One far ahead does not: the clock that made it was wrong. */
function isTold({ acceptedMs }: Row, guidMs: number): boolean {
  return guidMs <= acceptedMs + limits.guidAheadMs;
}
