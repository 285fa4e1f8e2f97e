/**
 * Decides when to repeat a message, so that a lasting problem stays visible without filling the
 * log.
 */
import { type Clock, systemClock } from './clock.ts';

export class Reminder {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #everyMs: number;
  #said = '';
  #saidMs = 0;

  constructor(everyMs: number, clock: Pick<Clock, 'monotonicMs'> = systemClock) {
    this.#clock = clock;
    this.#everyMs = everyMs;
  }

  /**
   * Whether to report this now: it differs from the last report, or the last report is long ago.
   * The caller then reports it.
   */
  isDue(what: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (what === this.#said && nowMs - this.#saidMs < this.#everyMs) return false;
    this.#said = what;
    this.#saidMs = nowMs;
    return true;
  }

  /** The next report is due, whatever it is. */
  forget(): void {
    this.#said = '';
  }
}
