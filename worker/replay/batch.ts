/**
 * The batches of a lane: the entries behind its mark, translated and folded as far as the carrier
 * can take them, as many as the beacon copes with.
 */
import type { Entry } from '../../bridges/entry.ts';
import { foldBatch, type Keyed } from '../../bridges/fold.ts';
import { toMutation } from '../../bridges/lanes.ts';
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import { nextTurn } from '../../runtime/clock.ts';
import type { Journal } from '../journal/journal.ts';
import type { Carrier, Delivery, SentWrite } from './carrier.ts';
import type { Destination } from './delivery.ts';

type Place = { seq: number; key: string };
type Going = Keyed & { entry: Entry };

/** Entries that follow each other in the journal, made ready to be sent. */
export type Batch = {
  afterSeq: number;
  last: Entry;
  entries: number;
  carrier: Carrier;
  delivery: Delivery;
  /** Entries that are sent, and those that wait behind a dead letter of their key. */
  going: Place[];
  parked: Place[];
  /** As many entries as a delivery may have: there are probably more. */
  isFull: boolean;
  /** Nothing was left out of it. */
  isFree: boolean;
};

export class BatchMaker {
  readonly #lane: Lane;
  readonly #journal: Journal;
  readonly #blocked: BlockedStore;
  readonly #size: { readonly entries: number };
  #ahead: Batch | null = null;

  /** @param parts `size` says how many entries a batch takes, at this moment */
  constructor(parts: {
    lane: Lane;
    journal: Journal;
    blocked: BlockedStore;
    size: { readonly entries: number };
  }) {
    this.#lane = parts.lane;
    this.#journal = parts.journal;
    this.#blocked = parts.blocked;
    this.#size = parts.size;
  }

  /**
   * The batch above a mark: the one made ahead if what is blocked has not changed since, else a
   * fresh one. Null when there is nothing above it.
   */
  async after(seq: number, destination: Destination): Promise<Batch | null> {
    const ahead = this.#ahead;
    this.#ahead = null;
    const waiting = this.#blocked.poisonedKeys(destination.database, this.#lane);
    const isUsable =
      ahead !== null &&
      ahead.afterSeq === seq &&
      ahead.carrier === destination.carrier &&
      ahead.isFree &&
      waiting.size === 0;
    return isUsable ? ahead : this.#make(seq, destination, waiting);
  }

  /** The batch behind one that is on its way; null where that cannot be known yet. */
  async following(batch: Batch, destination: Destination): Promise<Batch | null> {
    if (!batch.isFull || !batch.isFree) return null;
    await nextTurn();
    return this.#make(batch.last.seq, destination, new Set());
  }

  /** Has it at hand once the mark is where it begins. */
  keep(ahead: Batch | null): void {
    this.#ahead = ahead;
  }

  /**
   * Made in steps, so that answers to writes and the sending of the batch before do not wait for
   * it.
   */
  async #make(
    afterSeq: number,
    { database, carrier }: Destination,
    waiting: ReadonlySet<string>,
  ): Promise<Batch | null> {
    const size = this.#size.entries;
    const entries: Entry[] = [];
    const going: Going[] = [];
    const parked: Place[] = [];
    const dropped = this.#blocked.droppedAbove(database, this.#lane, afterSeq);
    for (let bytes = 0; entries.length < size && bytes < limits.deliverBytesMax;) {
      const from = entries.at(-1)?.seq ?? afterSeq;
      const step = this.#journal.readSlice(
        this.#lane,
        from,
        Math.min(limits.deliverStepEntries, size - entries.length),
        limits.deliverBytesMax - bytes,
      );
      for (const entry of step.entries) {
        if (waiting.has(entry.key)) parked.push({ seq: entry.seq, key: entry.key });
        else if (!dropped.has(entry.seq)) going.push(translated(entry));
        entries.push(entry);
      }
      bytes += step.bytes;
      if (step.isCut || step.entries.length < limits.deliverStepEntries) break;
      await nextTurn();
    }
    const last = entries.at(-1);
    if (!last) return null;
    const delivery: Delivery = {
      writes: carrier.isVerbatim ? going.map(unfolded) : foldBatch(going, carrier.isAtomic),
      throughSeq: last.seq,
      isBelowMark: false,
      afterSeq,
      traces: going.flatMap(({ entry }) => entry.trace ?? []),
    };
    return {
      afterSeq,
      carrier,
      last,
      entries: entries.length,
      isFull: entries.length >= size,
      isFree: waiting.size === 0 && dropped.size === 0,
      going: going.map(({ entry, key }) => ({ seq: entry.seq, key })),
      parked,
      delivery: carrier.prepare?.(delivery) ?? delivery,
    };
  }
}

function translated(entry: Entry): Going {
  return { mutation: toMutation(entry), key: entry.key, entry };
}

function unfolded(write: Going): SentWrite {
  return { ...write, seqs: [write.mutation.Seq] };
}

/** An entry as a write by itself. */
export function toSentWrite(entry: Entry): SentWrite {
  return unfolded(translated(entry));
}
