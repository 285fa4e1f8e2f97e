/**
 * Makes the batches of a lane: reads entries above its mark, parks those whose keys wait, and
 * translates and folds the others as the carrier can take them.
 */
import type { Entry } from '../../bridges/entry.ts';
import { foldBatch, type Keyed } from '../../bridges/fold.ts';
import { toMutation } from '../../bridges/lanes.ts';
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { WaitingKeys } from '../../hwm/waiting-keys.ts';
import { type Clock, nextTurn } from '../../runtime/clock.ts';
import type { DamagedEntry, EntrySlice } from '../journal/bodies.ts';
import type { Journal } from '../journal/journal.ts';
import type { Carrier, Delivery, SentWrite } from './carrier.ts';
import type { Destination } from './delivery.ts';

type Place = { seq: number; key: string };
type Going = Keyed & { entry: Entry };

/** Consecutive entries of the journal, ready to be sent. */
export type Batch = {
  afterSeq: number;
  last: DamagedEntry;
  entries: number;
  carrier: Carrier;
  delivery: Delivery;
  /** Entries that are sent, and those that wait behind a dead letter of their key. */
  going: Place[];
  parked: Place[];
  /** The batch has as many entries as a delivery may have, so there are probably more. */
  isFull: boolean;
  /** No key waits and no entry is dropped or damaged, so nothing was left out of the batch. */
  isFree: boolean;
};

export class BatchMaker {
  readonly #lane: Lane;
  readonly #journal: Journal;
  readonly #blocked: BlockedStore;
  readonly #size: { readonly entries: number };
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #onDamaged: (entry: DamagedEntry) => void;
  #ahead: Batch | null = null;

  /**
   * @param parts `size` says how many entries a batch takes at this moment; `onDamaged` is called
   * for each damaged entry that became a dead letter
   */
  constructor(parts: {
    lane: Lane;
    journal: Journal;
    blocked: BlockedStore;
    size: { readonly entries: number };
    clock: Pick<Clock, 'nowMs'>;
    onDamaged: (entry: DamagedEntry) => void;
  }) {
    this.#lane = parts.lane;
    this.#journal = parts.journal;
    this.#blocked = parts.blocked;
    this.#size = parts.size;
    this.#clock = parts.clock;
    this.#onDamaged = parts.onDamaged;
  }

  /**
   * The batch above a mark: the one made ahead if it still fits, else a fresh one. Null when there
   * is nothing above the mark.
   */
  async after(seq: number, destination: Destination): Promise<Batch | null> {
    const ahead = this.#ahead;
    this.#ahead = null;
    const isUsable =
      ahead !== null &&
      ahead.afterSeq === seq &&
      ahead.carrier === destination.carrier &&
      ahead.isFree &&
      this.#blocked.waitingKeys(destination.database, this.#lane).isEmpty;
    return isUsable ? ahead : this.#make(seq, destination);
  }

  /** The batch after one that is on its way; null when it cannot be known yet. */
  async following(batch: Batch, destination: Destination): Promise<Batch | null> {
    if (!batch.isFull || !batch.isFree) return null;
    await nextTurn();
    return this.#make(batch.last.seq, destination);
  }

  /** Keeps a batch that was made ahead for the next call of `after`. */
  keep(ahead: Batch | null): void {
    this.#ahead = ahead;
  }

