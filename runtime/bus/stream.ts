/**
 * One-way intake over JetStream: the stream, its one durable pull consumer, and publishing into it.
 * Home of the JetStream client.
 */
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { createInbox, type Msg, headers as newHeaders, type Subscription } from 'nats';
import { packBody } from '../../contracts/body/codec.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { subjects } from '../../contracts/subjects.ts';
import { systemClock } from '../clock.ts';
import type { Bus } from './bus.ts';

/**
 * One message of the stream; exactly one of ack and terminate is called, or neither, and then it
 * comes again.
 */
export interface StreamMessage {
  readonly subject: string;
  readonly body: Uint8Array;
  readonly headers: { get(name: string): string } | undefined;
  /** Place in the consumer's deliveries: a gap means that one was lost on the way. */
  readonly delivery: number;
  ack(): void;
  terminate(reason: string): void;
}

const durableName = 'tidemark-worker';
const ackWaitNs = 60_000_000_000;
const nsPerMs = 1_000_000;
/** A fetch that the server did not end is given up this much later. */
const fetchSlackMs = 2_000;
/** What the server counts beside the payload of a message: its subjects. */
const envelopeBytesMax = 64 * 1024;

function isMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.status === 404;
}

export class OneWayStream {
  readonly #manager: JetStreamManager;
  readonly #bus: Bus;
  readonly #stream: string;
  /** The next message is larger than a fetch may bring. */
  #isNextLarge = false;

  private constructor(bus: Bus, manager: JetStreamManager, stream: string) {
    this.#bus = bus;
    this.#manager = manager;
    this.#stream = stream;
  }

  /**
   * Opens the hub's stream, made if it is not there. A message stays in it until it is
   * acknowledged.
   * @throws TidemarkError UNAVAILABLE when the server has no JetStream, or does not answer
   */
  static async open(bus: Bus, hub: string): Promise<OneWayStream> {
    try {
      const manager = await jetstreamManager(bus.connection, { timeout: limits.capabilityMs });
      const name = subjects.oneWayStream(hub);
      try {
        await manager.streams.info(name);
      } catch (error) {
        if (!isMissing(error)) throw error;
        await manager.streams.add({
          name,
          subjects: [subjects.oneWayAll(hub)],
          retention: RetentionPolicy.Workqueue,
          storage: StorageType.File,
          discard: DiscardPolicy.New,
        });
      }
      return new OneWayStream(bus, manager, name);
    } catch (cause) {
      throw new TidemarkError(
        'UNAVAILABLE',
        `one-way intake cannot open its stream: ${messageOf(cause)}; is JetStream on at the bus?`,
        { cause },
      );
    }
  }

  /**
   * Makes the consumer anew, so that everything not acknowledged comes again from the start, in the
   * order of the stream. Waiting for the acknowledgement time-out instead would let later messages
   * overtake.
   */
  async renew(): Promise<void> {
    await this.#manager.consumers.delete(this.#stream, durableName).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    await this.#manager.consumers.add(this.#stream, {
      durable_name: durableName,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: ackWaitNs,
      max_deliver: -1,
      max_ack_pending: limits.streamFetchMax * 2,
    });
  }

  /**
   * Messages as they come, in groups of what is there at once, for at most `forMs`. Bounded in bytes
   * as well: more than the server may hold for a client that is busy ends its connection.
   * @throws TidemarkError UNAVAILABLE when the server does not serve the consumer any more
   */
  async *groups(forMs: number): AsyncGenerator<StreamMessage[]> {
    const { connection } = this.#bus;
    const inbox = createInbox(inboxPrefixOf(connection));
    const subscription = connection.subscribe(`${inbox}.*`);
    const cancel = systemClock.timer(forMs + fetchSlackMs, () => subscription.unsubscribe());
    try {
      const request = this.#fetchOf(forMs);
      // The server answers to this subject, and sends the messages to it as they are.
      connection.publish(
        `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${durableName}`,
        JSON.stringify(request),
        { reply: `${inbox}.1` },
      );
      yield* this.#groupsOf(subscription, `${inbox}.1`, request.batch);
    } finally {
      cancel();
      subscription.unsubscribe();
    }
  }

  #fetchOf(forMs: number): { batch: number; expires: number; max_bytes?: number } {
    const expires = forMs * nsPerMs;
    if (this.#isNextLarge) return { batch: 1, expires };
    const bytes = Math.max(
      limits.streamFetchBytesMax,
      this.#bus.payloadBytesMax + envelopeBytesMax,
    );
    return { batch: limits.streamFetchMax, expires, max_bytes: bytes };
  }

  async *#groupsOf(
    subscription: Subscription,
    inbox: string,
    awaited: number,
  ): AsyncGenerator<StreamMessage[]> {
    let [group, missing]: [StreamMessage[], number] = [[], awaited];
    for await (const message of subscription) {
      const isEnd = message.subject === inbox && message.data.length === 0 && !message.reply;
      if (isEnd) this.#isNextLarge = missing === awaited && isTooLarge(message);
      else {
        group.push(toStreamMessage(message));
        missing -= 1;
      }
      if (group.length > 0 && (isEnd || missing === 0 || subscription.getPending() === 0)) {
        yield group;
        group = [];
      }
      if (isEnd || missing === 0) break;
    }
    if (missing === 0) this.#isNextLarge = false;
  }
}

/** What a login may answer to; the type of the client does not show it. */
function inboxPrefixOf(connection: object): string | undefined {
  return (connection as { options?: { inboxPrefix?: string } }).options?.inboxPrefix;
}

/**
 * Whether a fetch ended because the next message is larger than its bytes.
 * @throws TidemarkError UNAVAILABLE when it ended for anything but its time
 */
function isTooLarge({ headers }: Msg): boolean {
  const code = headers?.code ?? 0;
  if (code === 404 || code === 408) return false;
  if (/message size exceeds/i.test(headers?.description ?? '')) return true;
  throw new TidemarkError('UNAVAILABLE', `${code} ${headers?.description ?? 'an empty answer'}`);
}

/** `$JS.ACK.<stream>.<consumer>.<count>.<in stream>.<delivery>...`, or with two names more before. */
function deliveryOf({ reply = '' }: Msg): number {
  const tokens = reply.split('.');
  return Number(tokens[tokens.length === 9 ? 6 : 8]);
}

function toStreamMessage(message: Msg): StreamMessage {
  return {
    subject: message.subject,
    body: message.data,
    headers: message.headers,
    delivery: deliveryOf(message),
    ack: () => void message.respond('+ACK'),
    terminate: (reason) => void message.respond(`+TERM ${reason}`),
  };
}

/**
 * Publishes one envelope one-way; resolves when the stream has it, which says nothing about the
 * worker.
 * @throws TidemarkError UNAVAILABLE when the stream did not confirm
 */
export async function publishOneWay(
  bus: Bus,
  subject: string,
  envelope: { EventGUID: string } & Record<string, unknown>,
): Promise<void> {
  const { body, headers } = packBody(envelope, 'msgpack');
  const messageHeaders = newHeaders();
  for (const [name, value] of Object.entries(headers)) messageHeaders.set(name, value);
  try {
    await jetstream(bus.connection, { timeout: limits.capabilityMs }).publish(subject, body, {
      msgID: envelope.EventGUID,
      headers: messageHeaders,
    });
  } catch (cause) {
    throw new TidemarkError(
      'UNAVAILABLE',
      `${subject}: not taken by the stream: ${messageOf(cause)}`,
      { cause },
    );
  }
}
