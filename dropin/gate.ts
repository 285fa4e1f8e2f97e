/** Lets the tries of writes through while the worker answers, so many at once and in the order they came, and holds them back while it does not. */
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

  /** Ends the wait of those who waited long enough, or of all; to be called now and then. */
  expire(reason: string, isForAll = false): void {
    for (const waiting of this.#waiting) {
      if (!isForAll && this.#nowMs() - waiting.sinceMs < this.#patienceMs) return;
      this.#waiting.delete(waiting);
      waiting.giveUp(new TidemarkError(isForAll ? 'CLOSED' : 'UNAVAILABLE', reason));
    }
  }

  /** Runs a try when it is its turn. @throws TidemarkError when it waited too long; else what the try throws */
  async pass<T>(send: () => Promise<T>): Promise<T> {
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
