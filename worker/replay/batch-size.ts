/**
 * How many entries a delivery takes: grows while the beacon answers fast, shrinks when it is slow
 * or fails.
 */
import { limits } from '../../contracts/limits.ts';

export class BatchSize {
  #entries: number = limits.deliverEntriesMin;

  get entries(): number {
    return this.#entries;
  }

  /** Learns from a delivery; one that was not full says nothing about a larger one. */
  adapt(sent: number, tookMs: number): void {
    if (tookMs > limits.deliverSlowMs) this.shrink();
    else if (tookMs < limits.deliverFastMs && sent >= this.#entries)
      this.#entries = Math.min(limits.deliverEntriesMax, this.#entries * 2);
  }

  /** The next delivery takes one entry; it grows again from there. */
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
