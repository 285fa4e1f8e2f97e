/** The bus: a NATS connection with our manners. The only importer of the NATS client beside `stream.ts`. */
import { readFileSync } from 'node:fs';
import {
  type Authenticator, connect, credsAuthenticator, headers as newHeaders, type Msg, type MsgHdrs, type NatsConnection,
  type NodeConnectionOptions, nkeyAuthenticator, NoRespondersError, RequestError, TimeoutError,
} from 'nats';
import { decodeBody, type Encoding, encodeBody, encodingOf, packBody } from '../contracts/codec.ts';
import { messageOf, type RefusalCode, refusalStatus, TidemarkError, toRefusal } from '../contracts/errors.ts';
import { isJsonObject } from '../contracts/json-value.ts';
import { limits } from '../contracts/limits.ts';
import type { Log } from './log.ts';
import { type BusRequest, MicroService, type ServiceSpec } from './micro-service.ts';

export type BusOptions = {
  servers: string;
  /** Shown in the server's connection list. */
  name: string;
  user?: string;
  password?: string;
  token?: string;
  /** Paths of a creds file, an nkey seed file, and PEM files. */
  creds?: string;
  nkey?: string;
  tls?: { cert?: string; key?: string; ca?: string };
  /** Retry the first connect for ever (default), or fail at once. */
  waitForServer?: boolean;
};

export type RequestOptions = { timeoutMs?: number; encoding?: Encoding; headers?: Record<string, string> };

function authenticatorOf(options: BusOptions): Authenticator | undefined {
  if (options.creds) return credsAuthenticator(readFileSync(options.creds));
  if (options.nkey) return nkeyAuthenticator(readFileSync(options.nkey));
  return undefined;
}

function connectionOptions(options: BusOptions): NodeConnectionOptions {
  const authenticator = authenticatorOf(options);
  const { cert, key, ca } = options.tls ?? {};
  return {
    servers: options.servers.split(','),
    name: options.name,
    // The client gives up after ten tries by default; a sidecar outlives any outage of the bus.
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    ignoreAuthErrorAbort: true,
    waitOnFirstConnect: options.waitForServer ?? true,
    pingInterval: 5_000,
    maxPingOut: 2,
    timeout: 5_000,
    ...(authenticator ? { authenticator } : {}),
    ...(options.token ? { token: options.token } : {}),
    ...(options.user ? { user: options.user } : {}),
    ...(options.password ? { pass: options.password } : {}),
    ...(cert || key || ca ? { tls: { ...(cert ? { certFile: cert } : {}), ...(key ? { keyFile: key } : {}), ...(ca ? { caFile: ca } : {}) } } : {}),
  };
}

export class Bus {
  readonly #connection: NatsConnection;
  readonly #log: Log;
  #isConnected = true;
  #reconnects = 0;
  /** Requests in flight: an answer cannot come any more once the connection was lost. */
  readonly #waiting = new Set<(error: TidemarkError) => void>();

  private constructor(connection: NatsConnection, log: Log) {
    this.#connection = connection;
    this.#log = log;
    void this.#watch();
  }

  /** Connects. With `waitForServer: false` a missing server is @throws TidemarkError UNREACHABLE. */
  static async connect(options: BusOptions, log: Log): Promise<Bus> {
    try {
      return new Bus(await connect(connectionOptions(options)), log);
    } catch (cause) {
      throw new TidemarkError('UNREACHABLE', `no bus at ${options.servers}: ${messageOf(cause)}; is nats-server running there?`, { cause });
    }
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
    return this.#connection.info?.max_payload ?? limits.busPayloadBytesMax;
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
        for (const fail of [...this.#waiting]) fail(new TidemarkError('UNAVAILABLE', 'the bus was lost while waiting for an answer'));
      } else if (status.type === 'reconnect') {
        this.#isConnected = true;
        this.#reconnects += 1;
        this.#log.info({ server: status.server }, 'bus is back');
      } else if (status.type === 'error' || status.type === 'staleConnection' || status.type === 'slowConsumer') {
        this.#log.warn({ status: status.type, ...('error' in status ? { reason: messageOf(status.error) } : {}) }, 'bus status');
      }
    }
    this.#isConnected = false;
  }

