/**
 * Sends the parked writes that were released from behind dead letters, in runs of a key, in order.
 *
 * Constraints: I5, I7. The runs that are sent together are a lot. An atomic carrier takes a lot
 * whole or not at all, so that nothing goes past a refused write. The refused write is then sent by
 * itself, and becomes a dead letter again with the rest of its key parked behind it.
 */
import type { Entry } from '../../bridges/entry.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { isSettledOutcome } from '../../contracts/mutation.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { Mark, MarkStore } from '../../hwm/mark-store.ts';
import type { Released, Run } from '../../hwm/released-keys.ts';
import { reasonOf } from '../../hwm/settlement.ts';
import { type Clock, newUuid } from '../../runtime/clock.ts';
import type { Journal } from '../journal/journal.ts';
import { damagedReason, toSentWrite, toWrites } from './batch.ts';
import type { Delivered, SentWrite } from './carrier.ts';
import type { Destination } from './delivery.ts';
import type { Sender } from './sender.ts';

export type ReleaserOptions = {
  lane: Lane;
  journal: Journal;
  marks: MarkStore;
  blocked: BlockedStore;
  clock: Clock;
  sender: Sender;
  reportDead: (seq: number, key: string, reason: string) => void;
};

/**
 * A write that was refused in a lot that did not take effect: the next run of its key ends before
 * it.
 */
type Doubt = { seq: number };

export class Releaser {
  readonly #parts: ReleaserOptions;
  readonly #doubts = new Map<string, Doubt>();

  constructor(parts: ReleaserOptions) {
    this.#parts = parts;
  }

  /** The runs that may be sent now. */
  next({ database }: Destination): Released {
    const { blocked, lane, sender } = this.#parts;
    return blocked.released.next(
      database,
      lane,
      Math.min(limits.releasedEntriesMax, sender.size.entries),
    );
  }

  async send(destination: Destination, mark: Mark, runs: readonly Run[]): Promise<void> {
    const { database, carrier } = destination;
    const sure: Entry[] = [];
    const heads: Entry[] = [];
    for (const { key, seqs } of runs) {
      const doubt = this.#doubts.get(key);
      const before = doubt ? seqs.filter((seq) => seq < doubt.seq) : seqs;
      if (before.length > 0) sure.push(...this.#read(database, before));
      else heads.push(...this.#read(database, seqs.slice(0, 1)));
    }
    if (sure.length > 0) {
      const writes = toWrites(
        sure.toSorted((a, b) => a.seq - b.seq),
        carrier,
      );
      this.#settle(database, writes, await this.#sendLot(destination, mark, sure, writes));
    }
    if (heads.length > 0) {
      const writes = heads.map(toSentWrite);
      this.#settle(database, writes, await this.#sendEach(destination, mark, heads, writes));
    }
  }

  /**
   * Reads entries up to the first that is damaged or has no body. That one becomes a dead letter.
   */
  #read(database: number, seqs: readonly number[]): Entry[] {
    const { journal, blocked, clock } = this.#parts;
    const entries: Entry[] = [];
    for (const seq of seqs) {
      const entry = journal.read(seq);
      if (!entry) {
        const reason = journal.isDamaged(seq) ? damagedReason : 'its body is gone from the journal';
        blocked.bury(database, seq, reason, clock.nowMs());
        break;
      }
      entries.push(entry);
    }
    return entries;
  }

  /**
   * Sends a lot, whole or not at all if the carrier is atomic. Each lot begins an epoch, in our own
   * record before the lot is sent, and in the database with the lot: nothing else would tell a copy
   * of the database from before the lot from one with it. Null when nothing of it was delivered,
   * because it was too large or a write in it was refused.
   */
  async #sendLot(
    destination: Destination,
    mark: Mark,
    entries: readonly Entry[],
    writes: readonly SentWrite[],
  ): Promise<Delivered | null> {
    const { carrier, beacon } = destination;
    if (!carrier.isAtomic) return this.#sendEach(destination, mark, entries, writes);
    const delivered = await this.#sendIn(destination, mark, entries, writes, false);
    if (!delivered || delivered.isCommitted) return delivered;
    const refused = writes.filter((_, index) => {
      const result = delivered.results[index];
      return result && !isSettledOutcome(result.Outcome);
    });
    if (refused.length === 0)
      throw new TidemarkError(
        'UNAVAILABLE',
        `${beacon} did not commit what was released and refused nothing in it`,
      );
    for (const { key, seqs } of refused) this.#doubt(key, seqs);
    return null;
  }

