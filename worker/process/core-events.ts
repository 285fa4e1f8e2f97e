/** Events of the core, for the parts around it that act on them or show them. */
import type { TidemarkError } from '../../contracts/errors.ts';

export type CoreListener = {
  /**
   * Writes were accepted or settled, or marks moved. Called for each commit, so it must be cheap.
   */
  changed: () => void;
  /**
   * The state of a lane may have changed: its assignment, its beacon, a pause. Called before
   * `changed`.
   */
  stateChanged: () => void;
  /** Writes are refused from now on for want of room; null when they are accepted again. */
  pressure: (reason: string | null) => void;
  /** A problem with delivery that operators must learn of. */
  deliveryFault: (message: string) => void;
  /** Another store owns the hub now: the process must end. */
  deposed: (error: TidemarkError) => void;
  /** The local store can no longer be trusted: the process must end. */
  storeFault: (error: TidemarkError) => void;
};

/** Passes each event on to all listeners. */
export class CoreEvents implements CoreListener {
  readonly #listeners: Partial<CoreListener>[] = [];

  /** Call it before the core is started to get every event. */
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

  deposed(error: TidemarkError): void {
    for (const listener of this.#listeners) listener.deposed?.(error);
  }

  storeFault(error: TidemarkError): void {
    for (const listener of this.#listeners) listener.storeFault?.(error);
  }
}