  /**
   * Makes the batch in steps, so that answers to writes and the sending of the batch before do not
   * wait for it.
   */
  async #make(afterSeq: number, { database, carrier }: Destination): Promise<Batch | null> {
    const size = this.#size.entries;
    const sorter = new Sorter({
      waiting: this.#blocked.waitingKeys(database, this.#lane),
      dropped: this.#blocked.droppedAbove(database, this.#lane, afterSeq),
    });
    let last: DamagedEntry | null = null;
    for (let bytes = 0; sorter.rows < size && bytes < limits.deliverBytesMax && sorter.hasRoom;) {
      const step: EntrySlice = this.#journal.readSlice(
        this.#lane,
        last?.seq ?? afterSeq,
        Math.min(limits.deliverStepEntries, size - sorter.rows),
        limits.deliverBytesMax - bytes,
      );
      sorter.take(step);
      for (const entry of step.damaged) this.#kill(database, entry);
      last = step.last ?? last;
      bytes += step.bytes;
      if (step.isCut || step.rows < limits.deliverStepEntries) break;
      await nextTurn();
    }
    if (!last) return null;
    const { going, parked, rows, isFree } = sorter;
    const delivery: Delivery = {
      writes: foldedFor(carrier, going),
      throughSeq: last.seq,
      isBelowMark: false,
      afterSeq,
      traces: going.flatMap(({ entry }) => entry.trace ?? []),
    };
    return {
      afterSeq,
      carrier,
      last,
      entries: rows,
      isFull: rows >= size,
      isFree,
      going: going.map(({ entry, key }) => ({ seq: entry.seq, key })),
      parked,
      delivery: carrier.prepare?.(delivery) ?? delivery,
    };
  }

  /**
   * Makes a damaged entry a dead letter before its batch is sent: the database's mark may pass it
   * even if no answer comes.
   */
  #kill(database: number, entry: DamagedEntry): void {
    if (this.#blocked.get(database, entry.seq)) return;
    this.#blocked.kill(database, this.#lane, entry, damagedReason, this.#clock.nowMs());
    this.#onDamaged(entry);
  }
}

/** The reason of a dead letter whose body is not what was written. */
export const damagedReason = 'damaged: its checksum does not match what the disk gives back';

/**
 * Sorts the entries of a batch, slice by slice, into those that are sent and those that are parked.
 */
class Sorter {
  readonly going: Going[] = [];
  readonly parked: Place[] = [];
  rows = 0;
  readonly #waiting: WaitingKeys;
  readonly #dropped: ReadonlySet<number>;
  /** Keys with a damaged entry, and its Seq: earlier entries of the key are still sent. */
  readonly #damaged = new Map<string, number>();

  constructor({ waiting, dropped }: { waiting: WaitingKeys; dropped: ReadonlySet<number> }) {
    this.#waiting = waiting;
    this.#dropped = dropped;
  }

  get isFree(): boolean {
    return this.#waiting.isEmpty && this.#dropped.size === 0 && this.#damaged.size === 0;
  }

  /** What is parked is noted one by one, so there is less room for it. */
  get hasRoom(): boolean {
    return this.parked.length < limits.parkedEntriesMax;
  }

  take({ entries, damaged, rows }: EntrySlice): void {
    this.rows += rows;
    for (const { key, seq } of damaged) if (!this.#damaged.has(key)) this.#damaged.set(key, seq);
    for (const entry of entries) {
      const isBehind = entry.seq > (this.#damaged.get(entry.key) ?? Infinity);
      if (isBehind || this.#waiting.has(entry.key))
        this.parked.push({ seq: entry.seq, key: entry.key });
      else if (!this.#dropped.has(entry.seq)) this.going.push(translated(entry));
    }
  }
}

function translated(entry: Entry): Going {
  return { mutation: toMutation(entry), key: entry.key, entry };
}

function unfolded(write: Going): SentWrite {
  return { ...write, seqs: [write.mutation.Seq] };
}

function foldedFor(carrier: Carrier, going: readonly Going[]): SentWrite[] {
  return carrier.isVerbatim ? going.map(unfolded) : foldBatch(going, carrier.isAtomic);
}

/** Entries as writes for a carrier, folded as far as it can take them. */
export function toWrites(entries: readonly Entry[], carrier: Carrier): SentWrite[] {
  return foldedFor(carrier, entries.map(translated));
}

/** An entry as a write by itself. */
export function toSentWrite(entry: Entry): SentWrite {
  return unfolded(translated(entry));
}
