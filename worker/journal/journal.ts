/**
 * The journal: every accepted write, in the order of acceptance. One table has what is known of
 * each entry until the dedup horizon; each lane has a table of bodies.
 *
 * Constraints: one writer; all calls are synchronous, so that a transaction never spans a turn of
 * the event loop; prepared statements live as long as the handle. Ordering and failure of an
 * append: see `append.ts`.
 */
import { type Lane, laneIndex, lanes } from '../../contracts/subjects.ts';
import type { Entry } from '../../bridges/entry.ts';
import type { Connection } from '../state/connection.ts';
import { guidBytes, guidText } from '../state/entry-identity.ts';
import { Owners } from '../state/owners.ts';
import { oldestOldEntry } from '../state/schema/old-entries.ts';
import { type Appended, Appender, type Write } from './append.ts';
import { Bodies, type EntrySlice } from './bodies.ts';
import { Horizon } from './horizon.ts';
import { OldCounts } from './old-counts.ts';

type KnownRow = {
  seq: number;
  lane: number;
  guid: Buffer;
  acceptedMs: number;
  givenUp: number | null;
};

/**
 * `stripped` counts entries without their bodies, none of which is above `strippedThrough`;
 * `forgotten` of them are no longer known at all.
 */
export type LaneCounts = {
  accepted: number;
  head: number;
  stripped: number;
  strippedThrough: number;
  forgotten: number;
  /**
   * Grows when retention must look at entries again: a body that it had to keep may go, or a merge
   * added one below others.
   */
  lookedAnew: number;
};

/** What is known of an entry; `action` and `key` are null once it is stripped. */
export type EntryFacts = {
  seq: number;
  guid: string;
  lane: Lane;
  action: string | null;
  key: string | null;
  acceptedMs: number;
  /** It was dropped as a dead letter, and retention has deleted its row in table held. */
  isGivenUp: boolean;
};

const knownColumns = 'seq, lane, guid, accepted_ms as acceptedMs, given_up as givenUp';

function entriesOf(db: Connection) {
  return {
    byGuid: db.prepare<[Buffer], KnownRow>(
      `select ${knownColumns} from known_entry where guid = ?`,
    ),
    bySeq: db.prepare<[number], KnownRow>(`select ${knownColumns} from known_entry where seq = ?`),
    below: db
      .prepare<[number, number], number>(
        'select seq from known_entry where seq < ? order by seq desc limit ?',
      )
      .pluck(),
    lastSeq: db.prepare<[], number>("select seq from sqlite_sequence where name = 'known'").pluck(),
    keep: db.prepare<[Buffer, number]>('update known set digest = ? where seq = ?'),
  };
}

function countsOf(db: Connection, lane: Lane) {
  const count = (where: string) =>
    `select count(*) from ${lane}_body indexed by ${lane}_body_seq where ${where}`;
  return {
    after: db.prepare<[number], number>(count('seq > ?')).pluck(),
    between: db.prepare<[number, number], number>(count('seq > ? and seq <= ?')).pluck(),
  };
}

export class Journal {
  readonly horizon: Horizon;
  readonly owners: Owners;
  readonly #db: Connection;
  readonly #entries: ReturnType<typeof entriesOf>;
  readonly #bodies: Record<Lane, Bodies>;
  readonly #counts: Record<Lane, ReturnType<typeof countsOf>>;
  readonly #lane;
  readonly #strippedMore;
  readonly #appender: Appender;
  #old: OldCounts | null;

