/**
 * Appends accepted writes to the journal: gives each its Seq, and tells a duplicate from a
 * conflict.
 *
 * Ordering: Seq is given inside the transaction that makes the entry visible, so nothing can appear
 * below a mark later. Failure: an append either commits whole and synced, or throws and stores
 * nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  defaultRemoteUser,
  type PackedWrite,
  type WriteEnvelope,
} from '../../contracts/envelope.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { laneIndex, lanes } from '../../contracts/subjects.ts';
import { isoOf } from '../../runtime/clock.ts';
import type { Connection } from '../state/connection.ts';
import type { Owners } from '../state/owners.ts';
import {
  contentDigest,
  crcOf,
  guidBytes,
  guidTimeMs,
  unknownDigest,
} from '../state/entry-identity.ts';

/**
 * The result of one append: accepted (`isNew`), a duplicate of an accepted write, or a refusal:
 * CONFLICT or EXPIRED.
 */
export type Appended = { seq: number; isNew: boolean } | TidemarkError;

/** A write to be accepted, its Settings parsed or as text. */
export type Write = WriteEnvelope | PackedWrite;

/** An entry that was accepted before under the same EventGUID. */
type KnownEntry = { seq: number; lane: number; digest: Buffer };

type BodyValues = [
  seq: number,
  action: string,
  guid: Buffer,
  key: string,
  at: string | null,
  user: string | null,
  acceptedMs: number,
  trace: string | null,
  crc: number,
  digest: Uint8Array | null,
  body: string,
  owner: number,
];

