/**
 * Answers above the server's max_payload: the first message brings the first piece and says how
 * many there are, and the asker fetches the others from the same subject. Both sides share these
 * pieces. Only an asker that says it can is answered so.
 */
import type { HeaderReader } from './codec.ts';
import { isGuid } from '../envelope.ts';
import { TidemarkError } from '../errors.ts';
import { limits } from '../limits.ts';

/** On a request: the asker can fetch the rest of a large answer. */
export const acceptHeader = { name: 'Tidemark-Accept', value: 'chunks' } as const;
/** On the request for one more piece, `<transfer> <index>`; its answer is the bare piece. */
export const fetchHeader = 'Tidemark-Fetch';
/** On the first message of an answer in pieces, beside the Content headers of the whole. */
const transferHeader = 'Tidemark-Transfer';
const countHeader = 'Tidemark-Chunks';

/** A message as both NATS clients have it. */
export type AnswerMessage = {
  readonly data: Uint8Array;
  readonly headers?: HeaderReader | undefined;
};

type Held = { body: Uint8Array; pieceBytes: number; sinceMs: number };

/**
 * Answers being fetched: at most `limits.heldAnswersBytesMax` in all, each forgotten with its last
 * piece, or after `limits.chunkTransferMs`.
 */
export class HeldAnswers {
  readonly #nowMs: () => number;
  readonly #newGuid: () => string;
  readonly #held = new Map<string, Held>();
  #bytes = 0;

  constructor(nowMs: () => number, newGuid: () => string) {
    this.#nowMs = nowMs;
    this.#newGuid = newGuid;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Keeps an answer; returns its first piece and the headers that tell of the others.
   * @throws TidemarkError TOO_LARGE, OVERLOADED
   */
  hold(
    body: Uint8Array,
    pieceBytes: number,
  ): { piece: Uint8Array; headers: Record<string, string> } {
    this.#forgetOld();
    if (body.length > limits.bodyBytesMax)
      throw new TidemarkError(
        'TOO_LARGE',
        `the answer has ${body.length} bytes, at most ${limits.bodyBytesMax}; ask for fewer rows`,
      );
    if (this.#bytes + body.length > limits.heldAnswersBytesMax) {
      throw new TidemarkError(
        'OVERLOADED',
        `${this.#bytes} bytes of large answers are being fetched; ask again later`,
        { retryAfterMs: limits.overloadedRetryMs },
      );
    }
    const transfer = this.#newGuid();
    this.#held.set(transfer, { body, pieceBytes, sinceMs: this.#nowMs() });
    this.#bytes += body.length;
    const headers = {
      [transferHeader]: transfer,
      [countHeader]: String(Math.ceil(body.length / pieceBytes)),
    };
    return { piece: body.subarray(0, pieceBytes), headers };
  }

  /**
   * The piece a fetch header names.
   * @throws TidemarkError INVALID_MESSAGE, UNAVAILABLE when the answer is forgotten
   */
  piece(fetch: string): Uint8Array {
    this.#forgetOld();
    const [transfer = '', text = ''] = fetch.split(' ');
    const held = this.#held.get(transfer);
    if (!held)
      throw new TidemarkError(
        'UNAVAILABLE',
        `${fetchHeader}: answer ${transfer} is not kept here any more; ask for the whole again`,
        { retryAfterMs: 0 },
      );
    const at = Number(text) * held.pieceBytes;
    if (!/^\d{1,6}$/.test(text) || at >= held.body.length)
      throw new TidemarkError('INVALID_MESSAGE', `${fetchHeader}: the answer has no piece ${text}`);
    if (at + held.pieceBytes >= held.body.length) this.#forget(transfer, held);
    return held.body.subarray(at, at + held.pieceBytes);
  }

  #forgetOld(): void {
    const oldest = this.#nowMs() - limits.chunkTransferMs;
    for (const [transfer, held] of this.#held)
      if (held.sinceMs < oldest) this.#forget(transfer, held);
  }

  #forget(transfer: string, held: Held): void {
    this.#held.delete(transfer);
    this.#bytes -= held.body.length;
  }
}

/**
 * The whole of an answer, its other pieces fetched one after the other.
 * @param fetch asks the same subject with one header more
 * @throws TidemarkError TOO_LARGE, UNAVAILABLE when a piece is lost, and what `fetch` throws
 */
export async function wholeAnswer(
  first: AnswerMessage,
  fetch: (name: string, value: string) => Promise<AnswerMessage>,
): Promise<AnswerMessage> {
  const transfer = first.headers?.get(transferHeader);
  if (!transfer) return first;
  const count = Number(first.headers?.get(countHeader));
  if (!isGuid(transfer) || !Number.isInteger(count) || count < 2 || count > limits.chunksMax)
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `${countHeader}: expected an integer from 2 to ${limits.chunksMax}`,
    );
  const pieces = [first.data];
  let bytes = first.data.length;
  for (let index = 1; index < count; index++) {
    const { data, headers } = await fetch(fetchHeader, `${transfer} ${index}`);
    if (headers?.get('Nats-Service-Error'))
      throw new TidemarkError('UNAVAILABLE', headers.get('Nats-Service-Error'));
    bytes += data.length;
    if (bytes > limits.bodyBytesMax)
      throw new TidemarkError(
        'TOO_LARGE',
        `the answer has ${bytes} bytes or more, at most ${limits.bodyBytesMax}`,
      );
    pieces.push(data);
  }
  return { data: Buffer.concat(pieces, bytes), headers: first.headers };
}
