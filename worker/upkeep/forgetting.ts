/**
 * Forgets what is past the dedup horizon: accepted writes, and when they were delivered. It works
 * in steps, so that answers to writes do not wait for it.
 */
import { type Clock, nextTurn } from '../../runtime/clock.ts';
import type { MarkStore } from '../../hwm/mark-store.ts';
import type { DedupBounds } from '../journal/horizon.ts';
import type { Journal } from '../journal/journal.ts';
import { limits } from '../../contracts/limits.ts';
import type { Store } from '../state/store.ts';

export type ForgettingOptions = {
  store: Pick<Store, 'wrote'>;
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
   * Resolves when nothing is past the horizon; at once when a sweep is under way.
   * @param goesOn asked between two steps
   */
  async sweep(goesOn: () => boolean = () => true): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { store, marks, clock } = this.#parts;
    try {
      while (goesOn() && this.#forget()) await nextTurn();
      while (goesOn() && marks.forgetDeliveriesBefore(clock.nowMs() - this.#bounds.ms))
        await nextTurn();
    } finally {
      this.#isRunning = false;
      if (goesOn()) store.wrote(0);
    }
  }

  /** One step; true when there may be more. */
  #forget(): boolean {
    const { store, journal, clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    const isOver = () => clock.monotonicMs() - startedMs > limits.forgetStepMs;
    const isMore = journal.horizon.step(clock.nowMs(), this.#bounds, isOver);
    // Random GUIDs lie each on a page of its own.
    store.wrote(limits.forgetStepEntries * limits.pageBytes);
    return isMore;
  }
}
