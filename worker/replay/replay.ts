/**
 * Replay: the only path from the journal to a database. One loop for each lane, one batch in
 * flight.
 *
 * Constraints: I5, I7, I8. The query is `seq > mark`, so nothing can be below a mark by accident; a
 * batch is settled before the next is sent. Ordering: released entries and new ones take turns, and
 * new entries of a waiting key are parked behind it. Failure: without an answer nothing is known,
 * so the same entries are sent again; the beacon's mark row and BridgeSeq make that harmless.
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

/** Counts deliveries and dead letters, for metrics. */
export type ReplayMeter = {
  flushed: (lane: Lane, seconds: number) => void;
  deadLettered: (reason: string) => void;
};

/** What a lane reports of its deliveries. */
export type ReplayListener = {
  /** The mark or the blocked entries changed. */
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
   * True while a delivery is prepared or under way: nobody else may change marks or blocked entries
   * then.
   */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /**
   * Call it when something changed: new entries, a beacon, an assignment, or an operator's command.
   */
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
   * Takes one step; false when there was nothing to do. Released and new entries take turns, so
   * that a key with many released writes holds up no other.
   */
  async #deliver(destination: Destination): Promise<boolean> {
    const isReleasedFirst = !this.#isBatchDue;
    const released = isReleasedFirst ? await this.#deliverReleased(destination) : 'more';
    // The released entries began an epoch that this carrier does not know. The next step gets a new
    // one.
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
   * Sends a new epoch to the database at once, with an empty batch: until the database has it, an
   * older copy of the database would not be recognised. Returns whether it sent one.
   */
  async #reportEpoch(
    { database, beacon, carrier }: Destination,
    { epoch, epochBefore, seq }: Mark,
  ): Promise<boolean> {
    if (epochBefore === null || !carrier.isAtomic) return false;
    const batch = { writes: [], throughSeq: seq, isBelowMark: false, afterSeq: seq };
    const reported = await carrier.apply(batch);
    // An epoch that the database does not show must not count as confirmed: the database's own
    // epoch would look foreign then.
    if (reported.epoch !== epoch)
      throw new TidemarkError('UNAVAILABLE', `${beacon} did not take the epoch of its mark`);
    this.#parts.marks.confirmEpoch(database, this.lane, epoch);
    return true;
  }

  async #deliverBatch(destination: Destination, batch: Batch): Promise<void> {
    const { clock, marks } = this.#parts;
    const { database, carrier } = destination;
    // Parked before the batch is sent: the database's own mark may pass them even if no answer
    // comes, and then they must be delivered below it.
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
