/** What happens in the core, for those around it that act on it or show it. */
import type { TidemarkError } from '../../contracts/errors.ts';

export type CoreListener = {
  /** Writes were accepted or settled, or marks moved: called for each commit, so it costs nothing. */
  changed: () => void;
  /** The state of a lane may be another: its assignment, its beacon, a pause. Before `changed`. */
  stateChanged: () => void;
  /** Writes are refused for room from now on; with null they are taken again. */
  pressure: (reason: string | null) => void;
  /** Something about delivery that an operator must hear of. */
  deliveryFault: (message: string) => void;
  /** The local store can no longer be trusted: the process must end. */
  storeFault: (error: TidemarkError) => void;
};

/** Passes on what happens to everybody who listens. */
export class CoreEvents implements CoreListener {
  readonly #listeners: Partial<CoreListener>[] = [];

  /** Who wants to hear everything says so before the core is started. */
  listen(listener: Partial<CoreListener>): void {
    this.#listeners.push(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener.changed?.();
  }

  stateChanged(): void {
    for (const listener of this.#listeners) listener.stateChanged?.();
  }

  pressure(reason: string | null): void {
    for (const listener of this.#listeners) listener.pressure?.(reason);
  }

  deliveryFault(message: string): void {
    for (const listener of this.#listeners) listener.deliveryFault?.(message);
  }

  storeFault(error: TidemarkError): void {
    for (const listener of this.#listeners) listener.storeFault?.(error);
  }
}
