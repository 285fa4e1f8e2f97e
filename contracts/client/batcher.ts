/**
 * Batch mode of the hub client: writes made within a few milliseconds are sent as one request, and
 * each gets its own answer.
 */
import { TidemarkError } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../body/json-value.ts';
import { limits } from '../limits.ts';
import type { Lane } from '../subjects.ts';
import { type SendOptions, throwRefusal } from './sender.ts';

export type BatchOptions = {
  /** Most items in one request; 1 to `limits.batchItemsMax`. */
  itemsMax: number;
  /** How long the first item waits for more. */
  delayMs: number;
};

type Send = (
  lane: Lane,
  action: string,
  value: unknown,
  options: SendOptions,
) => Promise<JsonObject>;
type Waiting = {
  item: JsonObject;
  traceparent: string | undefined;
  resolve: (reply: JsonObject) => void;
  reject: (error: unknown) => void;
};

export class Batcher {
  readonly #lane: Lane;
  readonly #options: BatchOptions;
  readonly #send: Send;
  readonly #sleep: (ms: number) => Promise<void>;
  #collecting: Waiting[] = [];
  #bytes = 0;

  constructor(lane: Lane, options: BatchOptions, send: Send, sleep: (ms: number) => Promise<void>) {
    this.#lane = lane;
    this.#options = options;
    this.#send = send;
    this.#sleep = sleep;
  }

  /**
   * Adds one write (an envelope with its Action) to the batch being collected. The caller must have
   * at most one write of a key in flight.
   * @param bytes approximate size
   * @throws TidemarkError the refusal of the item or of the whole request
   */
  add(item: JsonObject, bytes: number, traceparent?: string): Promise<JsonObject> {
    if (this.#bytes + bytes > limits.deliverBytesMax) this.#flush();
    return new Promise((resolve, reject) => {
      this.#collecting.push({ item, traceparent, resolve, reject });
      this.#bytes += bytes;
      if (this.#collecting.length >= this.#options.itemsMax) this.#flush();
      else if (this.#collecting.length === 1) void this.#flushLater(this.#collecting);
    });
  }

  async #flushLater(collecting: Waiting[]): Promise<void> {
    await this.#sleep(this.#options.delayMs);
    if (this.#collecting === collecting) this.#flush();
  }

  #flush(): void {
    const batch = this.#collecting;
    this.#collecting = [];
    this.#bytes = 0;
    if (batch.length > 0) void this.#deliver(batch);
  }

  async #deliver(batch: Waiting[]): Promise<void> {
    try {
      const { Results } = await this.#send(
        this.#lane,
        'batch',
        { Items: batch.map((waiting) => waiting.item) },
        { traceparent: traceparentOf(batch) },
      );
      if (!Array.isArray(Results) || Results.length !== batch.length) {
        throw new TidemarkError(
          'INTERNAL',
          `the worker answered a batch of ${batch.length} with another number of results`,
        );
      }
      for (const [index, waiting] of batch.entries()) settle(waiting, Results[index]);
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
  }
}

/** A request has only one trace: none is better than that of another write. */
function traceparentOf(batch: readonly Waiting[]): string | undefined {
  const [first] = batch;
  return batch.every((one) => one.traceparent === first?.traceparent)
    ? first?.traceparent
    : undefined;
}

function settle(waiting: Waiting, reply: unknown): void {
  try {
    if (!isJsonObject(reply))
      throw new TidemarkError(
        'INTERNAL',
        'the worker answered an item with something that is not an object',
      );
    throwRefusal(reply);
    waiting.resolve(reply);
  } catch (error) {
    waiting.reject(error);
  }
}