  constructor(db: Connection, hubId: string) {
    this.#db = db;
    this.#entries = entriesOf(db);
    this.owners = new Owners(db);
    this.#bodies = {
      queue: new Bodies(db, hubId, 'queue', this.owners),
      manifest: new Bodies(db, hubId, 'manifest', this.owners),
    };
    this.#counts = { queue: countsOf(db, 'queue'), manifest: countsOf(db, 'manifest') };
    this.#lane = db.prepare<[number], LaneCounts>(
      'select accepted, head, bare as stripped, bare_through as strippedThrough, forgotten, ' +
        'looked_anew as lookedAnew from lane where lane = ?',
    );
    this.#strippedMore = db.prepare<[number, number, number]>(
      'update lane set bare = bare + ?, bare_through = max(bare_through, ?) where lane = ?',
    );
    this.horizon = new Horizon(db);
    this.#appender = new Appender(db, this.owners);
    this.#old = OldCounts.of(db);
  }

  /**
   * Appends in one synced transaction; one result for each write, in the same order. Throws what
   * SQLite throws, and then nothing was stored.
   */
  append(envelopes: readonly Write[], nowMs: number): Appended[] {
    return this.#appender.append(envelopes, nowMs);
  }

  /**
   * Entries of a lane above `seq` that have their bodies, ascending, at most `limit` and about
   * `bytesMax` of bodies, but at least one. Damaged ones are left out.
   */
  readAfter(lane: Lane, seq: number, limit: number, bytesMax: number): Entry[] {
    return this.readSlice(lane, seq, limit, bytesMax).entries;
  }

  /**
   * The same with the bytes of their bodies, whether the bytes ended the slice, and the damaged
   * entries.
   */
  readSlice(lane: Lane, seq: number, limit: number, bytesMax: number): EntrySlice {
    return this.#bodies[lane].slice(seq, limit, bytesMax);
  }

  /** One entry with its body, or null when it is unknown, damaged or stripped. */
  read(seq: number): Entry | null {
    const found = this.#look(seq);
    return found === 'damaged' ? null : found;
  }

  /** Whether an entry has its body, but the body is not what was written. */
  isDamaged(seq: number): boolean {
    return this.#look(seq) === 'damaged';
  }

  #look(seq: number): Entry | 'damaged' | null {
    return this.#bodies.queue.get(seq) ?? this.#bodies.manifest.get(seq);
  }

  /** Facts of an entry by its EventGUID, body or not. */
  find(guid: string): EntryFacts | null {
    return this.#factsOf(this.#entries.byGuid.get(guidBytes(guid)));
  }

  /** The same by its Seq. */
  facts(seq: number): EntryFacts | null {
    return this.#factsOf(this.#entries.bySeq.get(seq));
  }

  #factsOf(row: KnownRow | undefined): EntryFacts | null {
    if (!row) return null;
    const lane = lanes[row.lane] ?? 'queue';
    const body = this.#bodies[lane].facts(row.seq);
    return {
      seq: row.seq,
      guid: guidText(row.guid),
      lane,
      action: body?.action ?? null,
      key: body?.key ?? null,
      acceptedMs: row.acceptedMs,
      isGivenUp: row.givenUp !== null,
    };
  }

  /**
   * Looks for a key in the next `count` entries below `seq`. It reads them all, because no index
   * has keys. `through` is the lowest Seq it looked at; null when there are none below.
   */
  findKey(
    key: string,
    seq: number,
    count: number,
  ): { seqs: number[]; looked: number; through: number | null } {
    const below = this.#entries.below.all(seq, count);
    const through = below.at(-1) ?? null;
    const seqs =
      through === null
        ? []
        : lanes
            .flatMap((lane) => this.#bodies[lane].ofKey(key, through, seq))
            .toSorted((a, b) => b - a);
    return { seqs, looked: below.length, through };
  }

  /** Whether an entry of this lane has this Seq, body or not. */
  has(lane: Lane, seq: number): boolean {
    return this.#entries.bySeq.get(seq)?.lane === laneIndex(lane);
  }

  /** The last Seq that was given; at least the wall clock of the start, in microseconds. */
  lastSeq(): number {
    return this.#entries.lastSeq.get() ?? 0;
  }

  counts(lane: Lane): LaneCounts {
    return this.#lane.get(laneIndex(lane)) as LaneCounts;
  }

  /** Entries of a lane above `seq` that have their bodies, counted one by one. */
  countAfter(lane: Lane, seq: number): number {
    return (this.#counts[lane].after.get(seq) ?? 0) + this.#countOld(lane, seq, null);
  }

  /** The same for `from` < Seq <= `to`. */
  countBetween(lane: Lane, from: number, to: number): number {
    if (from >= to) return 0;
    return (this.#counts[lane].between.get(from, to) ?? 0) + this.#countOld(lane, from, to);
  }

  /** Seq of the entry that is `count` entries with bodies above `seq`; null when there are fewer. */
  seqAhead(lane: Lane, seq: number, count: number): number | null {
    return this.#bodies[lane].ahead(seq, count);
  }

  #countOld(lane: Lane, from: number, to: number | null): number {
    const count = this.#old?.between(lane, from, to) ?? null;
    if (count === null) this.#old = null;
    return count ?? 0;
  }

  /** The average bytes of a body, over the newest hundreds; 0 without any. */
  bodyBytes(): number {
    const sizes = lanes.flatMap((lane) => this.#bodies[lane].newestBytes(500));
    return sizes.length === 0 ? 0 : sizes.reduce((sum, bytes) => sum + bytes, 0) / sizes.length;
  }

  /**
   * When the oldest entry above `seq` that has its body was accepted, or null when there is none.
   */
  oldestAfter(lane: Lane, seq: number): number | null {
    return this.#bodies[lane].oldestAfter(seq);
  }

  /** When an entry that has its body was accepted. */
  acceptedMs(lane: Lane, seq: number): number {
    return this.#bodies[lane].facts(seq)?.acceptedMs ?? 0;
  }

  /**
   * Seqs with bodies, `after` < Seq <= `through`, but only those below the entries that are still
   * in `entry_old`.
   */
  seqsBetween(lane: Lane, after: number, through: number, limit: number): number[] {
    const oldest = this.#old ? oldestOldEntry(this.#db) : null;
    return this.#bodies[lane].seqs(
      after,
      oldest === null ? through : Math.min(through, oldest - 1),
      limit,
    );
  }

  /** Runs steps on the store as one transaction: all of them, or none. */
  together(steps: () => void): void {
    this.#db.transaction(steps).immediate();
  }

  /**
   * Strips entries: deletes their bodies, and keeps GUID, Seq and a digest, so that a repeat is
   * still a duplicate. Entries behind the dedup horizon are forgotten at once.
   */
  strip(lane: Lane, entries: readonly Entry[]): void {
    this.stripSeqs(
      lane,
      entries.map((entry) => entry.seq),
    );
  }

  /** The same by Seq. A damaged entry gets `unknownDigest`. */
  stripSeqs(lane: Lane, seqs: readonly number[]): void {
    this.together(() => {
      let [stripped, last] = [0, 0];
      for (const seq of seqs) {
        const digest = this.#bodies[lane].digest(seq);
        if (digest === null || !this.#bodies[lane].remove(seq)) continue;
        this.#entries.keep.run(digest, seq);
        [stripped, last] = [stripped + 1, seq];
      }
      if (stripped > 0) this.#strippedMore.run(stripped, last, laneIndex(lane));
      this.horizon.forgetBehind(seqs);
    });
  }
}
