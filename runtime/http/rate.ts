/**
 * How often somebody may do something: a bucket that holds so many goes and fills again, for each
 * who; only the latest are remembered.
 */

export type RateBounds = {
  /** Goes at once. */
  burst: number;
  /** A used one comes back after this. */
  refillMs: number;
  /** Those remembered; the one unseen for longest is forgotten, and starts anew. */
  whoMax: number;
};

type Bucket = { left: number; atMs: number };

export class Rate {
  readonly #bounds: RateBounds;
  readonly #nowMs: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(bounds: RateBounds, nowMs: () => number) {
    this.#bounds = bounds;
    this.#nowMs = nowMs;
  }

  /** Those remembered now. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Milliseconds until the next go; 0 when there is one. */
  waitMs(who: string): number {
    const { left } = this.#filled(who);
    return left >= 1 ? 0 : Math.ceil((1 - left) * this.#bounds.refillMs);
  }

  /** Uses one up. False, and nothing used, when there is none. */
  take(who: string): boolean {
    const bucket = this.#filled(who);
    if (bucket.left < 1) return false;
    this.#remember(who, { ...bucket, left: bucket.left - 1 });
    return true;
  }

  #filled(who: string): Bucket {
    const { burst, refillMs } = this.#bounds;
    const nowMs = this.#nowMs();
    const before = this.#buckets.get(who);
    return {
      atMs: nowMs,
      left: before ? Math.min(burst, before.left + (nowMs - before.atMs) / refillMs) : burst,
    };
  }

  #remember(who: string, bucket: Bucket): void {
    this.#buckets.delete(who);
    this.#buckets.set(who, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > this.#bounds.whoMax && oldest !== undefined)
      this.#buckets.delete(oldest);
  }
}
