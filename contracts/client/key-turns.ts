/**
 * Turns by key: the tasks of one key run one after another in the order they came, those of
 * different keys side by side.
 */
import { TidemarkError } from '../errors.ts';

export class KeyTurns {
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #waitingMax: number;
  readonly #charsMax: number;
  #waiting = 0;
  #chars = 0;

  /**
   * @param waitingMax tasks running or waiting in all
   * @param charsMax of what they hold; one alone may be larger
   */
  constructor(waitingMax: number, charsMax: number) {
    this.#waitingMax = waitingMax;
    this.#charsMax = charsMax;
  }

  /** Tasks running or waiting. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Runs a task when those of its key before it are done, whatever became of them.
   * @throws TidemarkError OVERLOADED at the bound; else what the task throws.
   */
  async take<T>(key: string, chars: number, task: () => Promise<T>): Promise<T> {
    if (
      this.#waiting >= this.#waitingMax ||
      (this.#waiting > 0 && this.#chars + chars > this.#charsMax)
    ) {
      throw new TidemarkError(
        'OVERLOADED',
        `${this.#waiting} writes (${this.#chars} characters) wait in this client already; ` +
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
