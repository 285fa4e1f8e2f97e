/**
 * Runs the tasks of one key one after another, in order, and those of different keys in parallel.
 */
import { TidemarkError } from '../errors.ts';

export class KeyTurns {
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #waitingMax: number;
  readonly #charsMax: number;
  #waiting = 0;
  #chars = 0;

  /**
   * @param waitingMax most tasks running or waiting, over all keys
   * @param charsMax most characters they may hold together; a single task may exceed it
   */
  constructor(waitingMax: number, charsMax: number) {
    this.#waitingMax = waitingMax;
    this.#charsMax = charsMax;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Runs a task once the earlier tasks of its key have ended, whether they failed or not.
   * @throws TidemarkError OVERLOADED at a bound; otherwise what the task throws
   */
  async take<T>(key: string, chars: number, task: () => Promise<T>): Promise<T> {
    if (
      this.#waiting >= this.#waitingMax ||
      (this.#waiting > 0 && this.#chars + chars > this.#charsMax)
    ) {
      throw new TidemarkError(
        'OVERLOADED',
        `${this.#waiting} writes (${this.#chars} characters) are already waiting in this client; ` +
          'wait for some of them before sending more',
      );
    }
    this.#waiting += 1;
    this.#chars += chars;
    const before = this.#last.get(key);
    const turn = before ? before.then(task, task) : task();
    this.#last.set(key, turn);
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
      this.#chars -= chars;
      if (this.#last.get(key) === turn) this.#last.delete(key);
    }
  }
}
