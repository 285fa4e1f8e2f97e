/** When to say the same thing again: what lasts stays visible in a log, and does not fill it. */
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
   * Whether this is to be said now, because it is news or because it is long ago; who asks says it.
   */
  isDue(what: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (what === this.#said && nowMs - this.#saidMs < this.#everyMs) return false;
    this.#said = what;
    this.#saidMs = nowMs;
    return true;
  }

  /** What is said next is news. */
  forget(): void {
    this.#said = '';
  }
}
