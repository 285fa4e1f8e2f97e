/**
 * Sends items and tries again until each is answered for good; the identity of a write never
 * changes between two tries.
 */
import { type ChunkBody, splitIntoChunks } from '../../contracts/chunks.ts';
import { contentType, packBody } from '../../contracts/codec.ts';
import { messageOf, type Refusal, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { BatchReply, WriteReply } from '../../contracts/reply.ts';
import { type Lane, subjects } from '../../contracts/subjects.ts';
import { Backoff } from '../../runtime/backoff.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { type Clock, newUuid } from '../../runtime/clock.ts';
import { publishOneWay } from '../../runtime/bus/stream.ts';
import type { Counts } from './counts.ts';
import type { TraceItem } from './trace-call.ts';

/**
 * One answer is awaited this long: a synced commit takes milliseconds, and a repeat costs nothing.
 */
const answerMs = 5_000;
/** Back-off between tries. */
const retryFirstMs = 50;
const retryLongestMs = 2_000;
/**
 * A read the worker itself cannot answer (backend away, nothing in the journal) is asked again for
 * this long.
 */
const readPatienceMs = 5_000;
/** An internal error may be a passing one; this many in a row are not. */
const internalErrorsMax = 10;

const finalCodes: ReadonlySet<string> = new Set([
  'INVALID_MESSAGE',
  'CONFLICT',
  'TOO_LARGE',
  'NOT_FOUND',
]);

export type KeyedSenderOptions = {
  bus: Bus;
  hub: string;
  clock: Clock;
  counts: Counts;
  signal: AbortSignal;
  /** Give up on an item unanswered for so long; 0 for never. */
  giveUpMs: number;
  /** Writes go one-way into the hub's stream, whose confirmation counts as accepted. */
  isOneWay: boolean;
};

/** The tries of one request. */
type Tries = {
  backoff: Backoff;
  startedMs: number;
  internalErrors: number;
  answeredMs: number | null;
};

export class KeyedSender {
  readonly #options: KeyedSenderOptions;

  constructor(options: KeyedSenderOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the item is answered for good, or the run was aborted.
   * @throws TidemarkError UNREACHABLE after `giveUpMs`
   */
  async send(item: TraceItem): Promise<void> {
    const { hub, counts, signal, isOneWay } = this.#options;
    const subject = subjects.action(hub, item.lane, item.action);
    const tries = this.#newTries();
    while (!signal.aborted) {
      try {
        if (item.isWrite && isOneWay) return await this.#sendOneWay(item);
        const reply = await this.#ask<WriteReply>(subject, item.lane, item.envelope, item.bytes);
        if (item.isWrite) this.#count(item, reply);
        else counts.readsOk += 1;
        return;
      } catch (error) {
        if (this.#isFinal(item, error, tries)) return;
        await this.#wait(tries, error);
      }
    }
  }

  async #sendOneWay(item: TraceItem): Promise<void> {
    const { bus, hub, counts } = this.#options;
    const message = {
      Action: item.action,
      EventGUID: item.envelope.EventGUID ?? '',
      Settings: item.envelope.Settings,
    };
    const room = bus.payloadBytesMax - limits.chunkOverheadBytes;
    if (item.bytes > room && packBody(message, 'msgpack').body.length > room) {
      throw new TidemarkError(
        'TOO_LARGE',
        `${item.bytes} bytes; one-way messages are not cut into chunks`,
      );
    }
    await publishOneWay(bus, subjects.oneWay(hub, item.lane, item.action), message);
    counts.accepted += 1;
  }

  /**
   * Sends writes of one lane and different keys in one request; each is reported done as soon as it
   * is.
   */
  async sendBatch(items: TraceItem[], onDone: (item: TraceItem) => void): Promise<void> {
    const { hub, signal } = this.#options;
    const lane = (items[0] as TraceItem).lane;
    const tries = this.#newTries();
    let left = items;
    while (left.length > 0 && !signal.aborted) {
      const asked = left;
      let lastError: unknown = null;
      try {
        const body = { Items: asked.map((item) => ({ Action: item.action, ...item.envelope })) };
        const bytes = asked.reduce((sum, item) => sum + item.bytes, 0);
        const { Results } = await this.#ask<BatchReply>(
          subjects.batch(hub, lane),
          lane,
          body,
          bytes,
        );
        left = [];
        for (const [index, item] of asked.entries()) {
          const error = this.#take(item, Results[index], tries);
          if (error) left.push(item);
          else onDone(item);
          lastError = error ?? lastError;
        }
      } catch (error) {
        left = asked.filter((item) => !this.#isFinal(item, error, tries) || (onDone(item), false));
        lastError = error;
      }
      if (left.length > 0) await this.#wait(tries, lastError);
    }
  }

  /** Null when the item's result settles it, else why it must be sent again. */
  #take(
    item: TraceItem,
    result: WriteReply | Refusal | undefined,
    tries: Tries,
  ): TidemarkError | null {
    if (result?.Success === true) {
      this.#count(item, result);
      return null;
    }
    const retryAfterMs = result?.RetryAfterMs;
    const error = new TidemarkError(
      result?.Code ?? 'INTERNAL',
      result?.Reason ?? 'the reply has no result for it',
      retryAfterMs === undefined ? {} : { retryAfterMs },
    );
    return this.#isFinal(item, error, tries) ? null : error;
  }

  #count(item: TraceItem, reply: WriteReply): void {
    const { counts } = this.#options;
    if (reply.Success !== true)
      counts.refuse(
        item.where,
        item.action,
        `an answer without Success: ${JSON.stringify(reply).slice(0, 200)}`,
      );
    else if (reply.Duplicate) counts.duplicates += 1;
    else counts.accepted += 1;
  }

  async #ask<T>(subject: string, lane: Lane, body: object, bytes: number): Promise<T> {
    const { bus } = this.#options;
    const room = bus.payloadBytesMax - limits.chunkOverheadBytes;
    // Text in MessagePack is never much longer than as JSON, so only what comes near the limit is
    // looked at twice.
    if (bytes < room / 2) return bus.request<T>(subject, body, { timeoutMs: answerMs });
    const whole = packBody(body, 'msgpack');
    if (whole.body.length <= room)
      return bus.request<T>(subject, body, { timeoutMs: limits.capabilityMs });
    return this.#askInChunks<T>(subject, lane, whole);
  }

  async #askInChunks<T>(
    subject: string,
    lane: Lane,
    whole: { body: Uint8Array; headers: Record<string, string> },
  ): Promise<T> {
    const { bus, hub } = this.#options;
    const transfer = newUuid();
    const pieces = splitIntoChunks(whole.body, bus.payloadBytesMax);
    const encoding = whole.headers['Content-Encoding'];
    let reply: T | undefined;
    for (const [index, data] of pieces.entries()) {
      const chunk: ChunkBody = {
        Transfer: transfer,
        Index: index,
        Count: pieces.length,
        Data: data,
        Action: subject.slice(subject.lastIndexOf('.') + 1),
        ContentType: contentType.msgpack,
        ...(encoding ? { ContentEncoding: encoding } : {}),
      };
      reply = await bus.request<T>(subjects.chunk(hub, lane), chunk, {
        timeoutMs: limits.capabilityMs,
      });
    }
    return reply as T;
  }

  /** Whether this error ends the item; it is counted then. */
  #isFinal(item: TraceItem, error: unknown, tries: Tries): boolean {
    const { counts } = this.#options;
    const code = error instanceof TidemarkError ? error.code : 'INTERNAL';
    if (code === 'INTERNAL') tries.internalErrors += 1;
    if (finalCodes.has(code) || tries.internalErrors > internalErrorsMax) {
      counts.refuse(item.where, item.action, `${code}: ${messageOf(error)}`);
      return true;
    }
    if (item.isWrite || !this.#isAnswer(error)) return false;
    const nowMs = this.#options.clock.monotonicMs();
    tries.answeredMs ??= nowMs;
    if (nowMs - tries.answeredMs < readPatienceMs) return false;
    counts.readsUnanswered += 1;
    return true;
  }

  /**
   * The worker said so, rather than nobody: failures of the transport have a cause, or come with a
   * lost bus.
   */
  #isAnswer(error: unknown): boolean {
    return (
      error instanceof TidemarkError && error.cause === undefined && this.#options.bus.isConnected
    );
  }

  #newTries(): Tries {
    const { clock } = this.#options;
    const backoff = new Backoff(clock, { firstMs: retryFirstMs, longestMs: retryLongestMs });
    return { backoff, startedMs: clock.monotonicMs(), internalErrors: 0, answeredMs: null };
  }

  async #wait(tries: Tries, error: unknown): Promise<void> {
    const { clock, counts, giveUpMs, signal } = this.#options;
    counts.countRetry(messageOf(error));
    if (giveUpMs > 0 && clock.monotonicMs() - tries.startedMs > giveUpMs) {
      throw new TidemarkError(
        'UNREACHABLE',
        `given up after ${giveUpMs / 1000} s: ${messageOf(error)}`,
        { cause: error },
      );
    }
    const askedMs = error instanceof TidemarkError ? (error.retryAfterMs ?? 0) : 0;
    await clock.sleep(Math.max(tries.backoff.nextMs(), askedMs), signal);
  }
}
