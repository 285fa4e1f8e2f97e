/** Gives free pages of the database back to the disk, in small steps while nothing else happens. */
import { limits } from '../../contracts/limits.ts';
import { type Clock, nextTurn } from '../../runtime/clock.ts';
import type { Store } from '../state/store.ts';

export class Space {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #onFault: (error: unknown) => void;
  #changesSeen = -1;
  #isWorking = false;
  #stopLooking: () => void = () => undefined;

  constructor(parts: { store: Store; clock: Clock; onFault: (error: unknown) => void }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#onFault = parts.onFault;
  }

  start(): void {
    this.#stopLooking = this.#clock.every(
      limits.spaceEveryMs,
      () => void this.giveBack().catch(this.#onFault),
    );
  }

  stop(): void {
    this.#stopLooking();
  }

  /**
   * Does nothing unless the store has rested since the last call. Returns how many pages were given
   * back.
   */
  async giveBack(): Promise<number> {
    if (this.#isWorking) return 0;
    this.#isWorking = true;
    let pages = 0;
    try {
      while (this.#store.db.open && this.#hasRested()) {
        const given = this.#step();
        if (given === 0) break;
        pages += given;
        await nextTurn();
      }
      // The file gets shorter when the log is folded into it.
      if (pages > 0 && this.#store.db.open) this.#store.checkpoint();
    } finally {
      this.#isWorking = false;
    }
    return pages;
  }

  /** True when no row was written since the last look. Giving pages back writes none. */
  #hasRested(): boolean {
    const changes = Number(this.#store.db.prepare('select total_changes()').pluck().get());
    const isSame = changes === this.#changesSeen;
    this.#changesSeen = changes;
    return isSame;
  }

  /**
   * Gives some pages back and returns how many. A store that was made without `auto_vacuum` cannot;
   * it uses its free pages again.
   */
  #step(): number {
    const free = this.#number('freelist_count');
    const kept = Math.ceil(limits.spaceKeptBytes / this.#number('page_size'));
    if (free <= kept || this.#number('auto_vacuum') !== 2) return 0;
    this.#store.db.pragma(`incremental_vacuum(${Math.min(limits.spaceStepPages, free - kept)})`);
    const given = free - this.#number('freelist_count');
    this.#store.wrote(given * this.#number('page_size'));
    return given;
  }

  #number(pragma: string): number {
    return Number(this.#store.db.pragma(pragma, { simple: true }));
  }
}
