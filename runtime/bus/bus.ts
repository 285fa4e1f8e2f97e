/**
 * The bus: a NATS connection with our manners. The NATS client is imported here, in its `bus-`
 * neighbours and in `stream.ts` only.
 */
import type { Msg, MsgHdrs, NatsConnection } from 'nats';
import { decodeBody, encodeBody } from '../../contracts/codec.ts';
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
  /** Of a lost connection. */
  readonly #reminder = new Reminder(limits.busReminderMs);
  /** By subject listened on and kind of error, both of which are few. */
  readonly #thrown = new Map<string, Reminder>();
  readonly #requester: Requester;

  private constructor(connection: NatsConnection, log: Log) {
    this.#connection = connection;
    this.#log = log;
    this.#requester = new Requester(connection);
    void this.#watch();
  }

  /**
   * Connects; tries until a server takes us, and says why none does, once for each cause and as a
   * reminder. With `waitForServer: false` one try is all.
   * @param told hears why there is none, after each try
   * @throws TidemarkError CONFIG_INVALID for files of ours that cannot be read; with
   * `waitForServer: false` also for a server that does not want us, and UNREACHABLE where there is
   * none
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

  /** Times the connection came back. */
  get reconnects(): number {
    return this.#reconnects;
  }

  get payloadBytesMax(): number {
    return this.#requester.payloadBytesMax;
  }

  /** What the server says of itself; null while there is none. */
  get serverFacts(): { version: string; hasStreams: boolean } | null {
    const { info } = this.#connection;
    return this.#isConnected && info
      ? { version: info.version, hasStreams: info.jetstream === true }
      : null;
  }

  /** Milliseconds to the server and back. */
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
        this.#log.warn({ server: status.server }, 'bus lost, trying again until it is back');
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
   * While the connection is away each try may fail for the same cause: said once, and as a
   * reminder.
   */
  #tell(status: string, reason: string): void {
    const said = `${status}: ${reason}`;
    if (!this.#reminder.isDue(said) && !this.#isConnected) return;
    this.#log.warn({ status, ...(reason === '' ? {} : { reason }) }, 'bus status');
  }

  /**
   * One request, one answer.
   * @throws TidemarkError UNAVAILABLE without an answer, TOO_LARGE over the server's limit, else
   * the code of the refusal
   */
  request<T>(subject: string, value: unknown, options: RequestOptions = {}): Promise<T> {
    return this.send<T>(subject, this.pack(value, options), options);
  }

  /** The bytes of a request, made ahead of sending it. */
  pack(value: unknown, options: RequestOptions = {}): Packed {
    return this.#requester.pack(value, options);
  }

  /** Sends what was packed; throws as `request` does. */
  async send<T>(subject: string, packed: Packed, options: RequestOptions = {}): Promise<T> {
    if (!this.#isConnected)
      throw new TidemarkError('UNAVAILABLE', `the bus is away; ${subject} was not asked`);
    return (await this.#requester.send(subject, packed, options)) as T;
  }

  /**
   * One message and its answer, as they are: what the client library of hubs sends by.
   * @throws TidemarkError UNAVAILABLE without an answer, at once when the bus is or gets lost
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
   * What all who listen answer to one question, until `maxMs` are over or no more come; unreadable
   * answers are left out.
   * @throws TidemarkError UNAVAILABLE when nobody does
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
          answers.push(decodeBody(message.data, message.headers));
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
   * Fire and forget, as JSON; dropped while disconnected, for nobody should act on an old
   * announcement.
   */
  publish(subject: string, value: unknown): void {
    if (!this.#isConnected || this.#connection.isClosed()) return;
    this.#connection.publish(subject, encodeBody(value, 'json'));
  }

  /** Every readable message of a subject; the returned function ends it. */
  subscribe(subject: string, onMessage: (value: unknown, subject: string) => void): () => void {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error) return this.#log.warn({ subject, reason: error.message }, 'subscription failed');
        let value: unknown;
        try {
          value = decodeBody(message.data, message.headers);
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
   * Nothing may be thrown into the client: it would stop reading, and the process be deaf. Said once
   * for a subject and kind of error, and as a reminder: whoever sends it can send it often.
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

  /** Answers as a NATS micro service until stopped. */
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

  /** Stops taking, finishes what was taken, closes. */
  async drain(): Promise<void> {
    if (this.#connection.isClosed() || this.#connection.isDraining()) return;
    await (this.#isConnected ? this.#connection.drain() : this.#connection.close());
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}
