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
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { isSettledOutcome } from '../../contracts/mutation.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { Mark, MarkStore } from '../../hwm/mark-store.ts';
import { reasonOf, refusedKeys, settle } from '../../hwm/settlement.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { type Clock, newUuid } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Delivered, SentWrite } from './carrier.ts';
import type { Destination } from './delivery.ts';
import { guidBytes, type Journal } from '../journal/journal.ts';
import { type Batch, BatchMaker, toSentWrite } from './batch.ts';
import { Sender } from './sender.ts';

export type ReplayOptions = {
  lane: Lane;
  journal: Journal;
  marks: MarkStore;
  blocked: BlockedStore;
  clock: Clock;
  log: Log;
  meter?: ReplayMeter | undefined;
  /** Null while there is nowhere to deliver: unassigned, away, bootstrapping, paused. */
  destination: () => Promise<Destination | null>;
  listener: ReplayListener;
};

/** Who counts what becomes of deliveries. */
export type ReplayMeter = {
  flushed: (lane: Lane, seconds: number) => void;
  deadLettered: (reason: string) => void;
};

/** What a lane reports of its deliveries. */
export type ReplayListener = {
  /** The mark moved, or what is blocked behind it. */
  settled: () => void;
  failed: (beacon: string, error: unknown) => void;
};

export class Replay {
  readonly lane: Lane;
  readonly #parts: ReplayOptions;
  readonly #batches: BatchMaker;
  readonly #sender: Sender;
  readonly #stop = new AbortController();
  #isBusy = false;
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> | null = null;

  constructor(parts: ReplayOptions) {
    this.lane = parts.lane;
    this.#parts = parts;
    this.#sender = new Sender(parts);
    this.#batches = new BatchMaker({ ...parts, size: this.#sender.size });
  }

  /**
   * A delivery is under way, or is being prepared: marks and blocked entries are not for others to
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
        const destination = await this.#parts.destination();
        beacon = destination?.beacon ?? '';
        const hasDelivered = destination !== null && (await this.#deliver(destination));
        backoff.reset();
        if (hasDelivered) continue;
      } catch (thrown) {
        this.#sender.size.shrink();
        this.#parts.listener.failed(beacon, thrown);
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
    const batch = mark && (await this.#batches.after(mark.seq, destination));
    if (!batch) return mark !== null && this.#reportEpoch(destination, mark);
    await this.#deliverBatch(destination, batch);
    return true;
  }

  /**
   * A new epoch is reported to the database at once, if need be by a batch of nothing: until then a
   * copy from before could not be known from it.
   */
  async #reportEpoch(
    { database, carrier }: Destination,
    { epoch, epochBefore, seq }: Mark,
  ): Promise<boolean> {
    if (epochBefore === null || !carrier.isAtomic) return false;
    await carrier.apply({ writes: [], throughSeq: seq, isBelowMark: false, afterSeq: seq });
    this.#parts.marks.confirmEpoch(database, this.lane, epoch);
    return true;
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
      this.#sender.send(destination, batch.delivery),
      this.#batches.following(batch, destination),
    ]);
    this.#batches.keep(ahead);
    if (!delivered) return;
    const { results, isCommitted } = delivered;
    const { writes } = batch.delivery;
    this.#sender.size.adapt(batch.entries, clock.monotonicMs() - startedMs);
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
      if (one.state === 'dead') this.#reportDead(one.seq, one.key, one.reason);
    marks.settle(database, this.lane, {
      throughSeq: batch.last.seq,
      throughGuid: guidBytes(batch.last.eventGuid),
      recordedMs: Date.parse(batch.last.acceptedAt),
      nowMs: clock.nowMs(),
      carrier: carrier.name,
      ...verdict,
    });
    this.#parts.listener.settled();
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
      Math.min(limits.deliverEntriesMin, this.#sender.size.entries),
    );
    const mark = marks.get(destination.database, this.lane);
    if (seqs.length === 0 || !mark) return false;
    if (await this.#reportEpoch(destination, mark)) return true;
    const entries: Entry[] = [];
    for (const seq of seqs) {
      const entry = journal.read(seq);
      if (entry) entries.push(entry);
      else
        blocked.bury(destination.database, seq, 'its body is gone from the journal', clock.nowMs());
    }
    const writes = entries.map(toSentWrite);
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
        this.#reportDead(entry.seq, entry.key, reasonOf(result));
      }
    });
    this.#parts.listener.settled();
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
    writes: readonly SentWrite[],
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
    if (!destination.carrier.isAtomic) return this.#sender.send(destination, delivery);
    const epoch = newUuid();
    marks.renewEpoch(database, this.lane, epoch);
    const delivered = await this.#sender.send(destination, { ...delivery, epoch });
    // Before anything of it counts as delivered.
    if (delivered?.epoch === epoch) marks.confirmEpoch(database, this.lane, epoch);
    return delivered;
  }

  #reportDead(seq: number, key: string, reason: string | null): void {
    this.#parts.meter?.deadLettered(reason ?? '');
    this.#parts.log.error(
      { lane: this.lane, seq, key, reason },
      'dead letter: the backend refused a write; its key waits',
    );
  }
}
