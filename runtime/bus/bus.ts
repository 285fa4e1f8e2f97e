/**
 * The bus: a NATS connection with our retry, encoding and error rules. Only this file, its `bus-`
 * neighbours and `stream.ts` import the NATS client.
 */
import type { Msg, MsgHdrs, NatsConnection } from 'nats';
import { decodeBrief, encodeBody } from '../../contracts/body/codec.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Log } from '../log.ts';
import { Reminder } from '../reminder.ts';
import { toUnavailable } from './bus-answer.ts';
import { type BusOptions, connectWith, oneLine } from './bus-login.ts';
import { heldAnswers, NatsRequest } from './bus-request.ts';
import { MicroService, type ServiceSpec } from './micro-service.ts';
import { type Packed, Requester, type RequestOptions } from './requester.ts';

export class Bus {
  readonly #connection: NatsConnection;
  readonly #log: Log;
  #isConnected = true;
  #reconnects = 0;
  readonly #answers = heldAnswers();
  /** For a lost connection. */
  readonly #reminder = new Reminder(limits.busReminderMs);
  /** By subscribed subject and kind of error; there are few of both. */
  readonly #thrown = new Map<string, Reminder>();
  readonly #requester: Requester;

  private constructor(connection: NatsConnection, log: Log) {
    this.#connection = connection;
    this.#log = log;
    this.#requester = new Requester(connection);
    void this.#watch();
  }

