/**
 * Replay: the only path from the journal to a database. One loop a lane, one batch in flight.
 *
 * Constraints: I5, I7, I8. The query is `seq > mark`, so nothing can be below a mark by accident; a
 * batch is settled before the next is read. Ordering: what was released from behind a dead letter
 * goes before new entries, and new entries of a waiting key are parked behind it. Failure: no
 * answer means nothing is known; the same entries are sent again, and the beacon's mark row and
 * BridgeSeq make that harmless.
 */
import type { Entry } from '../../bridges/entry.ts';
import type { Folded, Keyed } from '../../bridges/fold.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { isSettledOutcome } from '../../contracts/mutation.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { Mark, MarkStore } from '../../hwm/mark-store.ts';
import { reasonOf, refusedKeys, settle } from '../../hwm/settlement.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { type Clock, newUuid, nextTurn } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Carrier, Delivered, Delivery } from './carrier.ts';
import type { Journal } from '../journal/journal.ts';
import { guidBytes } from '../state/entry-identity.ts';
import { BatchSize } from './batch-size.ts';
import { unfolded, toKeyedWrite, writesFor } from './entry-writes.ts';
import type { Meter } from '../metrics/meter.ts';
import { delivering } from '../journal/trace.ts';

export type ReplayOptions = {
  lane: Lane;
  journal: Journal;
  marks: MarkStore;
  blocked: BlockedStore;
  clock: Clock;
  log: Log;
  meter?: Meter;
};

/** Where a lane delivers to at this moment. */
export type Destination = { database: number; beacon: string; carrier: Carrier };

type Place = { seq: number; key: string };

/** A stretch of the journal, made ready to be sent. */
type Batch = {
  afterSeq: number;
  last: Entry;
  entries: number;
  carrier: Carrier;
  delivery: Delivery;
  /** Entries that are sent, and those that wait behind what is held. */
  going: Place[];
  parked: Place[];
  /** As many entries as a delivery may have: there are probably more. */
  isFull: boolean;
  /** Nothing was left out of it. */
  isFree: boolean;
};

export class Replay {
  readonly lane: Lane;
  readonly #parts: ReplayOptions;
  /** Null while there is nowhere to deliver: unassigned, away, bootstrapping, paused. */
  readonly #destination: () => Promise<Destination | null>;
  readonly #onSettled: () => void;
  readonly #onFailure: (beacon: string, error: unknown) => void;
  readonly #stop = new AbortController();
  readonly #size: BatchSize;
  #ahead: Batch | null = null;
  #isBusy = false;
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> | null = null;

  constructor(
    parts: ReplayOptions,
    events: {
      destination: () => Promise<Destination | null>;
      onSettled: () => void;
      onFailure: (beacon: string, error: unknown) => void;
    },
  ) {
    this.lane = parts.lane;
    this.#parts = parts;
    this.#destination = events.destination;
    this.#onSettled = events.onSettled;
    this.#onFailure = events.onFailure;
    this.#size = new BatchSize();
  }

  /**
   * A delivery is under way, or is being prepared: marks and held entries are not for others to
   * change now.
   */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Something changed: new entries, a beacon, an assignment, an operator's word. */
  wake(): void {
    this.#wake.resolve();
  }

  /** Ends after the batch in flight is settled, or given up. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const backoff = new Backoff(this.#parts.clock, {
      firstMs: limits.backoffFirstMs,
      longestMs: limits.backoffLongestMs,
    });
    while (!this.#stop.signal.aborted) {
      const woken = this.#wake.promise;
      let beacon = '';
      this.#isBusy = true;
      try {
        const destination = await this.#destination();
        beacon = destination?.beacon ?? '';
        const hasDelivered = destination !== null && (await this.#deliver(destination));
        backoff.reset();
        if (hasDelivered) continue;
      } catch (thrown) {
        this.#size.shrink();
        this.#onFailure(beacon, thrown);
        this.#parts.log.warn(
          { lane: this.lane, beacon, reason: messageOf(thrown) },
          'delivery failed, trying again',
        );
        this.#isBusy = false;
        await backoff.wait(this.#stop.signal);
        continue;
      }
      this.#isBusy = false;
      await woken;
      this.#wake = Promise.withResolvers<void>();
    }
  }

  /** One step; false when there was nothing to do. */
  async #deliver(destination: Destination): Promise<boolean> {
    if (await this.#deliverReleased(destination)) return true;
    const mark = this.#parts.marks.get(destination.database, this.lane);
    const batch = mark && (await this.#batchAfter(mark.seq, destination));
    if (!batch) return mark !== null && this.#tellEpoch(destination, mark);
    await this.#deliverBatch(destination, batch);
    return true;
  }

  /**
   * A new epoch is told to the database at once, if need be by a batch of nothing: until then a
   * copy from before could not be told from it.
   */
  async #tellEpoch(
    { database, carrier }: Destination,
    { epoch, epochBefore, seq }: Mark,
  ): Promise<boolean> {
    if (epochBefore === null || !carrier.isAtomic) return false;
    await carrier.apply({ writes: [], throughSeq: seq, isBelowMark: false, afterSeq: seq });
    this.#parts.marks.confirmEpoch(database, this.lane, epoch);
    return true;
  }

