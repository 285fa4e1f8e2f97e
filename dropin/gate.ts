/**
 * Lets attempts to send writes through while the worker answers, in order and a bounded number at
 * once. Holds them back while it does not.
 */
import { TidemarkError } from '../contracts/errors.ts';

type Waiting = { sinceMs: number; go: () => void; giveUp: (error: TidemarkError) => void };

export class Gate {
  readonly #atOnceMax: number;
  readonly #patienceMs: number;
  readonly #nowMs: () => number;
  /** In the order they arrived. */
  readonly #waiting = new Set<Waiting>();
  #running = 0;
  #isOpen = false;
  #ended: string | null = null;

  /**
   * @param atOnceMax most attempts in flight
   * @param patienceMs longest wait of one attempt
   */
  constructor(atOnceMax: number, patienceMs: number, nowMs: () => number) {
    this.#atOnceMax = atOnceMax;
    this.#patienceMs = patienceMs;
    this.#nowMs = nowMs;
  }

  /** Holds back everything not yet in flight. */
  shut(): void {
    this.#isOpen = false;
  }

  open(): void {
    this.#isOpen = true;
    this.#letThrough();
  }

  /** Fails the attempts that have waited too long; to be called regularly. */
  expire(reason: string): void {
    for (const waiting of this.#waiting) {
      if (this.#nowMs() - waiting.sinceMs < this.#patienceMs) return;
      this.#waiting.delete(waiting);
      waiting.giveUp(new TidemarkError('UNAVAILABLE', reason));
    }
  }

  /** Fails every waiting attempt, and refuses all later ones. */
  end(reason: string): void {
    this.shut();
    this.#ended ??= reason;
    for (const waiting of this.#waiting) waiting.giveUp(new TidemarkError('CLOSED', reason));
    this.#waiting.clear();
  }

  /**
   * Runs an attempt when it is its turn.
   * @throws TidemarkError when it waited too long; otherwise what the attempt throws
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