  /**
   * Connects, retrying until a server accepts us. The reason is logged when it changes, and again
   * as a reminder. With `waitForServer: false` there is one attempt.
   * @param told called with the reason after each failed attempt
   * @throws TidemarkError CONFIG_INVALID for unusable credential files; with `waitForServer: false`
   * also when the server rejects us, and UNREACHABLE when there is no server
   */
  static async connect(
    options: BusOptions,
    log: Log,
    told?: (reason: string) => Promise<void>,
  ): Promise<Bus> {
    return new Bus(await connectWith(options, log, told), log);
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get server(): string | null {
    return this.#isConnected ? this.#connection.getServer() : null;
  }

  /** How often the connection was re-established. */
  get reconnects(): number {
    return this.#reconnects;
  }

  get payloadBytesMax(): number {
    return this.#requester.payloadBytesMax;
  }

  /** What the server reports about itself; null while disconnected. */
  get serverFacts(): { version: string; hasStreams: boolean } | null {
    const { info } = this.#connection;
    return this.#isConnected && info
      ? { version: info.version, hasStreams: info.jetstream === true }
      : null;
  }

  roundTripMs(): Promise<number> {
    return this.#connection.rtt();
  }

  /** The client's connection, for `stream.ts` only. */
  get connection(): NatsConnection {
    return this.#connection;
  }

  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === 'disconnect') {
        this.#isConnected = false;
        this.#log.warn({ server: status.server }, 'bus lost, retrying until it is back');
        this.#requester.giveUp();
      } else if (status.type === 'reconnect') {
        this.#isConnected = true;
        this.#reminder.forget();
        this.#reconnects += 1;
        this.#log.info({ server: status.server }, 'bus is back');
      } else if (
        status.type === 'error' ||
        status.type === 'staleConnection' ||
        status.type === 'slowConsumer'
      ) {
        this.#tell(status.type, 'error' in status ? oneLine(status.error) : '');
      }
    }
    this.#isConnected = false;
  }

  /**
   * While disconnected, each attempt may fail for the same reason: log it once, then as a reminder.
   */
  #tell(status: string, reason: string): void {
    const said = `${status}: ${reason}`;
    if (!this.#reminder.isDue(said) && !this.#isConnected) return;
    this.#log.warn({ status, ...(reason === '' ? {} : { reason }) }, 'bus status');
  }

  /**
   * One request, one answer.
   * @throws TidemarkError UNAVAILABLE without an answer, TOO_LARGE above the server's limit,
   * otherwise the code of the refusal
   */
  request<T>(subject: string, value: unknown, options: RequestOptions = {}): Promise<T> {
    return this.send<T>(subject, this.pack(value, options), options);
  }

  /** Encodes a request before it is sent. */
  pack(value: unknown, options: RequestOptions = {}): Packed {
    return this.#requester.pack(value, options);
  }

  /** Sends a packed request; throws as `request` does. */
  async send<T>(subject: string, packed: Packed, options: RequestOptions = {}): Promise<T> {
    if (!this.#isConnected)
      throw new TidemarkError('UNAVAILABLE', `the bus is away; ${subject} was not asked`);
    return (await this.#requester.send(subject, packed, options)) as T;
  }

  /**
   * Sends one message and returns the raw answer; the client library for hubs uses it.
   * @throws TidemarkError UNAVAILABLE without an answer, at once when the bus is or gets
   * disconnected
   */
  exchange(
    subject: string,
    body: Uint8Array,
    options: { timeout: number; headers: MsgHdrs },
  ): Promise<Msg> {
    if (!this.#isConnected)
      throw new TidemarkError('UNAVAILABLE', `the bus is away; ${subject} was not asked`);
    return this.#requester.exchange(subject, body, options);
  }

  /**
   * Collects the answers of all listeners to one question, until `maxMs` have passed or no more
   * arrive. Unreadable answers are left out.
   * @throws TidemarkError UNAVAILABLE when nobody listens
   */
  async gather(subject: string, maxMs: number, answersMax: number): Promise<unknown[]> {
    if (!this.#isConnected)
      throw new TidemarkError('UNAVAILABLE', `the bus is away; ${subject} was not asked`);
    const answers: unknown[] = [];
    try {
      for await (const message of await this.#connection.requestMany(subject, '', {
        strategy: 'stall',
        maxWait: maxMs,
        maxMessages: answersMax,
      })) {
        try {
          answers.push(decodeBrief(message.data, message.headers));
        } catch (thrown) {
          this.#log.debug({ subject, reason: messageOf(thrown) }, 'unreadable answer dropped');
        }
        if (answers.length >= answersMax) break;
      }
    } catch (cause) {
      throw toUnavailable(subject, cause);
    }
    return answers;
  }

  /**
   * Publishes JSON without an acknowledgement. Dropped while disconnected: nobody should act on an
   * old announcement.
   */
  publish(subject: string, value: unknown): void {
    if (!this.#isConnected || this.#connection.isClosed()) return;
    this.#connection.publish(subject, encodeBody(value, 'json'));
  }

  /** Calls back for every readable message on a subject; the returned function unsubscribes. */
  subscribe(subject: string, onMessage: (value: unknown, subject: string) => void): () => void {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error) return this.#log.warn({ subject, reason: error.message }, 'subscription failed');
        let value: unknown;
        try {
          value = decodeBrief(message.data, message.headers);
        } catch (thrown) {
          return this.#log.debug(
            { subject: message.subject, reason: messageOf(thrown) },
            'unreadable message dropped',
          );
        }
        this.#guarded(subject, () => onMessage(value, message.subject));
      },
    });
    return () => subscription.unsubscribe();
  }

  /**
   * Errors must not reach the NATS client: it would stop reading, and the process would hear
   * nothing more. Logged once per subject and kind of error, then as a reminder, because a sender
   * can cause them often.
   */
  #guarded(subject: string, handle: () => void): void {
    try {
      handle();
    } catch (error) {
      const kind = error instanceof Error ? error.name : typeof error;
      const cause = `${subject} ${kind}`;
      const reminder = this.#thrown.get(cause) ?? new Reminder(limits.busReminderMs);
      this.#thrown.set(cause, reminder);
      if (reminder.isDue(cause))
        this.#log.error({ subject, reason: messageOf(error) }, 'message not handled');
    }
  }

  /** Serves a NATS micro service until it is stopped. */
  serve(spec: ServiceSpec): MicroService {
    return new MicroService(spec, (subject, queueGroup, onRequest) => {
      const subscription = this.#connection.subscribe(subject, {
        ...(queueGroup ? { queue: queueGroup } : {}),
        callback: (error, message) => {
          if (error)
            return this.#log.warn({ subject, reason: error.message }, 'subscription failed');
          const request = new NatsRequest(message, this.payloadBytesMax, this.#answers);
          this.#guarded(subject, () => {
            if (!request.respondPiece()) onRequest(request);
          });
        },
      });
      return {
        drain: () => (this.#connection.isClosed() ? Promise.resolve() : subscription.drain()),
      };
    });
  }

  /** Resolves when everything sent so far has reached the server. */
  async flush(): Promise<void> {
    await this.#connection.flush();
  }

  /** Stops accepting requests, finishes those accepted, then closes. */
  async drain(): Promise<void> {
    if (this.#connection.isClosed() || this.#connection.isDraining()) return;
    await (this.#isConnected ? this.#connection.drain() : this.#connection.close());
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}
