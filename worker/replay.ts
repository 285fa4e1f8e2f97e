/**
 * Replay: the only path from the journal to a database. One loop a lane, one batch in flight.
 *
 * Constraints: I5, I7, I8. The query is `seq > mark`, so nothing can be below a mark by accident; a batch is settled before the next is read.
 * Ordering: what was released from behind a dead letter goes before new entries, and new entries of a waiting key are parked behind it.
 * Failure: no answer means nothing is known; the same entries are sent again, and the beacon's mark row and BridgeSeq make that harmless.
 */
import type { Entry } from '../bridges/entry.ts';
import { type Folded, foldBatch, type Keyed } from '../bridges/fold.ts';
import { toMutation } from '../bridges/lanes.ts';
import { messageOf, TidemarkError } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';
import { isSettledOutcome } from '../contracts/mutation.ts';
import type { Lane } from '../contracts/subjects.ts';
import type { HeldStore } from '../hwm/held-store.ts';
import type { Mark, MarkStore } from '../hwm/mark-store.ts';
import { reasonOf, refusedKeys, settle } from '../hwm/settlement.ts';
import { Backoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import type { Carrier, Delivered, Delivery } from './carrier.ts';
import { guidBytes, type Journal } from './journal.ts';
import { BatchSize } from './batch-size.ts';

export type ReplayParts = { lane: Lane; journal: Journal; marks: MarkStore; held: HeldStore; clock: Clock; log: Log };

/** Where a lane delivers to at this moment. */
export type Destination = { database: number; beacon: string; carrier: Carrier };

export class Replay {
  readonly lane: Lane;
  readonly #parts: ReplayParts;
  /** Null while there is nowhere to deliver: unassigned, away, bootstrapping, paused. */
  readonly #destination: () => Promise<Destination | null>;
  readonly #onSettled: () => void;
  readonly #onFailure: (beacon: string, error: unknown) => void;
  readonly #stop = new AbortController();
  readonly #size: BatchSize;
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> | null = null;

  constructor(parts: ReplayParts, events: {
    destination: () => Promise<Destination | null>; onSettled: () => void; onFailure: (beacon: string, error: unknown) => void;
  }) {
    this.lane = parts.lane;
    this.#parts = parts;
    this.#destination = events.destination;
    this.#onSettled = events.onSettled;
    this.#onFailure = events.onFailure;
    this.#size = new BatchSize();
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
    const backoff = new Backoff(this.#parts.clock, { firstMs: limits.backoffFirstMs, longestMs: limits.backoffLongestMs });
    while (!this.#stop.signal.aborted) {
      const woken = this.#wake.promise;
      let beacon = '';
      try {
        const destination = await this.#destination();
        beacon = destination?.beacon ?? '';
        const hasDelivered = destination !== null && await this.#deliver(destination);
        backoff.reset();
        if (hasDelivered) continue;
      } catch (thrown) {
        this.#size.shrink();
        this.#onFailure(beacon, thrown);
        this.#parts.log.warn({ lane: this.lane, beacon, reason: messageOf(thrown) }, 'delivery failed, trying again');
        await backoff.wait(this.#stop.signal);
        continue;
      }
      await woken;
      this.#wake = Promise.withResolvers<void>();
    }
  }

  /** One step; false when there was nothing to do. */
  async #deliver(destination: Destination): Promise<boolean> {
    if (await this.#deliverReleased(destination)) return true;
    const mark = this.#parts.marks.get(destination.database, this.lane);
    if (!mark) return false;
    const entries = this.#parts.journal.readAfter(this.lane, mark.seq, this.#size.entries, limits.deliverBytesMax);
    const last = entries.at(-1);
    if (!last) return false;
    await this.#deliverBatch(destination, mark, entries, last);
    return true;
  }

  async #deliverBatch(destination: Destination, mark: Mark, entries: Entry[], last: Entry): Promise<void> {
    const { clock, marks, held } = this.#parts;
    const waiting = held.poisonedKeys(mark.database, this.lane);
    const parked = entries.filter((entry) => waiting.has(entry.key));
    const dropped = held.droppedBetween(mark.database, this.lane, mark.seq, last.seq);
    const going = entries.filter((entry) => !waiting.has(entry.key) && !dropped.has(entry.seq));
    const writes = foldBatch(going.map(keyed), destination.carrier.isAtomic);
    const startedMs = clock.monotonicMs();
    const delivered = await this.#apply(destination, { writes, throughSeq: last.seq, isBelowMark: false });
    if (!delivered) return;
    const { results, isCommitted } = delivered;
    this.#size.adapt(entries.length, clock.monotonicMs() - startedMs);
    if (!isCommitted) {
      const refused = refusedKeys(writes, results);
      if (refused.size === 0) throw new TidemarkError('UNAVAILABLE', `${destination.beacon} did not commit a batch and refused nothing in it`);
      return held.park(mark.database, this.lane, going.filter((entry) => refused.has(entry.key)), clock.nowMs());
    }
    const verdict = settle(writes, results, parked);
    for (const one of verdict.held) if (one.state === 'dead') this.#tellDead(one.seq, one.key, one.reason);
    marks.settle(mark.database, this.lane, {
      throughSeq: last.seq, throughGuid: guidBytes(last.eventGuid), recordedMs: Date.parse(last.acceptedAt), nowMs: clock.nowMs(),
      carrier: destination.carrier.name, ...verdict,
    });
    this.#onSettled();
  }

  /** A batch that no message can carry is cut down to one entry; one entry that none can carry is refused for good. */
  async #apply(destination: Destination, delivery: Delivery): Promise<Delivered | null> {
    try {
      return await destination.carrier.apply(delivery);
    } catch (thrown) {
      if (!(thrown instanceof TidemarkError) || thrown.code !== 'TOO_LARGE') throw thrown;
      if (delivery.writes.length > 1) {
        this.#size.one();
        return null;
      }
      return { results: [{ Outcome: 'rejected', Reason: thrown.message }], isCommitted: true };
    }
  }

  /** Sends what may go from behind dead letters: the first entry of each key, one by one, in Seq order. */
  async #deliverReleased(destination: Destination): Promise<boolean> {
    const { held, journal, clock } = this.#parts;
    const seqs = held.deliverable(destination.database, this.lane, limits.deliverEntriesMin);
    if (seqs.length === 0) return false;
    const entries: Entry[] = [];
    for (const seq of seqs) {
      const entry = journal.read(seq);
      if (entry) entries.push(entry);
      else held.bury(destination.database, seq, 'its body is gone from the journal', clock.nowMs());
    }
    const writes = entries.map((entry): Folded => ({ ...keyed(entry), seqs: [entry.seq] }));
    const results = await this.#applyEach(destination, writes);
    entries.forEach((entry, index) => {
      const result = results[index];
      if (!result) return;
      if (isSettledOutcome(result.Outcome)) held.settle(destination.database, this.lane, entry.seq, result.Outcome === 'applied');
      else {
        held.bury(destination.database, entry.seq, reasonOf(result), clock.nowMs());
        this.#tellDead(entry.seq, entry.key, reasonOf(result));
      }
    });
    this.#onSettled();
    return true;
  }

  /** Released entries are each their own affair, so a lot that no message can carry goes one at a time. */
  async #applyEach(destination: Destination, writes: readonly Folded[]): Promise<Delivered['results']> {
    const throughSeq = writes.at(-1)?.mutation.Seq ?? 0;
    const together = await this.#apply(destination, { writes, throughSeq, isBelowMark: true });
    if (together) return together.results;
    const results: Delivered['results'] = [];
    for (const write of writes) results.push((await this.#apply(destination, { writes: [write], throughSeq, isBelowMark: true }))?.results[0] ?? null);
    return results;
  }

  #tellDead(seq: number, key: string, reason: string | null): void {
    this.#parts.log.error({ lane: this.lane, seq, key, reason }, 'dead letter: the backend refused a write; its key waits');
  }
}

function keyed(entry: Entry): Keyed {
  return { mutation: toMutation(entry), key: entry.key };
}
