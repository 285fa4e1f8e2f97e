/**
 * Appends accepted writes to the journal: gives each its Seq, and knows a repeat from a conflict.
 *
 * Ordering: Seq is given inside the transaction that makes the entry visible, so nothing can appear
 * below a mark later. Failure: an append either commits whole and synced, or throws and leaves
 * nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import { defaultRemoteUser, type WriteEnvelope } from '../../contracts/envelope.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { laneIndex, lanes } from '../../contracts/subjects.ts';
import type { Connection } from '../state/connection.ts';
import { contentDigest, guidBytes } from '../state/entry-identity.ts';

/**
 * What became of one append: accepted (`isNew`), a repeat of an accepted one, or the refusal of a
 * conflict.
 */
export type Appended = { seq: number; isNew: boolean } | TidemarkError;

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
    known: db.prepare<[Buffer], KnownEntry>(
      'select seq, action, body, digest from entry where guid = ?',
    ),
  };
}

export class Appender {
  readonly #sql: ReturnType<typeof statementsOf>;
  readonly #transaction: (envelopes: readonly WriteEnvelope[], nowMs: number) => Appended[];

  constructor(db: Connection) {
    this.#sql = statementsOf(db);
    const transaction = db.transaction((envelopes: readonly WriteEnvelope[], nowMs: number) =>
      this.#appendAll(envelopes, nowMs),
    );
    this.#transaction = (envelopes, nowMs) => transaction.immediate(envelopes, nowMs);
  }

  /** In one synced transaction; one result each, same order. */
  append(envelopes: readonly WriteEnvelope[], nowMs: number): Appended[] {
    return this.#transaction(envelopes, nowMs);
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
    const known = this.#sql.known.get(guid);
    if (!known)
      throw new TidemarkError(
        'INTERNAL',
        `entry of ${envelope.eventGuid} neither inserted nor found`,
      );
    const isSame =
      known.action === envelope.action &&
      (known.body !== null
        ? isDeepStrictEqual(JSON.parse(known.body), JSON.parse(JSON.stringify(envelope.settings)))
        : known.digest?.equals(contentDigest(envelope.action, envelope.settings)) === true);
    if (isSame) return { seq: known.seq, isNew: false };
    return new TidemarkError(
      'CONFLICT',
      `EventGUID: ${envelope.eventGuid} was accepted as Seq ${known.seq} with other ` +
        'content; a new write needs a new EventGUID',
    );
  }
}
