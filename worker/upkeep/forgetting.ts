/**
 * Forgets what is past the dedup horizon: accepted writes, and when they were delivered. It works
 * in steps, so that answers to writes do not wait for it.
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

  /** Resolves when nothing is past the horizon; at once when a sweep is under way. */
  async sweep(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { journal, marks, clock } = this.#parts;
    try {
      while (journal.horizon.step(clock.nowMs(), this.#bounds)) await nextTurn();
      while (marks.forgetDeliveriesBefore(clock.nowMs() - this.#bounds.ms)) await nextTurn();
    } finally {
      this.#isRunning = false;
    }
  }
}
