/** Rate limits: a token bucket per caller; only the latest callers are remembered. */

export type RateBounds = {
  /** Calls allowed at once. */
  burst: number;
  /** Time until a used call is available again. */
  refillMs: number;
  /** Callers remembered; the least recent one is forgotten, and starts with a full bucket. */
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

  /** Callers remembered now. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Milliseconds until the next call is allowed; 0 when it is now. */
  waitMs(who: string): number {
    const { left } = this.#filled(who);
    return left >= 1 ? 0 : Math.ceil((1 - left) * this.#bounds.refillMs);
  }

  /** Uses one call; false, without using any, when none is left. */
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
