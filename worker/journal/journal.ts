/**
 * The journal: every accepted write, in the order of acceptance.
 *
 * Constraints: one writer; synchronous, so that a transaction never spans a turn of the event loop;
 * statements live with the handle. Ordering and failure of an append: see `append.ts`.
 */
import type { WriteAction } from '../../contracts/actions.ts';
import { defaultRemoteUser } from '../../contracts/envelope.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { type Lane, laneIndex, lanes } from '../../contracts/subjects.ts';
import { isoOf } from '../../runtime/clock.ts';
import type { Entry } from '../../bridges/entry.ts';
import type { Connection } from '../state/connection.ts';
import { contentDigest, dashed, guidBytes, guidText } from '../state/entry-identity.ts';
import { type Appended, Appender, type Write } from './append.ts';

type FactsRow = {
  seq: number;
  lane: number;
  action: WriteAction;
  guid: Buffer;
  key: string;
  accepted_ms: number;
};

/** What is asked of an entry that is read for its body; the GUID as 32 hex digits. */
type BodyRow = Omit<FactsRow, 'lane' | 'guid'> & {
  guid: string;
  at: string | null;
  user: string | null;
  body: string | null;
  trace: string | null;
};

/** Entries in a row; `isCut` when a limit of bytes ended it before the limit of entries. */
export type EntrySlice = { entries: Entry[]; bytes: number; isCut: boolean };

/** `stripped` entries, none of them above `strippedThrough`, have given up their bodies. */
export type LaneCounts = {
  accepted: number;
  head: number;
  stripped: number;
  strippedThrough: number;
};

/** What stays of an entry when its body is given up. */
export type EntryFacts = {
  seq: number;
  guid: string;
  lane: Lane;
  action: string;
  key: string;
  acceptedMs: number;
};

function factsOf(row: FactsRow): EntryFacts {
  return {
    seq: row.seq,
    guid: guidText(row.guid),
    lane: lanes[row.lane] ?? 'queue',
    action: row.action,
    key: row.key,
    acceptedMs: row.accepted_ms,
  };
}

/** Without the body, which may have many megabytes. */
const factColumns = 'seq, lane, action, guid, key, accepted_ms';
/** A Buffer for each row costs more than all its other columns but the body. */
const bodyColumns =
  'seq, action, lower(hex(guid)) as guid, key, at, user, accepted_ms, body, trace';

function entriesOf(db: Connection) {
  return {
    byGuid: db.prepare<[Buffer], FactsRow>(`select ${factColumns} from entry where guid = ?`),
    bySeq: db.prepare<[number], FactsRow>(`select ${factColumns} from entry where seq = ?`),
    withBody: db.prepare<[number], BodyRow>(
      `select ${bodyColumns} from entry where seq = ? and body is not null`,
    ),
    after: db.prepare<[number, number, number], BodyRow>(
      `select ${bodyColumns} from entry where lane = ? and seq > ? and body is not null order by seq limit ?`,
    ),
    below: db.prepare<[number, number]>(
      'select min(seq) as through, count(*) as looked from (select seq from entry where ' +
        'seq < ? order by seq desc limit ?)',
    ),
    ofKey: db
      .prepare<[number, number, string]>(
        'select seq from entry where seq >= ? and seq < ? and key = ? order by seq desc',
      )
      .pluck(),
    keep: db.prepare<[Buffer, number]>(
      'update entry set body = null, trace = null, digest = ? where seq = ?',
    ),
  };
}

function countsOf(db: Connection) {
  return {
    lane: db.prepare<[number], LaneCounts>(
      'select accepted, head, bare as stripped, bare_through as strippedThrough from lane where lane = ?',
    ),
    countAfter: db
      .prepare<[number, number]>(
        'select count(*) from entry where lane = ? and seq > ? and body is not null',
      )
      .pluck(),
    countBetween: db
      .prepare<[number, number, number]>(
        'select count(*) from entry where lane = ? and seq > ? and seq <= ? and body is not null',
      )
      .pluck(),
    bodyBytes: db
      .prepare(
        'select avg(length(body)) from (select body from entry where body is not null order by seq desc limit 1000)',
      )
      .pluck(),
    oldest: db
      .prepare<[number, number]>(
        'select accepted_ms from entry where lane = ? and seq > ? and body is not null order by seq limit 1',
      )
      .pluck(),
    lastSeq: db.prepare("select seq from sqlite_sequence where name = 'entry'").pluck(),
    stripped: db.prepare<[number, number, number]>(
      'update lane set bare = bare + ?, bare_through = max(bare_through, ?) where lane = ?',
    ),
  };
}

export class Journal {
  readonly #db: Connection;
  readonly #hubId: string;
  readonly #entries: ReturnType<typeof entriesOf>;
  readonly #counts: ReturnType<typeof countsOf>;
  #lastMs = Number.NaN;
  #lastIso = '';
  readonly #appender: Appender;

  constructor(db: Connection, hubId: string) {
    this.#db = db;
    this.#hubId = hubId;
    this.#entries = entriesOf(db);
    this.#counts = countsOf(db);
    this.#appender = new Appender(db);
  }

