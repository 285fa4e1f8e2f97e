/**
 * The journal: every accepted write, in the order of acceptance.
 *
 * Constraints: one writer; synchronous, so that a transaction never spans a turn of the event loop;
 * statements live with the handle. Ordering: Seq is given inside the transaction that makes the
 * entry visible, so nothing can appear below a mark later. Failure: an append either commits whole
 * and synced, or throws and leaves nothing.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { WriteAction } from '../../contracts/actions.ts';
import { defaultRemoteUser, type WriteEnvelope } from '../../contracts/envelope.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../contracts/json-value.ts';
import { type Lane, laneIndex, lanes } from '../../contracts/subjects.ts';
import { isoOf } from '../../runtime/clock.ts';
import type { Entry } from '../../bridges/entry.ts';
import type { Connection } from '../state/connection.ts';

/**
 * What became of one append: accepted (`isNew`), a repeat of an accepted one, or the refusal of a
 * conflict.
 */
export type Appended = { seq: number; isNew: boolean } | TidemarkError;

type EntryRow = {
  seq: number;
  lane: number;
  action: WriteAction;
  guid: Buffer;
  key: string;
  at: string | null;
  user: string | null;
  accepted_ms: number;
  body: string | null;
  digest: Buffer | null;
  trace: string | null;
};

/** What is asked of an entry that is read for its body; the GUID as 32 hex digits. */
type BodyRow = Omit<EntryRow, 'lane' | 'digest' | 'guid'> & { guid: string };

/** Entries in a row; `isCut` when a limit of bytes ended it before the limit of entries. */
export type EntrySlice = { entries: Entry[]; bytes: number; isCut: boolean };

/** `bare` entries, none of them above `bareThrough`, have given up their bodies. */
export type LaneCounts = {
  accepted: number;
  head: number;
  stripped: number;
  strippedThrough: number;
};

/** A UUID's 16 bytes: its identity whatever the case of its letters. */
export function guidBytes(guid: string): Buffer {
  return Buffer.from(guid.replaceAll('-', ''), 'hex');
}

export function guidText(bytes: Uint8Array): string {
  return dashed(Buffer.from(bytes).toString('hex'));
}

function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key] as JsonValue)]),
  );
}

/**
 * A digest of the content, 16 bytes, the same for the same Action and Settings whatever the order
 * of members.
 */
export function digestOf(action: string, settings: JsonObject): Buffer {
  return createHash('sha256')
    .update(action)
    .update('\n')
    .update(JSON.stringify(sorted(settings)))
    .digest()
    .subarray(0, 16);
}

/** What stays of an entry when its body is given up. */
export type EntryFacts = {
  seq: number;
  guid: string;
  lane: Lane;
  action: string;
  key: string;
  acceptedMs: number;
};

function factsOf(row: EntryRow): EntryFacts {
  return {
    seq: row.seq,
    guid: guidText(row.guid),
    lane: lanes[row.lane] ?? 'queue',
    action: row.action,
    key: row.key,
    acceptedMs: row.accepted_ms,
  };
}

function statementsOf(db: Connection) {
  const columns = 'seq, lane, action, guid, key, at, user, accepted_ms, body, digest, trace';
  // A Buffer for each row costs more than all its other columns but the body.
  const bodyColumns =
    'seq, action, lower(hex(guid)) as guid, key, at, user, accepted_ms, body, trace';
  return {
    insert: db.prepare<
      [
        number,
        string,
        Buffer,
        string,
        string | null,
        string | null,
        number,
        string,
        string | null,
        Buffer,
      ]
    >(
      // "On conflict do nothing" would use up a Seq for each repeat, and a hole would no longer say
      // that an entry was lost.
      `insert into entry (lane, action, guid, key, at, user, accepted_ms, body, trace) select ?, ?, ?, ?, ?, ?, ?, ?, ?
        where not exists (select 1 from entry where guid = ?)`,
    ),
    count: db.prepare<[number, number, number]>(
      'update lane set accepted = accepted + ?, head = max(head, ?) where lane = ?',
    ),
    byGuid: db.prepare<[Buffer], EntryRow>(`select ${columns} from entry where guid = ?`),
    bySeq: db.prepare<[number], EntryRow>(`select ${columns} from entry where seq = ?`),
    withBody: db.prepare<[number], BodyRow>(
      `select ${bodyColumns} from entry where seq = ? and body is not null`,
    ),
    after: db.prepare<[number, number, number], BodyRow>(
      `select ${bodyColumns} from entry where lane = ? and seq > ? and body is not null order by seq limit ?`,
    ),
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
    stripped: db.prepare<[number, number, number]>(
      'update lane set bare = bare + ?, bare_through = max(bare_through, ?) where lane = ?',
    ),
  };
}

export class Journal {
  readonly #db: Connection;
  readonly #hubId: string;
  readonly #sql: ReturnType<typeof statementsOf>;
  #lastMs = Number.NaN;
  #lastIso = '';
  readonly #append: (envelopes: readonly WriteEnvelope[], nowMs: number) => Appended[];

