/**
 * Reads the entries of one lane that have their bodies, in the order of Seq, and checks each
 * against its stored checksum.
 */
import type { WriteAction } from '../../contracts/actions.ts';
import { defaultRemoteUser } from '../../contracts/envelope.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../contracts/body/json-value.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { Entry } from '../../bridges/entry.ts';
import { isoOf } from '../../runtime/clock.ts';
import type { Connection } from '../state/connection.ts';
import type { Owners } from '../state/owners.ts';
import { contentDigest, crcOf, dashed, unknownDigest } from '../state/entry-identity.ts';

/** `guid` is 32 hex digits, because a Buffer for each row costs more than all its other columns. */
type BodyRow = {
  seq: number;
  action: WriteAction;
  guid: string;
  key: string;
  at: string | null;
  user: string | null;
  accepted_ms: number;
  trace: string | null;
  crc: number | null;
  owner: number;
  body: string;
};

/** What is known of a damaged entry: its body is not what was written. */
export type DamagedEntry = Pick<Entry, 'seq' | 'key' | 'eventGuid' | 'acceptedAt'>;

/**
 * Consecutive entries. `isCut` when the limit of bytes ended the slice before the limit of entries.
 * `rows` and `last` include damaged entries.
 */
export type EntrySlice = {
  entries: Entry[];
  damaged: DamagedEntry[];
  rows: number;
  last: DamagedEntry | null;
  bytes: number;
  isCut: boolean;
};

const columns =
  'seq, action, lower(hex(guid)) as guid, key, at, user, accepted_ms, trace, crc, owner, body';

function statementsOf(db: Connection, lane: Lane) {
  const [view, table] = [`${lane}_entry`, `${lane}_body`];
  return {
    get: db.prepare<[number], BodyRow>(`select ${columns} from ${view} where seq = ?`),
    facts: db.prepare<[number], { action: string; key: string; acceptedMs: number }>(
      `select action, key, accepted_ms as acceptedMs from ${view} where seq = ?`,
    ),
    after: db.prepare<[number, number], BodyRow>(
      `select ${columns} from ${view} where seq > ? order by seq limit ?`,
    ),
    seqsAfter: db
      .prepare<[number, number, number], number>(
        `select seq from ${table} indexed by ${table}_seq where seq > ? and seq <= ? order by seq limit ?`,
      )
      .pluck(),
    ahead: db
      .prepare<[number, number], number>(
        `select seq from ${table} indexed by ${table}_seq where seq > ? order by seq limit 1 offset ?`,
      )
      .pluck(),
    // Seq is selected because SQLite can order the two tables of the view as one only by a selected
    // column.
    oldest: db.prepare<[number], { seq: number; acceptedMs: number }>(
      `select seq, accepted_ms as acceptedMs from ${view} where seq > ? order by seq limit 1`,
    ),
    sizes: db
      .prepare<[number], number>(`select octet_length(body) from ${view} order by seq desc limit ?`)
      .pluck(),
    ofKey: db
      .prepare<[number, number, string], number>(
        `select seq from ${view} where seq >= ? and seq < ? and key = ? order by seq desc`,
      )
      .pluck(),
    digest: db
      .prepare<[number], Buffer | null>(`select digest from ${table} where seq = ?`)
      .pluck(),
    remove: db.prepare<[number]>(`delete from ${table} where seq = ?`),
  };
}

export class Bodies {
  readonly #hubId: string;
  readonly #sql: ReturnType<typeof statementsOf>;
  #lastMs = Number.NaN;
  #lastIso = '';

  readonly #owners: Pick<Owners, 'termOf'>;

  constructor(db: Connection, hubId: string, lane: Lane, owners: Pick<Owners, 'termOf'>) {
    this.#hubId = hubId;
    this.#owners = owners;
    this.#sql = statementsOf(db, lane);
  }

