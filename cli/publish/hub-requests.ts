/**
 * Sends one recorded call, once, through the client library: as a request to the hub's worker, or
 * as a message into its stream.
 */
import { Batcher } from '../../contracts/client/batcher.ts';
import { Sender } from '../../contracts/client/sender.ts';
import { packBody } from '../../contracts/body/codec.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { type Lane, subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { toHeaders } from '../../runtime/bus/bus-request.ts';
import { publishOneWay } from '../../runtime/bus/stream.ts';
import { newUuid, nextTurn } from '../../runtime/clock.ts';
import type { TraceItem } from './trace-call.ts';

/** Extra time for a large body, which may take longer to arrive than the usual timeout. */
const largeWaitMs = limits.capabilityMs - limits.clientTimeoutMs;

export type HubRequestsOptions = { bus: Bus; hub: string; batch: number; isOneWay: boolean };

export class HubRequests {
  readonly #options: HubRequestsOptions;
  readonly #sender: Sender<ReturnType<typeof toHeaders>>;
  readonly #batchers: Record<Lane, Batcher> | null;

  constructor(options: HubRequestsOptions) {
    const { bus, hub, batch, isOneWay } = options;
    this.#options = options;
    this.#sender = new Sender({
      connection: {
        request: (...asked) => bus.exchange(...asked),
        get info() {
          return { max_payload: bus.payloadBytesMax };
        },
      },
      headers: () => toHeaders({}),
      hub,
      encoding: 'msgpack',
      timeoutMs: limits.clientTimeoutMs,
      newGuid: newUuid,
    });
    this.#batchers =
      batch > 1 && !isOneWay
        ? { queue: this.#newBatcher('queue'), manifest: this.#newBatcher('manifest') }
        : null;
  }

  /**
   * Sends at the end of each turn of the event loop: the next lines are already at hand, so waiting
   * for them gains nothing.
   */
  #newBatcher(lane: Lane): Batcher {
    const bounds = { itemsMax: this.#options.batch, delayMs: 0 };
    return new Batcher(lane, bounds, (...request) => this.#sender.send(...request), nextTurn);
  }

  /** @throws TidemarkError as the client library does; TOO_LARGE for a body no message can hold */
  send(item: TraceItem): Promise<JsonObject> {
    const { lane, action, envelope, bytes, isWrite } = item;
    if (isWrite && this.#options.isOneWay) return this.#sendOneWay(item);
    const batcher = isWrite ? this.#batchers?.[lane] : undefined;
    if (batcher) return batcher.add({ Action: action, ...envelope }, bytes);
    const isLarge = bytes > this.#options.bus.payloadBytesMax / 2;
    return this.#sender.send(lane, action, envelope, { waitMs: isLarge ? largeWaitMs : 0 });
  }

  async #sendOneWay(item: TraceItem): Promise<JsonObject> {
    const { bus, hub } = this.#options;
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
    return { Success: true };
  }
}