  /**
   * Appends in one synced transaction; one result each, same order. Throws what SQLite throws, and
   * then nothing was stored.
   */
  append(envelopes: readonly Write[], nowMs: number): Appended[] {
    return this.#appender.append(envelopes, nowMs);
  }

  /**
   * Undelivered entries of a lane above `seq`, ascending, at most `limit` and about `bytesMax` of
   * bodies, but at least one.
   */
  readAfter(lane: Lane, seq: number, limit: number, bytesMax: number): Entry[] {
    return this.readSlice(lane, seq, limit, bytesMax).entries;
  }

  /** The same with the bytes of their bodies, and whether the bytes ended it. */
  readSlice(lane: Lane, seq: number, limit: number, bytesMax: number): EntrySlice {
    const slice: EntrySlice = { entries: [], bytes: 0, isCut: false };
    for (const row of this.#entries.after.iterate(laneIndex(lane), seq, limit)) {
      const bytes = row.body?.length ?? 0;
      if (slice.entries.length > 0 && slice.bytes + bytes > bytesMax) {
        slice.isCut = true;
        break;
      }
      slice.bytes += bytes;
      slice.entries.push(this.#toEntry(row));
    }
    return slice;
  }

  /** One entry with its body, or null when it is unknown or its body was given up by retention. */
  read(seq: number): Entry | null {
    const row = this.#entries.withBody.get(seq);
    return row ? this.#toEntry(row) : null;
  }

  /** Facts of an entry by its EventGUID, body or not. */
  find(guid: string): EntryFacts | null {
    const row = this.#entries.byGuid.get(guidBytes(guid));
    return row ? factsOf(row) : null;
  }

  /** The same by its Seq. */
  facts(seq: number): EntryFacts | null {
    const row = this.#entries.bySeq.get(seq);
    return row ? factsOf(row) : null;
  }

  /**
   * Looks for a key in the `count` entries next below `seq`: no index knows keys. `through` is how
   * far it looked; null when there are none below.
   */
  findKey(
    key: string,
    seq: number,
    count: number,
  ): { seqs: number[]; looked: number; through: number | null } {
    const { through, looked } = this.#entries.below.get(seq, count) as {
      through: number | null;
      looked: number;
    };
    return {
      seqs: through === null ? [] : (this.#entries.ofKey.all(through, seq, key) as number[]),
      looked,
      through,
    };
  }

  /** Whether an entry of this lane has this Seq, body or not. */
  has(lane: Lane, seq: number): boolean {
    return this.#entries.bySeq.get(seq)?.lane === laneIndex(lane);
  }

  /** The last Seq that was given, or passed over: at least the wall clock of the start. */
  lastSeq(): number {
    return Number(this.#counts.lastSeq.get());
  }

  counts(lane: Lane): LaneCounts {
    return this.#counts.lane.get(laneIndex(lane)) as LaneCounts;
  }

  /** Entries of a lane above `seq` that have their bodies, counted one by one. */
  countAfter(lane: Lane, seq: number): number {
    return Number(this.#counts.countAfter.get(laneIndex(lane), seq));
  }

  /** The same in a slice, `to` included. */
  countBetween(lane: Lane, from: number, to: number): number {
    return from >= to ? 0 : Number(this.#counts.countBetween.get(laneIndex(lane), from, to));
  }

  /** Bytes of a body, the average of the last thousand; 0 without any. */
  bodyBytes(): number {
    return Number(this.#counts.bodyBytes.get() ?? 0);
  }

  /**
   * When the oldest entry above `seq` that has its body was accepted, or null when there is none.
   */
  oldestAfter(lane: Lane, seq: number): number | null {
    return (this.#counts.oldest.get(laneIndex(lane), seq) as number | undefined) ?? null;
  }

  /** Runs steps on the store as one transaction: all of them, or none. */
  together(steps: () => void): void {
    this.#db.transaction(steps).immediate();
  }

  /**
   * Gives up the bodies of entries: their GUID, Seq and a digest stay, so that a repeat is still a
   * duplicate.
   */
  strip(lane: Lane, entries: readonly Entry[]): void {
    this.#db
      .transaction(() => {
        for (const entry of entries)
          this.#entries.keep.run(contentDigest(entry.action, entry.settings), entry.seq);
        const last = entries.at(-1);
        if (last) this.#counts.stripped.run(entries.length, last.seq, laneIndex(lane));
      })
      .immediate();
  }

  /** As text; entries of one commit have the same time, and are read one behind the other. */
  #acceptedAt(ms: number): string {
    if (ms !== this.#lastMs) [this.#lastMs, this.#lastIso] = [ms, isoOf(ms)];
    return this.#lastIso;
  }

  #toEntry(row: BodyRow): Entry {
    return {
      seq: row.seq,
      hubId: this.#hubId,
      action: row.action,
      eventGuid: dashed(row.guid),
      key: row.key,
      at: row.at,
      acceptedAt: this.#acceptedAt(row.accepted_ms),
      remoteUser: row.user ?? defaultRemoteUser,
      settings: JSON.parse(row.body ?? '{}') as JsonObject,
      ...(row.trace === null ? {} : { trace: row.trace }),
    };
  }
}
