/**
 * Sends recorded calls to a hub's worker with the parts of the client library: one call in flight
 * per key, a bounded number overall, each retried until it gets a final answer.
 */
import PQueue from 'p-queue';
import { KeyTurns } from '../../contracts/client/key-turns.ts';
import { retrying, type RetryOptions } from '../../contracts/client/retry.ts';
import { systemStamps, type Stamps } from '../../contracts/client/stamps.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Counts } from './counts.ts';
import { HubRequests } from './hub-requests.ts';
import type { TraceItem } from './trace-call.ts';

/**
 * Lines read from the files and not yet answered. While one hot key is slow, up to this many wait.
 */
const windowLinesMax = 4_000;
/** The same bound in bytes. */
const windowBytesMax = 2 * limits.bodyBytesMax;
/** Backoff between retries. */
const retryFirstMs = 50;
const retryLongestMs = 2_000;
/**
 * How long to retry a read the worker itself cannot answer (backend away, nothing in the journal).
 */
const readPatienceMs = 5_000;
/** An internal error may be transient; more than this many for one call are not. */
const internalErrorsMax = 10;

const finalCodes: ReadonlySet<string> = new Set([
  'INVALID_MESSAGE',
  'CONFLICT',
  'EXPIRED',
  'TOO_LARGE',
  'NOT_FOUND',
]);

export type DeliveryOptions = {
  bus: Bus;
  hub: string;
  counts: Counts;
  /** Ends the run early: nothing more is sent or awaited. */
  signal: AbortSignal;
  /** Calls in flight at once. */
  concurrency: number;
  /** Writes per request. */
  batch: number;
  /** Give up on a call that gets no answer for this long; 0 for never. */
  giveUpMs: number;
  /** Send writes one-way into the hub's stream, whose acknowledgement counts as accepted. */
  isOneWay: boolean;
};

/** State kept across the retries of one call. */
type Tries = { internalErrors: number; answeredMs: number | null; isReadUnanswered: boolean };

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #requests: HubRequests;
  /** Unbounded, because the window already bounds what waits. */
  readonly #turns = new KeyTurns(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  readonly #slots: PQueue;
  readonly #failed = new AbortController();
  readonly #signal: AbortSignal;
  readonly #retry: RetryOptions;
  readonly #stamps: Stamps;
  #held = 0;
  #heldBytes = 0;
  #waiters: (() => void)[] = [];

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#requests = new HubRequests(options);
    this.#slots = new PQueue({ concurrency: options.concurrency });
    this.#signal = AbortSignal.any([options.signal, this.#failed.signal]);
    this.#signal.addEventListener('abort', () => this.#wake(), { once: true });
    this.#retry = {
      firstMs: retryFirstMs,
      longestMs: retryLongestMs,
      giveUpMs: options.giveUpMs > 0 ? options.giveUpMs : Number.POSITIVE_INFINITY,
    };
    this.#stamps = {
      ...systemStamps,
      nowMs: () => systemClock.monotonicMs(),
      sleep: (ms) => systemClock.sleep(ms, this.#signal),
    };
  }

  /**
   * Takes one call; resolves when there is room for the next.
   * @throws TidemarkError UNREACHABLE when a call was given up
   */
  async add(item: TraceItem): Promise<void> {
    this.#held += 1;
    this.#heldBytes += item.bytes;
    void this.#take(item);
    while (
      !this.#signal.aborted &&
      (this.#held >= windowLinesMax || this.#heldBytes >= windowBytesMax)
    )
      await this.#change();
    this.#failed.signal.throwIfAborted();
  }

  /**
   * Resolves when every call is answered, or the run was ended.
   * @throws TidemarkError UNREACHABLE when a call was given up
   */
  async finish(): Promise<void> {
    while (this.#held > 0 && !this.#signal.aborted) await this.#change();
    this.#failed.signal.throwIfAborted();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Never throws: an error ends the whole run. */
  async #take(item: TraceItem): Promise<void> {
    try {
      await this.#turns.take(item.key, item.bytes, () =>
        this.#slots.add(() => this.#deliver(item)),
      );
    } catch (error) {
      this.#failed.abort(error);
    } finally {
      this.#held -= 1;
      this.#heldBytes -= item.bytes;
      this.#wake();
    }
  }

  async #deliver(item: TraceItem): Promise<void> {
    if (this.#signal.aborted) return;
    const { counts } = this.#options;
    counts.sent += 1;
    const tries: Tries = { internalErrors: 0, answeredMs: null, isReadUnanswered: false };
    try {
      const reply = await retrying(() => this.#try(item, tries), this.#retry, this.#stamps);
      if (item.isWrite) this.#countWrite(item, reply);
      else counts.readsOk += 1;
    } catch (error) {
      if (!this.#signal.aborted) this.#end(item, tries, error);
    }
  }

  async #try(item: TraceItem, tries: Tries): Promise<JsonObject> {
    if (this.#signal.aborted) throw new TidemarkError('CLOSED', 'the run was ended');
    try {
      return await this.#requests.send(item);
    } catch (error) {
      if (this.#isFinal(item, error, tries)) throw error;
      const { cause, retryAfterMs } = error as Partial<TidemarkError>;
      // The cause says who gave no answer.
      const why = messageOf(cause instanceof TidemarkError ? cause : error);
      this.#options.counts.countRetry(why);
      throw new TidemarkError('UNAVAILABLE', why, {
        cause: error,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      });
    }
  }

  #isFinal(item: TraceItem, error: unknown, tries: Tries): boolean {
    const code = error instanceof TidemarkError ? error.code : 'INTERNAL';
    if (code === 'INTERNAL') tries.internalErrors += 1;
    if (finalCodes.has(code) || tries.internalErrors > internalErrorsMax) return true;
    if (item.isWrite || !this.#isAnswer(error)) return false;
    const nowMs = systemClock.monotonicMs();
    tries.answeredMs ??= nowMs;
    tries.isReadUnanswered = nowMs - tries.answeredMs >= readPatienceMs;
    return tries.isReadUnanswered;
  }

  /**
   * Whether the worker gave this answer. Transport failures have a cause, or come with a lost bus.
   */
  #isAnswer(error: unknown): boolean {
    return (
      error instanceof TidemarkError && error.cause === undefined && this.#options.bus.isConnected
    );
  }

  #countWrite(item: TraceItem, reply: JsonObject): void {
    const { counts } = this.#options;
    if (reply['Success'] !== true)
      counts.refuse(
        item.where,
        item.action,
        `an answer without Success: ${JSON.stringify(reply).slice(0, 200)}`,
      );
    else if (reply['Duplicate'] === true) counts.duplicates += 1;
    else counts.accepted += 1;
  }

  /** @throws TidemarkError UNREACHABLE when the call was still being retried */
  #end(item: TraceItem, tries: Tries, error: unknown): void {
    const { counts, giveUpMs } = this.#options;
    if (tries.isReadUnanswered) counts.readsUnanswered += 1;
    else if (error instanceof TidemarkError && error.code === 'UNAVAILABLE')
      throw new TidemarkError(
        'UNREACHABLE',
        `given up after ${giveUpMs / 1000} s: ${messageOf(error)}`,
        { cause: error },
      );
    else {
      const code = error instanceof TidemarkError ? error.code : 'INTERNAL';
      counts.refuse(item.where, item.action, `${code}: ${messageOf(error)}`);
    }
  }
}
