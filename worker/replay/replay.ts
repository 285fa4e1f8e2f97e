/**
 * Replay: the only path from the journal to a database. One loop a lane, one batch in flight.
 *
 * Constraints: I5, I7, I8. The query is `seq > mark`, so nothing can be below a mark by accident; a
 * batch is settled before the next is read. Ordering: what was released from behind a dead letter
 * goes before new entries, and new entries of a waiting key are parked behind it. Failure: no
 * answer means nothing is known; the same entries are sent again, and the beacon's mark row and
 * BridgeSeq make that harmless.
 */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { Mark, MarkStore } from '../../hwm/mark-store.ts';
import { refusedKeys, settle } from '../../hwm/settlement.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { type Clock, nextTurn } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Destination } from './delivery.ts';
import type { Journal } from '../journal/journal.ts';
import { guidBytes } from '../state/entry-identity.ts';
import { type Batch, BatchMaker, damagedReason } from './batch.ts';
import { Releaser } from './released.ts';
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
  readonly #releaser: Releaser;
  readonly #stop = new AbortController();
  #isBusy = false;
  #isBatchDue = false;
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> | null = null;

  constructor(parts: ReplayOptions) {
    this.lane = parts.lane;
    this.#parts = parts;
    this.#sender = new Sender(parts);
    this.#batches = new BatchMaker({
      ...parts,
      size: this.#sender.size,
      onDamaged: ({ seq, key }) => this.#reportDead(seq, key, damagedReason),
    });
    this.#releaser = new Releaser({
      ...parts,
      sender: this.#sender,
      reportDead: (seq, key, reason) => this.#reportDead(seq, key, reason),
    });
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

  /**
   * One step; false when there was nothing to do. What was released and what is new take turns: a
   * key with many released writes holds up no other.
   */
  async #deliver(destination: Destination): Promise<boolean> {
    const isReleasedFirst = !this.#isBatchDue;
    const released = isReleasedFirst ? await this.#deliverReleased(destination) : 'more';
    // It began an epoch, which the carrier at hand does not know.
    this.#isBatchDue = released === 'sent';
    if (this.#isBatchDue) return true;
    const mark = this.#parts.marks.get(destination.database, this.lane);
    const batch = mark && (await this.#batches.after(mark.seq, destination));
    if (batch) await this.#deliverBatch(destination, batch);
    if (batch || released === 'more') return true;
    return mark !== null && this.#reportEpoch(destination, mark);
  }

  async #deliverReleased(destination: Destination): Promise<'sent' | 'more' | 'nothing'> {
    const mark = this.#parts.marks.get(destination.database, this.lane);
    const lot = mark && this.#releaser.next(destination);
    if (!lot) return 'nothing';
    if (lot.runs.length === 0) return lot.isMore ? 'more' : 'nothing';
    if (await this.#reportEpoch(destination, mark)) return 'sent';
    await this.#releaser.send(destination, mark, lot.runs);
    this.#parts.listener.settled();
    return 'sent';
  }

  /**
   * A new epoch is reported to the database at once, if need be by a batch of nothing: until then a
   * copy from before could not be known from it.
   */
  async #reportEpoch(
    { database, beacon, carrier }: Destination,
    { epoch, epochBefore, seq }: Mark,
  ): Promise<boolean> {
    if (epochBefore === null || !carrier.isAtomic) return false;
    const batch = { writes: [], throughSeq: seq, isBelowMark: false, afterSeq: seq };
    const reported = await carrier.apply(batch);
    // An epoch that the database does not show must not count as known: its own would look foreign.
    if (reported.epoch !== epoch)
      throw new TidemarkError('UNAVAILABLE', `${beacon} did not take the epoch of its mark`);
    this.#parts.marks.confirmEpoch(database, this.lane, epoch);
    return true;
  }

  async #deliverBatch(destination: Destination, batch: Batch): Promise<void> {
    const { clock, marks } = this.#parts;
    const { database, carrier } = destination;
    // Kept before it is sent: the database's own mark will be past them even if no answer comes,
    // and they must go below it then.
    await this.#park(database, batch.parked);
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
      return this.#park(
        database,
        batch.going.filter((entry) => refused.has(entry.key)),
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

  /** In steps, the lowest first: whatever comes between, later writes of a key find it waiting. */
  async #park(database: number, entries: readonly { seq: number; key: string }[]): Promise<void> {
    const { blocked, clock } = this.#parts;
    for (let at = 0; at < entries.length; at += limits.parkStepEntries) {
      if (at > 0) await nextTurn();
      const step = entries.slice(at, at + limits.parkStepEntries);
      blocked.park(database, this.lane, step, clock.nowMs());
    }
  }

  #reportDead(seq: number, key: string, reason: string | null): void {
    this.#parts.meter?.deadLettered(reason ?? '');
    this.#parts.log.error(
      { lane: this.lane, seq, key, reason },
      'dead letter: the backend refused a write; its key waits',
    );
  }
}
