/**
 * Moves the entries of a store from before schema 5 into the tables of today while the worker
 * serves. It moves a little at a time, and pauses as long after each step as the step took.
 *
 * Failure: each step is one transaction, so a kill leaves each entry in one of the tables, and the
 * next start goes on.
 */
import { limits } from '../../contracts/limits.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { dropOldEntries, hasOldEntries, OldEntries } from '../state/schema/old-entries.ts';
import type { Store } from '../state/store.ts';
import { StepSize } from './step-size.ts';

export type OldEntriesMoverOptions = { store: Store; clock: Clock; log: Log };

export class OldEntriesMover {
  readonly #parts: OldEntriesMoverOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(parts: OldEntriesMoverOptions) {
    this.#parts = parts;
  }

  /** Resolves when all is moved. Joins a run that is under way. */
  run(): Promise<void> {
    this.#running ??= this.#moveAll().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #moveAll(): Promise<void> {
    const { store, clock, log } = this.#parts;
    if (!store.db.open || !hasOldEntries(store.db)) return;
    const old = new OldEntries(store.db);
    const size = new StepSize({ most: limits.moveStepEntries, ms: limits.moveStepMs });
    let count = 0;
    while (store.db.open && !this.#stop.signal.aborted) {
      const startedMs = clock.monotonicMs();
      const { moved, bytes } = old.move(size.entries, limits.moveStepBytes);
      if (moved === 0) break;
      // A random GUID lies on a page of its own, in the old index and in the new one.
      store.wrote(2 * (bytes + moved * limits.pageBytes));
      const tookMs = clock.monotonicMs() - startedMs;
      size.took(tookMs);
      count += moved;
      await clock.sleep(Math.max(1, tookMs), this.#stop.signal);
    }
    if (store.db.open && !this.#stop.signal.aborted && dropOldEntries(store.db))
      log.info({ moved: count }, 'all entries lie as they do in a new journal');
  }
}
