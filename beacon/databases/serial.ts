/** Work of one kind, one at a time, with a bound on what waits. */
import { TidemarkError } from '../../contracts/errors.ts';

export class Serial {
  readonly #waitingMax: number;
  readonly #retryAfterMs: number;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(waitingMax: number, retryAfterMs: number) {
    this.#waitingMax = waitingMax;
    this.#retryAfterMs = retryAfterMs;
  }

  /**
   * Runs `work` after everything given before it.
   * @throws TidemarkError OVERLOADED when too much waits, else what `work` throws
   */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#waitingMax) {
      return Promise.reject(
        new TidemarkError(
          'OVERLOADED',
          `${this.#waiting} requests of this connection are waiting`,
          { retryAfterMs: this.#retryAfterMs },
        ),
      );
    }
    this.#waiting += 1;
    const turn = this.#tail.then(work);
    // The next one runs whatever became of this one; its caller hears of it.
    this.#tail = turn
      .catch(() => undefined)
      .finally(() => {
        this.#waiting -= 1;
      });
    return turn;
  }
}