  /**
   * Notes the first refused write of a key. When it was folded from several entries, the first of
   * them is sent by itself.
   */
  #doubt(key: string, seqs: readonly number[]): void {
    const [seq = 0] = seqs;
    const known = this.#doubts.get(key);
    if (!known || seq < known.seq) this.#doubts.set(key, { seq });
  }

  /** Sends writes below the mark, where the database takes or refuses each by itself. */
  #sendEach(
    destination: Destination,
    mark: Mark,
    entries: readonly Entry[],
    writes: readonly SentWrite[],
  ): Promise<Delivered | null> {
    return this.#sendIn(destination, mark, entries, writes, true);
  }

  async #sendIn(
    destination: Destination,
    { database, seq }: Mark,
    entries: readonly Entry[],
    writes: readonly SentWrite[],
    isBelowMark: boolean,
  ): Promise<Delivered | null> {
    const { marks, lane, sender, clock } = this.#parts;
    const delivery = {
      writes,
      throughSeq: isBelowMark ? (writes.at(-1)?.mutation.Seq ?? 0) : seq,
      isBelowMark,
      afterSeq: seq,
      traces: entries.flatMap(({ trace = [] }) => trace),
    };
    const startedMs = clock.monotonicMs();
    const epoch = destination.carrier.isAtomic ? newUuid() : null;
    if (epoch) marks.renewEpoch(database, lane, epoch);
    const delivered = await sender.send(destination, { ...delivery, ...(epoch ? { epoch } : {}) });
    if (delivered) sender.size.adapt(entries.length, clock.monotonicMs() - startedMs);
    // Confirmed before any of these writes counts as delivered.
    if (epoch && delivered?.epoch === epoch) marks.confirmEpoch(database, lane, epoch);
    return delivered;
  }

  #settle(database: number, writes: readonly SentWrite[], delivered: Delivered | null): void {
    if (!delivered) return;
    const { blocked, lane, clock } = this.#parts;
    const applied: number[] = [];
    const present: number[] = [];
    const superseded: { seq: number; key: string }[] = [];
    for (const [index, { key, seqs }] of writes.entries()) {
      const result = delivered.results[index];
      if (!result) continue;
      if (isSettledOutcome(result.Outcome)) {
        if (result.Outcome === 'superseded') superseded.push(...seqs.map((seq) => ({ seq, key })));
        else (result.Outcome === 'applied' ? applied : present).push(...seqs);
        this.#settled(key, seqs);
      } else if (seqs.length > 1) this.#doubt(key, seqs);
      else {
        const [seq = 0] = seqs;
        this.#doubts.delete(key);
        blocked.bury(database, seq, reasonOf(result), clock.nowMs());
        this.#parts.reportDead(seq, key, reasonOf(result));
      }
    }
    blocked.settle(database, lane, applied, true);
    blocked.settle(database, lane, present, false);
    if (superseded.length > 0) blocked.superseded.settle(database, lane, superseded, clock.nowMs());
  }

  /** Call it when entries were delivered: ends a doubt about one of them. */
  #settled(key: string, seqs: readonly number[]): void {
    const doubt = this.#doubts.get(key);
    if (doubt && seqs.includes(doubt.seq)) this.#doubts.delete(key);
  }
}