function statementsOf(db: Connection) {
  const insertBody = (table: string) =>
    db.prepare<BodyValues>(`insert into ${table} values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const digestIn = (table: string) =>
    db.prepare<[number], Buffer | null>(`select digest from ${table} where seq = ?`).pluck();
  const bodyOf = (view: string) =>
    db.prepare<[number], { action: string; body: string }>(
      `select action, body from ${view} where seq = ?`,
    );
  return {
    insert: db.prepare<[number, Buffer, number, Buffer]>(
      // "On conflict do nothing" would use up a Seq for each duplicate, and then a hole in the Seqs
      // would no longer mean a loss.
      'insert into known (lane, guid, accepted_ms) select ?, ?, ? where not exists ' +
        '(select 1 from known_entry where guid = ?)',
    ),
    insertBody: [insertBody('queue_body'), insertBody('manifest_body')] as const,
    digest: [digestIn('queue_body'), digestIn('manifest_body')] as const,
    body: [bodyOf('queue_entry'), bodyOf('manifest_entry')] as const,
    count: db.prepare<[number, number, number]>(
      'update lane set accepted = accepted + ?, head = max(head, ?) where lane = ?',
    ),
    known: db.prepare<[Buffer], KnownEntry>(
      'select seq, lane, digest from known_entry where guid = ?',
    ),
    forgottenMs: db.prepare<[], number>('select guid_ms from horizon').pluck(),
  };
}

export class Appender {
  readonly #sql: ReturnType<typeof statementsOf>;
  readonly #transaction: (envelopes: readonly Write[], nowMs: number) => Appended[];

  readonly #owners: Pick<Owners, 'current'>;

  constructor(db: Connection, owners: Pick<Owners, 'current'>) {
    this.#owners = owners;
    this.#sql = statementsOf(db);
    const transaction = db.transaction((envelopes: readonly Write[], nowMs: number) =>
      this.#appendAll(envelopes, nowMs),
    );
    this.#transaction = (envelopes, nowMs) => transaction.immediate(envelopes, nowMs);
  }

  /** Appends in one synced transaction; one result for each write, in the same order. */
  append(envelopes: readonly Write[], nowMs: number): Appended[] {
    return this.#transaction(envelopes, nowMs);
  }

  #appendAll(envelopes: readonly Write[], nowMs: number): Appended[] {
    const accepted = lanes.map(() => 0);
    const head = lanes.map(() => 0);
    const forgottenMs = this.#sql.forgottenMs.get() ?? 0;
    const results = envelopes.map((envelope): Appended => {
      const lane = laneIndex(envelope.lane);
      const guid = guidBytes(envelope.eventGuid);
      const expired = this.#expired(envelope, guid, forgottenMs);
      if (expired) return expired;
      const done = this.#sql.insert.run(lane, guid, nowMs, guid);
      if (done.changes === 0) return this.#repeat(envelope, guid);
      const seq = Number(done.lastInsertRowid);
      this.#insertBody(seq, envelope, guid, nowMs);
      accepted[lane] = (accepted[lane] ?? 0) + 1;
      head[lane] = seq;
      return { seq, isNew: true };
    });
    for (const lane of [0, 1]) {
      if (accepted[lane]) this.#sql.count.run(accepted[lane], head[lane] ?? 0, lane);
    }
    return results;
  }

  #insertBody(seq: number, envelope: Write, guid: Buffer, nowMs: number): void {
    const { action, key, at, remoteUser, trace = null } = envelope;
    const body =
      'settingsText' in envelope ? envelope.settingsText : JSON.stringify(envelope.settings);
    this.#sql.insertBody[envelope.lane === 'queue' ? 0 : 1].run(
      seq,
      action,
      guid,
      key,
      at,
      remoteUser === defaultRemoteUser ? null : remoteUser,
      nowMs,
      trace,
      crcOf(action, key, guid, body),
      'digest' in envelope ? Buffer.from(envelope.digest) : null,
      body,
      this.#owners.current.id,
    );
  }

  /**
   * Refuses a write that is as old as entries that were forgotten: it may be one of them, so it
   * must not be accepted as new. Null when the write is known, or younger.
   */
  #expired({ eventGuid }: Write, guid: Buffer, forgottenMs: number): TidemarkError | null {
    const madeMs = guidTimeMs(guid);
    if (madeMs === null || madeMs > forgottenMs || this.#sql.known.get(guid)) return null;
    return new TidemarkError(
      'EXPIRED',
      `EventGUID: ${eventGuid} was made at ${isoOf(madeMs)}, and writes of up to ` +
        `${isoOf(forgottenMs)} are no longer known; look whether it was written, a new write ` +
        'needs a new EventGUID',
    );
  }

  /**
   * Answers a write whose GUID is known: with the first Seq for the same content, with a conflict
   * for other content (I3).
   */
  #repeat(envelope: Write, guid: Buffer): Appended {
    const known = this.#sql.known.get(guid);
    if (!known)
      throw new TidemarkError(
        'INTERNAL',
        `entry of ${envelope.eventGuid} neither inserted nor found`,
      );
    if (this.#isSame(known, envelope)) return { seq: known.seq, isNew: false };
    return new TidemarkError(
      'CONFLICT',
      `EventGUID: ${envelope.eventGuid} was accepted as Seq ${known.seq} with other ` +
        'content; a new write needs a new EventGUID',
    );
  }

  /**
   * Compares digests when one is stored, because comparing the body of a large entry would take a
   * second.
   */
  #isSame({ seq, lane, digest }: KnownEntry, envelope: Write): boolean {
    const kept = this.#sql.body[lane === 0 ? 0 : 1].get(seq);
    if (!kept) return digest.equals(digestOf(envelope)) || digest.equals(unknownDigest);
    if (kept.action !== envelope.action) return false;
    const taken = this.#sql.digest[lane === 0 ? 0 : 1].get(seq);
    if (taken) return taken.equals(digestOf(envelope));
    const settings = parsed(kept.body);
    return 'settingsText' in envelope
      ? settings !== undefined &&
          contentDigest(kept.action, settings as JsonObject).equals(digestOf(envelope))
      : isDeepStrictEqual(settings, JSON.parse(JSON.stringify(envelope.settings)));
  }
}

/** Undefined for a body that was damaged. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function digestOf(envelope: Write): Uint8Array {
  return 'digest' in envelope ? envelope.digest : contentDigest(envelope.action, envelope.settings);
}