  /**
   * One request, one answer.
   * @throws TidemarkError UNAVAILABLE without an answer, TOO_LARGE over the server's limit, else the code of the refusal
   */
  async request<T>(subject: string, value: unknown, options: RequestOptions = {}): Promise<T> {
    if (!this.#isConnected) throw new TidemarkError('UNAVAILABLE', `the bus is away; ${subject} was not asked`);
    const { body, headers } = packBody(value, options.encoding ?? 'msgpack');
    if (body.length > this.payloadBytesMax - limits.chunkOverheadBytes) {
      throw new TidemarkError('TOO_LARGE', `${subject}: ${body.length} bytes, and the bus takes ${this.payloadBytesMax} in one message`);
    }
    const timeout = options.timeoutMs ?? limits.capabilityMs;
    const asked = this.#connection.request(subject, body, { timeout, headers: toHeaders({ ...headers, 'Accept-Encoding': 'gzip', ...options.headers }) });
    return decodeAnswer<T>(await this.#untilLost(subject, asked), subject);
  }

  async #untilLost(subject: string, asked: Promise<Msg>): Promise<Msg> {
    const { promise: lost, reject } = Promise.withResolvers<never>();
    this.#waiting.add(reject);
    try {
      return await Promise.race([asked, lost]);
    } catch (cause) {
      asked.catch(() => undefined);
      throw toUnavailable(subject, cause);
    } finally {
      this.#waiting.delete(reject);
    }
  }

  /** Fire and forget, as JSON; dropped while disconnected, for nobody should act on an old announcement. */
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
          return this.#log.debug({ subject: message.subject, reason: messageOf(thrown) }, 'unreadable message dropped');
        }
        onMessage(value, message.subject);
      },
    });
    return () => subscription.unsubscribe();
  }

  /** Answers as a NATS micro service until stopped. */
  serve(spec: ServiceSpec): MicroService {
    return new MicroService(spec, (subject, queueGroup, onRequest) => {
      const subscription = this.#connection.subscribe(subject, {
        ...(queueGroup ? { queue: queueGroup } : {}),
        callback: (error, message) => {
          if (error) return this.#log.warn({ subject, reason: error.message }, 'subscription failed');
          onRequest(new NatsRequest(message, this.payloadBytesMax));
        },
      });
      return { drain: () => (this.#connection.isClosed() ? Promise.resolve() : subscription.drain()) };
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

/** A request as it came; decoded when asked for, answered in its own encoding. */
class NatsRequest implements BusRequest {
  readonly #message: Msg;
  readonly #payloadBytesMax: number;

  constructor(message: Msg, payloadBytesMax: number) {
    this.#message = message;
    this.#payloadBytesMax = payloadBytesMax;
  }

  get subject(): string {
    return this.#message.subject;
  }

  decode(): unknown {
    return decodeBody(this.#message.data, this.#message.headers);
  }

  respond(value: unknown): void {
    const asked = this.#message.headers;
    if (!asked) return void this.#message.respond(encodeBody(value, this.#encoding()));
    const zips = asked.get('Accept-Encoding').includes('gzip');
    const answer = zips ? packBody(value, this.#encoding()) : { body: encodeBody(value, this.#encoding()), headers: {} };
    if (answer.body.length > this.#payloadBytesMax - limits.chunkOverheadBytes) {
      return this.refuse(new TidemarkError('TOO_LARGE', `the answer has ${answer.body.length} bytes; ask for fewer rows`));
    }
    this.#message.respond(answer.body, { headers: toHeaders(answer.headers) });
  }

  refuse(error: unknown): void {
    const refusal = toRefusal(error);
    const headers = newHeaders();
    headers.set('Nats-Service-Error', oneLine(refusal.Reason));
    headers.set('Nats-Service-Error-Code', String(refusalStatus[refusal.Code]));
    this.#message.respond(encodeBody(refusal, this.#encoding()), { headers });
  }

  #encoding(): Encoding {
    try {
      return encodingOf(this.#message.data, this.#message.headers);
    } catch {
      // A Content-Type we do not speak is refused in the encoding everybody can read.
      return 'json';
    }
  }
}

function toHeaders(values: Record<string, string>): MsgHdrs {
  const headers = newHeaders();
  for (const [name, value] of Object.entries(values)) headers.set(name, value);
  return headers;
}

/** Header values are one line of printable text. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 500);
}

function decodeAnswer<T>(message: Msg, subject: string): T {
  const value = decodeBody(message.data, message.headers);
  const status = message.headers?.get('Nats-Service-Error-Code');
  if (!status) return value as T;
  const body = isJsonObject(value) ? value : {};
  const code = typeof body['Code'] === 'string' && Object.hasOwn(refusalStatus, body['Code']) ? (body['Code'] as RefusalCode) : 'INTERNAL';
  const reason = typeof body['Reason'] === 'string' ? body['Reason'] : message.headers?.get('Nats-Service-Error') || 'no reason given';
  const retryAfterMs = body['RetryAfterMs'];
  throw new TidemarkError(code, `${subject}: ${reason}`, typeof retryAfterMs === 'number' ? { retryAfterMs } : {});
}

/** True when nobody listens on the subject: the other side is not there, rather than slow. */
export function isNoResponders(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof NoRespondersError || (at instanceof RequestError && at.isNoResponders())) return true;
  }
  return false;
}

function toUnavailable(subject: string, cause: unknown): TidemarkError {
  if (cause instanceof TidemarkError) return cause;
  if (isNoResponders(cause)) return new TidemarkError('UNAVAILABLE', `${subject}: nobody answers there`, { cause });
  const why = cause instanceof TimeoutError || (cause instanceof Error && cause.name === 'TimeoutError') ? 'no answer in time' : messageOf(cause);
  return new TidemarkError('UNAVAILABLE', `${subject}: ${why}`, { cause });
}
