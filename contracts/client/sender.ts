/**
 * Sends one request of a hub to its worker, once: encoded, gzipped or cut into chunks depending on
 * its size. Reads the reply.
 */
import { acceptHeader, type AnswerMessage, wholeAnswer } from '../body/answer-chunks.ts';
import { assertKept, type ChunkBody, splitIntoChunks } from '../body/chunks.ts';
import {
  contentType,
  decodeBody,
  encodeBody,
  type Encoding,
  type HeaderReader,
  packBody,
} from '../body/codec.ts';
import { messageOf, type RefusalCode, refusalStatus, TidemarkError } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../body/json-value.ts';
import { limits } from '../limits.ts';
import { MiB } from '../limits/bytes.ts';
import { type Lane, subjects } from '../subjects.ts';

/** Message headers, in the form both NATS clients have. */
export type HubHeaders = HeaderReader & { set(name: string, value: string): void };

/**
 * The part of a NATS connection that the client uses; connections of the 3.x and the 2.x client
 * both fit.
 */
export type HubConnection<Headers extends HubHeaders> = {
  request(
    subject: string,
    payload: Uint8Array,
    options: { timeout: number; headers: Headers },
  ): Promise<{ readonly data: Uint8Array; readonly headers?: HeaderReader | undefined }>;
  readonly info?: { max_payload: number } | undefined;
  isClosed?(): boolean;
};

export type SenderOptions<Headers extends HubHeaders> = {
  connection: HubConnection<Headers>;
  /** Creates empty headers: the `headers` function of the connection's own package. */
  headers: () => Headers;
  hub: string;
  encoding: Encoding;
  /** How long to wait for one answer. */
  timeoutMs: number;
  newGuid: () => string;
};

/** `waitMs`: how much longer than usual the worker was asked to wait before it answers. */
export type SendOptions = { waitMs?: number; traceparent?: string | undefined };

type Packed = { body: Uint8Array; headers: Record<string, string> };

/** For a server that does not announce `max_payload`: the default of nats-server. */
const payloadBytesDefault = 1_048_576;

export class Sender<Headers extends HubHeaders> {
  readonly #options: SenderOptions<Headers>;

  constructor(options: SenderOptions<Headers>) {
    this.#options = options;
  }

  /**
   * Sends one body and returns the reply when it is a success.
   * @param action last token of the subject: an action's name, or `batch`
   * @throws TidemarkError with the code of a refusal; UNAVAILABLE without an answer; TOO_LARGE
   * before sending; CLOSED
   */
  async send(
    lane: Lane,
    action: string,
    value: unknown,
    options: SendOptions = {},
  ): Promise<JsonObject> {
    const { hub, encoding } = this.#options;
    const whole = packBody(value, encoding);
    if (whole.body.length > limits.bodyBytesMax || isTooLarge(value, whole.headers, encoding)) {
      throw new TidemarkError(
        'TOO_LARGE',
        `${action}: the body has more than ${limits.bodyBytesMax} bytes; send less at once`,
      );
    }
    const extraMs = Math.floor(whole.body.length / MiB) * limits.clientTimeoutMsPerMiB;
    const patient = { ...options, waitMs: (options.waitMs ?? 0) + extraMs };
    const payloadBytesMax = this.#options.connection.info?.max_payload ?? payloadBytesDefault;
    if (
      whole.body.length <= payloadBytesMax - limits.chunkOverheadBytes ||
      whole.body.length <= payloadBytesMax / 2
    ) {
      return this.#request(subjects.action(hub, lane, action), whole, patient);
    }
    return this.#sendChunks(lane, action, whole, { payloadBytesMax, ...patient });
  }

  async #sendChunks(
    lane: Lane,
    action: string,
    whole: Packed,
    { payloadBytesMax, ...options }: SendOptions & { payloadBytesMax: number },
  ): Promise<JsonObject> {
    const subject = subjects.chunk(this.#options.hub, lane);
    const transfer = this.#options.newGuid();
    const pieces = splitIntoChunks(whole.body, payloadBytesMax);
    let reply: JsonObject = {};
    for (const [index, data] of pieces.entries()) {
      const chunk: ChunkBody = {
        Transfer: transfer,
        Index: index,
        Count: pieces.length,
        Data: data,
        Action: action,
        ContentType: contentType[this.#options.encoding],
        ...(whole.headers['Content-Encoding']
          ? { ContentEncoding: whole.headers['Content-Encoding'] }
          : {}),
      };
      // Chunks are always MessagePack, because JSON cannot carry bytes.
      const packed = {
        body: encodeBody(chunk, 'msgpack'),
        headers: { 'Content-Type': contentType.msgpack },
      };
      reply = await this.#request(subject, packed, options);
      assertKept(reply, index, pieces.length);
    }
    return reply;
  }

  async #request(subject: string, packed: Packed, options: SendOptions): Promise<JsonObject> {
    const { connection } = this.#options;
    if (connection.isClosed?.())
      throw new TidemarkError(
        'CLOSED',
        'the connection to the bus is closed; connect again and make a new client',
      );
    const first = await this.#ask(subject, packed, options);
    const { data, headers } = await wholeAnswer(first, (name, value) =>
      this.#ask(subject, { body: new Uint8Array(), headers: { [name]: value } }, options),
    );
    return readReply(data, headers);
  }

  async #ask(
    subject: string,
    { body, headers }: Packed,
    { waitMs = 0, traceparent }: SendOptions,
  ): Promise<AnswerMessage> {
    const { connection, timeoutMs } = this.#options;
    const head = this.#options.headers();
    for (const [name, value] of Object.entries({
      ...headers,
      'Accept-Encoding': 'gzip',
      [acceptHeader.name]: acceptHeader.value,
    }))
      head.set(name, value);
    if (traceparent) head.set('traceparent', traceparent);
    try {
      return await connection.request(subject, body, {
        timeout: timeoutMs + waitMs,
        headers: head,
      });
    } catch (cause) {
      throw new TidemarkError(
        'UNAVAILABLE',
        `no answer on ${subject}: ${messageOf(cause)}; is the worker of this hub running?`,
        { cause },
      );
    }
  }
}

/** The limit applies to the uncompressed bytes, so only a gzipped body must be measured again. */
function isTooLarge(value: unknown, headers: Record<string, string>, encoding: Encoding): boolean {
  return (
    headers['Content-Encoding'] !== undefined &&
    encodeBody(value, encoding).length > limits.bodyBytesMax
  );
}

function readReply(data: Uint8Array, headers: HeaderReader | undefined): JsonObject {
  const reply = decodeBody(data, headers);
  if (!isJsonObject(reply))
    throw new TidemarkError('INTERNAL', 'the worker answered with something that is not an object');
  throwRefusal(reply);
  if (headers?.get('Nats-Service-Error'))
    throw new TidemarkError('INTERNAL', headers.get('Nats-Service-Error'));
  return reply;
}

/**
 * Throws when the reply is a refusal.
 * @throws TidemarkError with the refusal's code, Reason and RetryAfterMs
 */
export function throwRefusal(reply: JsonObject): void {
  const { Success, Code, Reason, RetryAfterMs } = reply;
  if (Success !== false || typeof Code !== 'string') return;
  const code = Object.hasOwn(refusalStatus, Code) ? (Code as RefusalCode) : 'INTERNAL';
  throw new TidemarkError(
    code,
    String(Reason ?? Code),
    typeof RetryAfterMs === 'number' ? { retryAfterMs: RetryAfterMs } : {},
  );
}