  constructor(db: Connection, hubId: string) {
    this.#db = db;
    this.#hubId = hubId;
    this.#sql = statementsOf(db);
    const transaction = db.transaction((envelopes: readonly WriteEnvelope[], nowMs: number) =>
      this.#appendAll(envelopes, nowMs),
    );
    this.#append = (envelopes, nowMs) => transaction.immediate(envelopes, nowMs);
  }

  /**
   * Appends in one synced transaction; one result each, same order. Throws what SQLite throws, and
   * then nothing was stored.
   */
  append(envelopes: readonly WriteEnvelope[], nowMs: number): Appended[] {
    return this.#append(envelopes, nowMs);
  }

  #appendAll(envelopes: readonly WriteEnvelope[], nowMs: number): Appended[] {
    const accepted = lanes.map(() => 0);
    const head = lanes.map(() => 0);
    const results = envelopes.map((envelope): Appended => {
      const lane = laneIndex(envelope.lane);
      const guid = guidBytes(envelope.eventGuid);
      const user = envelope.remoteUser === defaultRemoteUser ? null : envelope.remoteUser;
      const done = this.#sql.insert.run(
        lane,
        envelope.action,
        guid,
        envelope.key,
        envelope.at,
        user,
        nowMs,
        JSON.stringify(envelope.settings),
        envelope.trace ?? null,
        guid,
      );
      if (done.changes === 0) return this.#repeat(envelope, guid);
      const seq = Number(done.lastInsertRowid);
      accepted[lane] = (accepted[lane] ?? 0) + 1;
      head[lane] = seq;
      return { seq, isNew: true };
    });
    for (const lane of [0, 1]) {
      if (accepted[lane]) this.#sql.count.run(accepted[lane], head[lane] ?? 0, lane);
    }
    return results;
  }

  /** A known GUID: the first Seq for the same content, a conflict for another (I3). */
  #repeat(envelope: WriteEnvelope, guid: Buffer): Appended {
    const known = this.#sql.byGuid.get(guid);
    if (!known)
      throw new TidemarkError(
        'INTERNAL',
        `entry of ${envelope.eventGuid} neither inserted nor found`,
      );
    const isSame =
      known.action === envelope.action &&
      (known.body !== null
        ? isDeepStrictEqual(JSON.parse(known.body), JSON.parse(JSON.stringify(envelope.settings)))
        : known.digest?.equals(digestOf(envelope.action, envelope.settings)) === true);
    if (isSame) return { seq: known.seq, isNew: false };
    return new TidemarkError(
      'CONFLICT',
      `EventGUID: ${envelope.eventGuid} was accepted as Seq ${known.seq} with other ` +
        'content; a new write needs a new EventGUID',
    );
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
    for (const row of this.#sql.after.iterate(laneIndex(lane), seq, limit)) {
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
    const row = this.#sql.withBody.get(seq);
    return row ? this.#toEntry(row) : null;
  }

  /** Facts of an entry by its EventGUID, body or not. */
  find(guid: string): EntryFacts | null {
    const row = this.#sql.byGuid.get(guidBytes(guid));
    return row ? factsOf(row) : null;
  }

  /** The same by its Seq. */
  facts(seq: number): EntryFacts | null {
    const row = this.#sql.bySeq.get(seq);
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
    const { through, looked } = this.#sql.below.get(seq, count) as {
      through: number | null;
      looked: number;
    };
    return {
      seqs: through === null ? [] : (this.#sql.ofKey.all(through, seq, key) as number[]),
      looked,
      through,
    };
  }

  /** Whether an entry of this lane has this Seq, body or not. */
  has(lane: Lane, seq: number): boolean {
    return this.#sql.bySeq.get(seq)?.lane === laneIndex(lane);
  }

  counts(lane: Lane): LaneCounts {
    return this.#sql.lane.get(laneIndex(lane)) as LaneCounts;
  }

  /** Entries of a lane above `seq` that have their bodies, counted one by one. */
  countAfter(lane: Lane, seq: number): number {
    return Number(this.#sql.countAfter.get(laneIndex(lane), seq));
  }

  /** The same in a stretch, `to` included. */
  countBetween(lane: Lane, from: number, to: number): number {
    return from >= to ? 0 : Number(this.#sql.countBetween.get(laneIndex(lane), from, to));
  }

  /** Bytes of a body, the average of the last thousand; 0 without any. */
  bodyBytes(): number {
    return Number(this.#sql.bodyBytes.get() ?? 0);
  }

  /**
   * When the oldest entry above `seq` that has its body was accepted, or null when there is none.
   */
  oldestAfter(lane: Lane, seq: number): number | null {
    return (this.#sql.oldest.get(laneIndex(lane), seq) as number | undefined) ?? null;
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
          this.#sql.keep.run(digestOf(entry.action, entry.settings), entry.seq);
        const last = entries.at(-1);
        if (last) this.#sql.stripped.run(entries.length, last.seq, laneIndex(lane));
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
