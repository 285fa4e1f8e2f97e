/**
 * Appends accepted writes to the journal: gives each its Seq, and knows a repeat from a conflict.
 *
 * Ordering: Seq is given inside the transaction that makes the entry visible, so nothing can appear
 * below a mark later. Failure: an append either commits whole and synced, or throws and leaves
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
import type { Connection } from '../state/connection.ts';
import { contentDigest, guidBytes } from '../state/entry-identity.ts';

/**
 * What became of one append: accepted (`isNew`), a repeat of an accepted one, or the refusal of a
 * conflict.
 */
export type Appended = { seq: number; isNew: boolean } | TidemarkError;

/** A write to be accepted, its Settings parsed or as text. */
export type Write = WriteEnvelope | PackedWrite;

/** An entry that was accepted before under the same EventGUID. */
type KnownEntry = { seq: number; action: string; body: string | null; digest: Buffer | null };

function statementsOf(db: Connection) {
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
        Buffer | null,
        Buffer,
      ]
    >(
      // "On conflict do nothing" would use up a Seq for each repeat, and a hole would no longer say
      // that an entry was lost.
      `insert into entry (lane, action, guid, key, at, user, accepted_ms, body, trace, digest)
        select ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
        where not exists (select 1 from entry where guid = ?)`,
    ),
    count: db.prepare<[number, number, number]>(
      'update lane set accepted = accepted + ?, head = max(head, ?) where lane = ?',
    ),
    known: db.prepare<[Buffer], KnownEntry>(
      'select seq, action, body, digest from entry where guid = ?',
    ),
  };
}

export class Appender {
  readonly #sql: ReturnType<typeof statementsOf>;
  readonly #transaction: (envelopes: readonly Write[], nowMs: number) => Appended[];

  constructor(db: Connection) {
    this.#sql = statementsOf(db);
    const transaction = db.transaction((envelopes: readonly Write[], nowMs: number) =>
      this.#appendAll(envelopes, nowMs),
    );
    this.#transaction = (envelopes, nowMs) => transaction.immediate(envelopes, nowMs);
  }

  /** In one synced transaction; one result each, same order. */
  append(envelopes: readonly Write[], nowMs: number): Appended[] {
    return this.#transaction(envelopes, nowMs);
  }

  #appendAll(envelopes: readonly Write[], nowMs: number): Appended[] {
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
        'settingsText' in envelope ? envelope.settingsText : JSON.stringify(envelope.settings),
        envelope.trace ?? null,
        'digest' in envelope ? Buffer.from(envelope.digest) : null,
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
  #repeat(envelope: Write, guid: Buffer): Appended {
    const known = this.#sql.known.get(guid);
    if (!known)
      throw new TidemarkError(
        'INTERNAL',
        `entry of ${envelope.eventGuid} neither inserted nor found`,
      );
    if (known.action === envelope.action && isSameContent(known, envelope))
      return { seq: known.seq, isNew: false };
    return new TidemarkError(
      'CONFLICT',
      `EventGUID: ${envelope.eventGuid} was accepted as Seq ${known.seq} with other ` +
        'content; a new write needs a new EventGUID',
    );
  }
}

/** By digest where there is one: the body of a large entry would take a second to compare. */
function isSameContent({ action, body, digest }: KnownEntry, envelope: Write): boolean {
  if (digest !== null) return digest.equals(digestOf(envelope));
  if (body === null) return false;
  return 'settingsText' in envelope
    ? contentDigest(action, JSON.parse(body) as JsonObject).equals(digestOf(envelope))
    : isDeepStrictEqual(JSON.parse(body), JSON.parse(JSON.stringify(envelope.settings)));
}

function digestOf(envelope: Write): Uint8Array {
  return 'digest' in envelope ? envelope.digest : contentDigest(envelope.action, envelope.settings);
}
