/**
 * A request received from the bus: decoded on demand, answered in the encoding it came in. Shares
 * the home of the NATS client with `bus.ts`.
 */
import { headers as newHeaders, type Msg, type MsgHdrs } from 'nats';
import { acceptHeader, fetchHeader, HeldAnswers } from '../../contracts/body/answer-chunks.ts';
import {
  contentType,
  decodeBody,
  type Encoding,
  encodeBody,
  encodingOf,
  packBody,
} from '../../contracts/body/codec.ts';
import { refusalStatus, TidemarkError, toRefusal } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { newUuid, systemClock } from '../clock.ts';
import type { BusRequest } from './micro-service.ts';

/** Large answers of one connection, held while they are fetched piece by piece. */
export function heldAnswers(): HeldAnswers {
  return new HeldAnswers(() => systemClock.monotonicMs(), newUuid);
}

export class NatsRequest implements BusRequest {
  readonly #message: Msg;
  readonly #payloadBytesMax: number;
  readonly #answers: HeldAnswers;

  constructor(message: Msg, payloadBytesMax: number, answers: HeldAnswers) {
    this.#message = message;
    this.#payloadBytesMax = payloadBytesMax;
    this.#answers = answers;
  }

  /**
   * Answers a request for the next piece of a large answer; false when it is another kind of
   * request.
   */
  respondPiece(): boolean {
    const wanted = this.#message.headers?.get(fetchHeader);
    if (!wanted) return false;
    try {
      this.#message.respond(this.#answers.piece(wanted));
    } catch (error) {
      this.refuse(error);
    }
    return true;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get headers(): MsgHdrs | undefined {
    return this.#message.headers;
  }

  get body(): Uint8Array {
    return this.#message.data;
  }

  get replyTo(): string | undefined {
    return this.#message.reply;
  }

  get answerBytesMax(): number {
    return this.#takesPieces ? limits.bodyBytesMax : this.#roomBytes;
  }

  /** What one message can hold besides its headers. */
  get #roomBytes(): number {
    return Math.max(
      this.#payloadBytesMax - limits.chunkOverheadBytes,
      Math.floor(this.#payloadBytesMax / 2),
    );
  }

  get #takesPieces(): boolean {
    return this.#message.headers?.get(acceptHeader.name).includes(acceptHeader.value) ?? false;
  }

  decode(): unknown {
    return decodeBody(this.#message.data, this.#message.headers);
  }

  respond(value: unknown): void {
    const asked = this.#message.headers;
    if (!asked) return void this.#message.respond(encodeBody(value, this.#encoding()));
    const zips = asked.get('Accept-Encoding').includes('gzip');
    const answer = zips
      ? packBody(
          value,
          this.#encoding(),
          Math.min(limits.gzipAnswerAboveBytes, this.#payloadBytesMax / 2),
        )
      : { body: encodeBody(value, this.#encoding()), headers: {} };
    const room = this.#roomBytes;
    if (answer.body.length <= room)
      return void this.#message.respond(answer.body, { headers: toHeaders(answer.headers) });
    if (!this.#takesPieces) {
      throw new TidemarkError(
        'TOO_LARGE',
        `the answer has ${answer.body.length} bytes; ask for fewer rows, or take it in ` +
          `pieces (header ${acceptHeader.name}: ${acceptHeader.value})`,
      );
    }
    const { piece, headers } = this.#answers.hold(answer.body, room);
    this.#message.respond(piece, {
      headers: toHeaders({
        'Content-Type': contentType[this.#encoding()],
        ...answer.headers,
        ...headers,
      }),
    });
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
      // An unsupported Content-Type is refused in the encoding everybody can read.
      return 'json';
    }
  }
}

export function toHeaders(values: Record<string, string>): MsgHdrs {
  const headers = newHeaders();
  for (const [name, value] of Object.entries(values)) headers.set(name, value);
  return headers;
}

/** Header values must be one line of printable text. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 500);
}