  /** Entries above `seq`, at most `limit` and about `bytesMax` of bodies, but at least one. */
  slice(seq: number, limit: number, bytesMax: number): EntrySlice {
    const slice: EntrySlice = {
      entries: [],
      damaged: [],
      rows: 0,
      last: null,
      bytes: 0,
      isCut: false,
    };
    for (const row of this.#sql.after.iterate(seq, limit)) {
      if (slice.rows > 0 && slice.bytes + row.body.length > bytesMax) {
        slice.isCut = true;
        break;
      }
      slice.bytes += row.body.length;
      slice.rows += 1;
      const entry = this.#toEntry(row);
      if (entry) slice.entries.push(entry);
      else slice.damaged.push(this.#placeOf(row));
      slice.last = entry ?? slice.damaged.at(-1) ?? null;
    }
    return slice;
  }

  /**
   * Null when this lane has no body with this Seq; 'damaged' when the body is not what was written.
   */
  get(seq: number): Entry | 'damaged' | null {
    const row = this.#sql.get.get(seq);
    return row ? (this.#toEntry(row) ?? 'damaged') : null;
  }

  /** Facts of an entry, without reading its body. */
  facts(seq: number): { action: string; key: string; acceptedMs: number } | null {
    return this.#sql.facts.get(seq) ?? null;
  }

  /** Seqs of rows with `after` < Seq <= `through`. */
  seqs(after: number, through: number, limit: number): number[] {
    return this.#sql.seqsAfter.all(after, through, limit);
  }

  /** Seq of the row that is `count` rows above `seq`; null when there are fewer. */
  ahead(seq: number, count: number): number | null {
    return this.#sql.ahead.get(seq, count - 1) ?? null;
  }

  /** When the oldest entry above `seq` was accepted, in ms; null when there is none. */
  oldestAfter(seq: number): number | null {
    return this.#sql.oldest.get(seq)?.acceptedMs ?? null;
  }

  /** The sizes of the newest bodies, in bytes. */
  newestBytes(limit: number): number[] {
    return this.#sql.sizes.all(limit);
  }

  /**
   * Seqs of a key with `from` <= Seq < `to`, newest first. Reads all rows between, because no index
   * has keys.
   */
  ofKey(key: string, from: number, to: number): number[] {
    return this.#sql.ofKey.all(from, to, key);
  }

  /**
   * The digest of an entry's content; that of a large body was computed when it arrived. Null when
   * there is no body, `unknownDigest` when it is damaged.
   */
  digest(seq: number): Buffer | null {
    const taken = this.#sql.digest.get(seq);
    if (taken) return taken;
    const entry = this.get(seq);
    if (entry === 'damaged') return unknownDigest;
    return entry && contentDigest(entry.action, entry.settings);
  }

  remove(seq: number): boolean {
    return this.#sql.remove.run(seq).changes === 1;
  }

  #placeOf(row: BodyRow): DamagedEntry {
    return {
      seq: row.seq,
      key: row.key,
      eventGuid: dashed(row.guid),
      acceptedAt: this.#acceptedAt(row.accepted_ms),
    };
  }

  /**
   * The time as text. Keeps the last one, because entries of one commit have the same time and are
   * read one after the other.
   */
  #acceptedAt(ms: number): string {
    if (ms !== this.#lastMs) [this.#lastMs, this.#lastIso] = [ms, isoOf(ms)];
    return this.#lastIso;
  }

  /** Null for a damaged entry. */
  #toEntry(row: BodyRow): Entry | null {
    const settings = soundBody(row);
    if (!settings) return null;
    const term = this.#owners.termOf(row.owner);
    return {
      seq: row.seq,
      hubId: this.#hubId,
      action: row.action,
      eventGuid: dashed(row.guid),
      key: row.key,
      at: row.at,
      acceptedAt: this.#acceptedAt(row.accepted_ms),
      remoteUser: row.user ?? defaultRemoteUser,
      settings,
      ...(term > 0 ? { term } : {}),
      ...(row.trace === null ? {} : { trace: row.trace }),
    };
  }
}

/**
 * Null for a damaged body. An entry that is still in `entry_old` has no checksum: its body only has
 * to be JSON.
 */
function soundBody({ action, key, guid, body, crc }: BodyRow): JsonObject | null {
  if (crc !== null && crc !== crcOf(action, key, guid, body)) return null;
  try {
    const settings = JSON.parse(body) as JsonValue;
    return isJsonObject(settings) ? settings : null;
  } catch {
    return null;
  }
}