  /**
   * The batch above a mark: the one made ahead if what is held has not changed since, else a fresh
   * one.
   */
  async #batchAfter(seq: number, destination: Destination): Promise<Batch | null> {
    const ahead = this.#ahead;
    this.#ahead = null;
    const waiting = this.#parts.blocked.poisonedKeys(destination.database, this.lane);
    const isUsable =
      ahead !== null &&
      ahead.afterSeq === seq &&
      ahead.carrier === destination.carrier &&
      ahead.isFree &&
      waiting.size === 0;
    return isUsable ? ahead : this.#makeBatch(seq, destination, waiting);
  }

  /**
   * Made in steps, so that answers to writes and the sending of the batch before do not wait for
   * it.
   */
  async #makeBatch(
    afterSeq: number,
    { database, carrier }: Destination,
    waiting: ReadonlySet<string>,
  ): Promise<Batch | null> {
    const size = this.#size.entries;
    const entries: Entry[] = [];
    const going: Keyed[] = [];
    const parked: Place[] = [];
    const traces: string[] = [];
    const dropped = this.#parts.blocked.droppedAbove(database, this.lane, afterSeq);
    for (let bytes = 0; entries.length < size && bytes < limits.deliverBytesMax;) {
      const from = entries.at(-1)?.seq ?? afterSeq;
      const step = this.#parts.journal.readSlice(
        this.lane,
        from,
        Math.min(limits.deliverStepEntries, size - entries.length),
        limits.deliverBytesMax - bytes,
      );
      for (const entry of step.entries) {
        if (waiting.has(entry.key)) parked.push({ seq: entry.seq, key: entry.key });
        else if (!dropped.has(entry.seq)) {
          going.push(toKeyedWrite(entry));
          if (entry.trace !== undefined) traces.push(entry.trace);
        }
        entries.push(entry);
      }
      bytes += step.bytes;
      if (step.isCut || step.entries.length < limits.deliverStepEntries) break;
      await nextTurn();
    }
    const last = entries.at(-1);
    if (!last) return null;
    const delivery: Delivery = {
      writes: writesFor(carrier, going),
      throughSeq: last.seq,
      isBelowMark: false,
      afterSeq,
      traces,
    };
    return {
      afterSeq,
      carrier,
      last,
      entries: entries.length,
      isFull: entries.length >= size,
      isFree: waiting.size === 0 && dropped.size === 0,
      going: going.map(({ mutation, key }) => ({ seq: mutation.Seq, key })),
      parked,
      delivery: carrier.prepare?.(delivery) ?? delivery,
    };
  }

  async #deliverBatch(destination: Destination, batch: Batch): Promise<void> {
    const { clock, marks, blocked } = this.#parts;
    const { database, carrier } = destination;
    // Kept before it is sent: the database's own mark will be past them even if no answer comes,
    // and they must go below it then.
    if (batch.parked.length > 0) blocked.park(database, this.lane, batch.parked, clock.nowMs());
    const startedMs = clock.monotonicMs();
    // The next batch is made while the beacon works on this one; it is sent only once this one is
    // settled.
    const [delivered, ahead] = await Promise.all([
      this.#apply(destination, batch.delivery),
      batch.isFull && batch.isFree
        ? nextTurn().then(() => this.#makeBatch(batch.last.seq, destination, new Set()))
        : null,
    ]);
    this.#ahead = ahead;
    if (!delivered) return;
    const { results, isCommitted } = delivered;
    const { writes } = batch.delivery;
    this.#size.adapt(batch.entries, clock.monotonicMs() - startedMs);
    if (!isCommitted) {
      const refused = refusedKeys(writes, results);
      if (refused.size === 0)
        throw new TidemarkError(
          'UNAVAILABLE',
          `${destination.beacon} did not commit a batch and refused nothing in it`,
        );
      return blocked.park(
        database,
        this.lane,
        batch.going.filter((entry) => refused.has(entry.key)),
        clock.nowMs(),
      );
    }
    const verdict = settle(writes, results, batch.parked);
    for (const one of verdict.blocked)
      if (one.state === 'dead') this.#tellDead(one.seq, one.key, one.reason);
    marks.settle(database, this.lane, {
      throughSeq: batch.last.seq,
      throughGuid: guidBytes(batch.last.eventGuid),
      recordedMs: Date.parse(batch.last.acceptedAt),
      nowMs: clock.nowMs(),
      carrier: carrier.name,
      ...verdict,
    });
    this.#onSettled();
  }

  /**
   * A batch that no message can carry is cut down to one entry; one entry that none can carry is
   * refused for good.
   */
  async #apply(destination: Destination, delivery: Delivery): Promise<Delivered | null> {
    const startedMs = this.#parts.clock.monotonicMs();
    try {
      const { beacon, carrier } = destination;
      const to = {
        beacon,
        lane: this.lane,
        carrier: carrier.name,
        entries: delivery.writes.reduce((sum, write) => sum + write.seqs.length, 0),
      };
      return await delivering(to, delivery.traces ?? [], () => carrier.apply(delivery));
    } catch (thrown) {
      if (!(thrown instanceof TidemarkError) || thrown.code !== 'TOO_LARGE') throw thrown;
      if (delivery.writes.length > 1) {
        this.#size.one();
        return null;
      }
      return { results: [{ Outcome: 'rejected', Reason: thrown.message }], isCommitted: true };
    } finally {
      this.#parts.meter?.flushed(this.lane, (this.#parts.clock.monotonicMs() - startedMs) / 1000);
    }
  }

  /**
   * Sends what may go from behind dead letters: the first entry of each key, one by one, in Seq
   * order.
   */
  async #deliverReleased(destination: Destination): Promise<boolean> {
    const { blocked, journal, clock, marks } = this.#parts;
    const seqs = blocked.deliverable(
      destination.database,
      this.lane,
      Math.min(limits.deliverEntriesMin, this.#size.entries),
    );
    const mark = marks.get(destination.database, this.lane);
    if (seqs.length === 0 || !mark) return false;
    if (await this.#tellEpoch(destination, mark)) return true;
    const entries: Entry[] = [];
    for (const seq of seqs) {
      const entry = journal.read(seq);
      if (entry) entries.push(entry);
      else
        blocked.bury(destination.database, seq, 'its body is gone from the journal', clock.nowMs());
    }
    const writes = entries.map((entry) => unfolded(toKeyedWrite(entry)));
    const delivered = await this.#applyBelow(
      destination,
      mark,
      writes,
      entries.flatMap(({ trace = [] }) => trace),
    );
    if (!delivered) return true;
    entries.forEach((entry, index) => {
      const result = delivered.results[index];
      if (!result) return;
      if (isSettledOutcome(result.Outcome))
        blocked.settle(destination.database, this.lane, entry.seq, result.Outcome === 'applied');
      else {
        blocked.bury(destination.database, entry.seq, reasonOf(result), clock.nowMs());
        this.#tellDead(entry.seq, entry.key, reasonOf(result));
      }
    });
    this.#onSettled();
    return true;
  }

  /**
   * Each lot below the mark begins an epoch, in our own record before it is sent, in the database
   * with the lot itself. Nothing else would tell a copy of the database from before the lot from
   * one behind it. Null when no message can carry the lot: then it goes one by one.
   */
  async #applyBelow(
    destination: Destination,
    { database, seq }: Mark,
    writes: readonly Folded[],
    traces: readonly string[],
  ): Promise<Delivered | null> {
    const { marks } = this.#parts;
    const delivery = {
      writes,
      throughSeq: writes.at(-1)?.mutation.Seq ?? 0,
      isBelowMark: true,
      afterSeq: seq,
      traces,
    };
    if (!destination.carrier.isAtomic) return this.#apply(destination, delivery);
    const epoch = newUuid();
    marks.renewEpoch(database, this.lane, epoch);
    const delivered = await this.#apply(destination, { ...delivery, epoch });
    // Before anything of it counts as delivered.
    if (delivered?.epoch === epoch) marks.confirmEpoch(database, this.lane, epoch);
    return delivered;
  }

  #tellDead(seq: number, key: string, reason: string | null): void {
    this.#parts.meter?.deadLettered(reason ?? '');
    this.#parts.log.error(
      { lane: this.lane, seq, key, reason },
      'dead letter: the backend refused a write; its key waits',
    );
  }
}
