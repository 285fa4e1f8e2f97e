/**
 * Forgets what is past the dedup horizon: accepted writes, and when they were delivered. In steps,
 * so that answers to writes do not wait for it.
 */
import { type Clock, nextTurn } from '../../runtime/clock.ts';
import type { MarkStore } from '../../hwm/mark-store.ts';
import type { DedupBounds } from '../journal/horizon.ts';
import type { Journal } from '../journal/journal.ts';

export type ForgettingOptions = {
  journal: Pick<Journal, 'horizon'>;
  marks: MarkStore;
  clock: Clock;
};

export class Forgetting {
  readonly #parts: ForgettingOptions;
  readonly #bounds: DedupBounds;
  #isRunning = false;

  constructor(parts: ForgettingOptions, bounds: DedupBounds) {
    this.#parts = parts;
    this.#bounds = bounds;
  }

  /**
   * Until nothing is past the horizon; at once when it is under way.
   * @param goesOn asked between two steps
   */
  async sweep(goesOn: () => boolean = () => true): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { journal, marks, clock } = this.#parts;
    try {
      while (goesOn() && journal.horizon.step(clock.nowMs(), this.#bounds)) await nextTurn();
      while (goesOn() && marks.forgetDeliveriesBefore(clock.nowMs() - this.#bounds.ms))
        await nextTurn();
    } finally {
      this.#isRunning = false;
    }
  }
}
