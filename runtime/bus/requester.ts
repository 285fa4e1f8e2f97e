/**
 * Sends requests on the bus: packed, in pieces when one message is too small, and failed when the
 * bus is lost.
 */
import type { Msg, MsgHdrs, NatsConnection } from 'nats';
import {
  acceptHeader,
  type AnswerMessage,
  wholeAnswer,
} from '../../contracts/body/answer-chunks.ts';
import { assertKept, type ChunkBody, splitIntoChunks } from '../../contracts/body/chunks.ts';
import { contentType, encodeBody, type Encoding, packBody } from '../../contracts/body/codec.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { actionIn } from '../../contracts/subjects.ts';
import { newUuid } from '../clock.ts';
import { decodeAnswer, toUnavailable } from './bus-answer.ts';
import { toHeaders } from './bus-request.ts';

export type RequestOptions = {
  timeoutMs?: number;
  encoding?: Encoding;
  headers?: Record<string, string>;
  /**
   * Subject for a body above the server's limit, sent in pieces; without it the body is TOO_LARGE.
   */
  chunkSubject?: string;
  /**
   * Bodies above this size are gzipped; `limits.gzipAboveBytes` when omitted. Capped by what the
   * server accepts in one message.
   */
  zipAboveBytes?: number;
};

/** A request's bytes, and the headers that say how to read them. */
export type Packed = { body: Uint8Array; headers: Record<string, string> };

export class Requester {
  readonly #connection: NatsConnection;
  /** Requests in flight. Once the connection is lost, their answers cannot arrive. */
  readonly #waiting = new Set<(error: TidemarkError) => void>();

  constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  get payloadBytesMax(): number {
    return this.#connection.info?.max_payload ?? limits.busPayloadBytesMax;
  }

  pack(value: unknown, options: RequestOptions): Packed {
    return packBody(
      value,
      options.encoding ?? 'msgpack',
      Math.min(options.zipAboveBytes ?? limits.gzipAboveBytes, this.payloadBytesMax / 2),
    );
  }

  /** Sends a packed request and returns the answer; throws as `Bus.request` does. */
  send(subject: string, packed: Packed, options: RequestOptions): Promise<unknown> {
    return packed.body.length > this.payloadBytesMax - limits.chunkOverheadBytes
      ? this.#sendInChunks(subject, packed, options)
      : this.#ask(subject, packed, options);
  }

  /** Fails every request in flight: the connection its answer would have used is lost. */
  giveUp(): void {
    for (const fail of this.#waiting)
      fail(new TidemarkError('UNAVAILABLE', 'the bus was lost while waiting for an answer'));
  }

  async #ask(subject: string, packed: Packed, options: RequestOptions): Promise<unknown> {
    const askOnce = (body: Uint8Array, own: Record<string, string>): Promise<AnswerMessage> => {
      const headers = toHeaders({
        ...own,
        'Accept-Encoding': 'gzip',
        [acceptHeader.name]: acceptHeader.value,
        ...options.headers,
      });
      return this.exchange(subject, body, {
        timeout: options.timeoutMs ?? limits.capabilityMs,
        headers,
      });
    };
    const first = await askOnce(packed.body, packed.headers);
    return decodeAnswer(
      await wholeAnswer(first, (name, value) => askOnce(new Uint8Array(), { [name]: value })),
      subject,
    );
  }

  async #sendInChunks(
    subject: string,
    { body, headers }: Packed,
    { chunkSubject, ...rest }: RequestOptions,
  ): Promise<unknown> {
    if (!chunkSubject || body.length > limits.bodyBytesMax) {
      throw new TidemarkError(
        'TOO_LARGE',
        `${subject}: ${body.length} bytes, and the bus takes ${this.payloadBytesMax} in one message`,
      );
    }
    let answer: unknown;
    // One after the other; the answer to the last piece is the answer to the whole.
    for (const chunk of chunksOf(subject, body, headers, this.payloadBytesMax)) {
      answer = await this.#ask(
        chunkSubject,
        { body: encodeBody(chunk, 'msgpack'), headers: { 'Content-Type': contentType.msgpack } },
        rest,
      );
      assertKept(answer, chunk.Index, chunk.Count);
    }
    return answer;
  }

  /** Sends one message and returns the raw answer. */
  async exchange(
    subject: string,
    body: Uint8Array,
    options: { timeout: number; headers: MsgHdrs },
  ): Promise<Msg> {
    const asked = this.#connection.request(subject, body, options);
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
}

/**
 * The chunk messages of a body meant for `subject`, in order. Pieces are not gzipped again, which
 * would only make them larger.
 */
function chunksOf(
  subject: string,
  body: Uint8Array,
  headers: Record<string, string>,
  payloadBytesMax: number,
): ChunkBody[] {
  const pieces = splitIntoChunks(body, payloadBytesMax - limits.chunkOverheadBytes);
  const whole = {
    Transfer: newUuid(),
    Count: pieces.length,
    Action: actionIn(subject),
    ContentType: headers['Content-Type'] ?? '',
    ContentEncoding: headers['Content-Encoding'] ?? '',
  };
  return pieces.map((Data, Index) => ({ ...whole, Index, Data }));
}
