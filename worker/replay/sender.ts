/**
 * Sends deliveries by a carrier, each in a span with the traces of its entries, and adapts the size
 * of the next one.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { Clock } from '../../runtime/clock.ts';
import { delivering } from '../journal/trace.ts';
import type { Delivered, Delivery } from './carrier.ts';
import type { Destination } from './delivery.ts';

export type SenderOptions = {
  lane: Lane;
  clock: Clock;
  meter?: { flushed: (lane: Lane, seconds: number) => void } | undefined;
};

export class Sender {
  readonly size = new BatchSize();
  readonly #parts: SenderOptions;

  constructor(parts: SenderOptions) {
    this.#parts = parts;
  }

  /**
   * Returns null for a delivery that exceeds the message size; the next one then takes a single
   * entry. A single write that is too large is refused for good.
   * @throws what the carrier throws: the outcome is then unknown
   */
  async send({ beacon, carrier }: Destination, delivery: Delivery): Promise<Delivered | null> {
    const { lane, clock, meter } = this.#parts;
    const startedMs = clock.monotonicMs();
    const entries = delivery.writes.reduce((sum, write) => sum + write.seqs.length, 0);
    const to = { beacon, lane, carrier: carrier.name, entries };
    try {
      return await delivering(to, delivery.traces ?? [], () => carrier.apply(delivery));
    } catch (thrown) {
      if (!(thrown instanceof TidemarkError) || thrown.code !== 'TOO_LARGE') throw thrown;
      if (delivery.writes.length > 1) {
        this.size.one();
        return null;
      }
      return { results: [{ Outcome: 'rejected', Reason: thrown.message }], isCommitted: true };
    } finally {
      meter?.flushed(lane, (clock.monotonicMs() - startedMs) / 1000);
    }
  }
}

/**
 * How many entries a delivery takes: grows while the beacon answers fast, shrinks when it is slow
 * or fails.
 */
class BatchSize {
  #entries: number = limits.deliverEntriesMin;

  get entries(): number {
    return this.#entries;
  }

  /**
   * Adapts the size to the time a delivery took. One with fewer entries than allowed never makes it
   * larger.
   */
  adapt(sent: number, tookMs: number): void {
    if (tookMs > limits.deliverSlowMs) this.shrink();
    else if (tookMs < limits.deliverFastMs && sent >= this.#entries)
      this.#entries = Math.min(limits.deliverEntriesMax, this.#entries * 2);
  }

  /** The next delivery takes a single entry; the size grows again from there. */
  one(): void {
    this.#entries = 1;
  }

  shrink(): void {
    this.#entries = Math.max(
      Math.min(this.#entries, limits.deliverEntriesMin),
      Math.floor(this.#entries / 2),
    );
  }
}
