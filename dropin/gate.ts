/**
 * Lets the tries of writes through while the worker answers, so many at once and in the order they
 * came, and holds them back while it does not.
 */
import { TidemarkError } from '../contracts/errors.ts';

type Waiting = { sinceMs: number; go: () => void; giveUp: (error: TidemarkError) => void };

export class Gate {
  readonly #atOnceMax: number;
  readonly #patienceMs: number;
  readonly #nowMs: () => number;
  /** In the order they came. */
  readonly #waiting = new Set<Waiting>();
  #running = 0;
  #isOpen = false;
  #ended: string | null = null;

  /** @param atOnceMax tries on their way at once @param patienceMs longest wait of one try */
  constructor(atOnceMax: number, patienceMs: number, nowMs: () => number) {
    this.#atOnceMax = atOnceMax;
    this.#patienceMs = patienceMs;
    this.#nowMs = nowMs;
  }

  /** Holds back what is not on its way yet. */
  shut(): void {
    this.#isOpen = false;
  }

  open(): void {
    this.#isOpen = true;
    this.#letThrough();
  }

  /** Ends the wait of those who waited long enough; to be called now and then. */
  expire(reason: string): void {
    for (const waiting of this.#waiting) {
      if (this.#nowMs() - waiting.sinceMs < this.#patienceMs) return;
      this.#waiting.delete(waiting);
      waiting.giveUp(new TidemarkError('UNAVAILABLE', reason));
    }
  }

  /** Ends every wait, for good: what comes from now on is refused. */
  end(reason: string): void {
    this.shut();
    this.#ended ??= reason;
    for (const waiting of this.#waiting) waiting.giveUp(new TidemarkError('CLOSED', reason));
    this.#waiting.clear();
  }

  /**
   * Runs a try when it is its turn.
   * @throws TidemarkError when it waited too long; else what the try throws
   */
  async pass<T>(send: () => Promise<T>): Promise<T> {
    if (this.#ended !== null) throw new TidemarkError('CLOSED', this.#ended);
    await new Promise<void>((go, giveUp) => {
      this.#waiting.add({ sinceMs: this.#nowMs(), go, giveUp });
      this.#letThrough();
    });
    try {
      return await send();
    } finally {
      this.#running -= 1;
      this.#letThrough();
    }
  }

  #letThrough(): void {
    for (const waiting of this.#waiting) {
      if (!this.#isOpen || this.#running >= this.#atOnceMax) return;
      this.#waiting.delete(waiting);
      this.#running += 1;
      waiting.go();
    }
  }
}
