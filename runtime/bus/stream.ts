/**
 * One-way intake over JetStream: the stream, its one durable pull consumer, and publishing into it.
 * Home of the JetStream client.
 */
import {
  AckPolicy,
  type Consumer,
  DeliverPolicy,
  DiscardPolicy,
  type JsMsg,
  JetStreamApiError,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { headers as newHeaders } from 'nats';
import { packBody } from '../../contracts/codec.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { subjects } from '../../contracts/subjects.ts';
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

function isMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.status === 404;
}

export class OneWayStream {
  readonly #manager: JetStreamManager;
  readonly #bus: Bus;
  readonly #stream: string;
  #consumer: Consumer | null = null;

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
    this.#consumer = await jetstream(this.#bus.connection).consumers.get(this.#stream, durableName);
  }

  /** Messages as they come, in groups of what is there at once, for at most `forMs`. */
  async *groups(forMs: number): AsyncGenerator<StreamMessage[]> {
    if (!this.#consumer) await this.renew();
    const fetched = await (this.#consumer as Consumer).fetch({
      max_messages: limits.streamFetchMax,
      expires: forMs,
    });
    let group: StreamMessage[] = [];
    for await (const message of fetched) {
      group.push(toStreamMessage(message));
      if (fetched.getPending() > 0) continue;
      yield group;
      group = [];
    }
    if (group.length > 0) yield group;
  }
}

function toStreamMessage(message: JsMsg): StreamMessage {
  return {
    subject: message.subject,
    body: message.data,
    headers: message.headers,
    delivery: message.info.deliverySequence,
    ack: () => message.ack(),
    terminate: (reason) => message.term(reason),
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
