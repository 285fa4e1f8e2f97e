/**
 * Bodies above the server's max_payload, cut into chunks by the sender and put together by the
 * receiver; both sides share these pieces.
 */
import type { HeaderReader } from './codec.ts';
import { isGuid } from '../envelope.ts';
import { TidemarkError } from '../errors.ts';
import { isJsonObject } from './json-value.ts';
import { limits } from '../limits.ts';

/**
 * Body of one message on a `...chunk` subject. `Action` and the two Content fields describe the
 * assembled whole.
 */
export type ChunkBody = {
  Transfer: string;
  Index: number;
  Count: number;
  /** Bytes of the piece; base64 text where the chunk itself is sent as JSON. */
  Data: Uint8Array | string;
  /**
   * Last token of the subject the whole would have gone to; left out, the whole says it in a member
   * of that name.
   */
  Action?: string;
  ContentType?: string;
  ContentEncoding?: string;
};

/**
 * Answer to every chunk but the one that completes the whole. `Received` counts distinct chunks.
 */
export type ChunkReply = { Success: true; Received: number };

/** What became of one chunk: more are awaited, or the whole is there. */
export type ChunkResult =
  | { done: false; received: number }
  | { done: true; body: Uint8Array; action: string; headers: HeaderReader };

/**
 * Cuts bytes into pieces that fit into messages of `payloadBytesMax`, headers and framing included.
 * The pieces share the memory of `bytes`.
 */
export function splitIntoChunks(bytes: Uint8Array, payloadBytesMax: number): Uint8Array[] {
  const room = Math.max(
    payloadBytesMax - limits.chunkOverheadBytes,
    Math.floor(payloadBytesMax / 2),
    1,
  );
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += room) pieces.push(bytes.subarray(at, at + room));
  return pieces;
}

type Chunk = {
  transfer: string;
  index: number;
  count: number;
  data: Uint8Array;
  action: string;
  contentType: string;
  contentEncoding: string;
};
type Transfer = {
  first: Chunk;
  sender: string;
  pieces: Map<number, Uint8Array>;
  bytes: number;
  startedAtMs: number;
  lastAtMs: number;
};

/**
 * Half-sent transfers in memory, bounded in number and bytes, in all and for each sender, and each
 * forgotten after `limits.chunkTransferMs`. Where there is no room, those that lie idle make it, so
 * that nobody keeps the others out by beginning what is never ended.
 */
export class ChunkAssembler {
  readonly #nowMs: () => number;
  readonly #transfers = new Map<string, Transfer>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Transfers begun and not complete. */
  get pending(): number {
    return this.#transfers.size;
  }

  /**
   * Takes one decoded chunk; a repeated one changes nothing.
   * @param sender as far as it is known, see `senderOf`
   * @throws TidemarkError INVALID_MESSAGE or TOO_LARGE naming the field, OVERLOADED when too much is
   * half-sent; the transfer is then forgotten
   */
  add(chunkBody: unknown, sender = ''): ChunkResult {
    this.#forgetOld();
    const chunk = decodeChunk(chunkBody);
    const transfer = this.#transfers.get(chunk.transfer) ?? this.#open(chunk, sender);
    transfer.lastAtMs = this.#nowMs();
    try {
      this.#assertRoom(transfer, chunk);
      put(transfer, chunk);
    } catch (error) {
      this.#transfers.delete(chunk.transfer);
      throw error;
    }
    if (transfer.pieces.size < chunk.count) return { done: false, received: transfer.pieces.size };
    this.#transfers.delete(chunk.transfer);
    const body = joined(transfer);
    return { done: true, body, action: chunk.action, headers: headersOf(chunk, body) };
  }

  #open(chunk: Chunk, sender: string): Transfer {
    const isTooMany = () =>
      this.#transfers.size >= limits.chunkTransfersMax ||
      this.#ofSender(sender).length >= limits.chunkSenderTransfersMax;
    while (isTooMany())
      if (!this.#forgetIdle())
        throw overloaded(`${this.#transfers.size} transfers are open already`);
    const nowMs = this.#nowMs();
    const transfer: Transfer = {
      first: chunk,
      sender,
      pieces: new Map(),
      bytes: 0,
      startedAtMs: nowMs,
      lastAtMs: nowMs,
    };
    this.#transfers.set(chunk.transfer, transfer);
    return transfer;
  }

  #assertRoom({ sender }: Transfer, { data }: Chunk): void {
    const isTooMuch = () =>
      bytesOf([...this.#transfers.values()]) + data.length > limits.chunkBytesMax ||
      bytesOf(this.#ofSender(sender)) + data.length > limits.chunkSenderBytesMax;
    while (isTooMuch())
      if (!this.#forgetIdle())
        throw overloaded(`${bytesOf([...this.#transfers.values()])} bytes are half-sent already`);
  }

  #ofSender(sender: string): Transfer[] {
    return [...this.#transfers.values()].filter((transfer) => transfer.sender === sender);
  }

  #forgetOld(): void {
    const oldest = this.#nowMs() - limits.chunkTransferMs;
    for (const [id, transfer] of this.#transfers)
      if (transfer.startedAtMs < oldest) this.#transfers.delete(id);
  }

  /** The one that lies idle longest; false when none does. */
  #forgetIdle(): boolean {
    const [longest] = [...this.#transfers].toSorted(([, a], [, b]) => a.lastAtMs - b.lastAtMs);
    if (!longest || longest[1].lastAtMs > this.#nowMs() - limits.chunkIdleMs) return false;
    return this.#transfers.delete(longest[0]);
  }
}

/**
 * Who sent a message, from the subject its answer goes to: a client answers all of its requests
 * below one inbox.
 */
export function senderOf(replySubject: string | undefined): string {
  return replySubject?.slice(0, Math.max(0, replySubject.lastIndexOf('.'))) ?? '';
}

/**
 * For a sender: whether the answer to a chunk says that all before it are still there.
 * @throws TidemarkError UNAVAILABLE when they are not
 */
export function assertKept(reply: unknown, index: number, count: number): void {
  const received = isJsonObject(reply) ? reply['Received'] : undefined;
  if (typeof received !== 'number') return;
  if (received > index && index < count - 1) return;
  throw new TidemarkError('UNAVAILABLE', 'the receiver forgot the transfer; send the whole again', {
    retryAfterMs: limits.overloadedRetryMs,
  });
}

function overloaded(why: string): TidemarkError {
  return new TidemarkError('OVERLOADED', `Transfer: ${why}; send the whole again later`, {
    retryAfterMs: limits.overloadedRetryMs,
  });
}

function bytesOf(transfers: readonly Transfer[]): number {
  return transfers.reduce((sum, { bytes }) => sum + bytes, 0);
}

function put(transfer: Transfer, chunk: Chunk): void {
  const { first } = transfer;
  if (chunk.count !== first.count)
    throw invalid('Count', `${chunk.count} differs from the ${first.count} of the first chunk`);
  if (chunk.action !== first.action)
    throw invalid('Action', `${chunk.action} differs from the ${first.action} of the first chunk`);
  if (chunk.contentType !== first.contentType)
    throw invalid('ContentType', 'differs from that of the first chunk');
  if (chunk.contentEncoding !== first.contentEncoding)
    throw invalid('ContentEncoding', 'differs from that of the first chunk');
  if (transfer.pieces.has(chunk.index)) return;
  transfer.bytes += chunk.data.length;
  if (transfer.bytes > limits.bodyBytesMax) {
    throw new TidemarkError(
      'TOO_LARGE',
      `Data: ${transfer.bytes} bytes or more in all, at most ${limits.bodyBytesMax}`,
    );
  }
  transfer.pieces.set(chunk.index, chunk.data);
}

function joined(transfer: Transfer): Uint8Array {
  const body = new Uint8Array(transfer.bytes);
  let at = 0;
  for (let index = 0; index < transfer.first.count; index++) {
    const piece = transfer.pieces.get(index) as Uint8Array;
    body.set(piece, at);
    at += piece.length;
  }
  return body;
}

function headersOf(chunk: Chunk, body: Uint8Array): HeaderReader {
  const values = new Map([
    ['content-type', chunk.contentType],
    ['content-encoding', chunk.contentEncoding || encodingSeen(body)],
  ]);
  return { get: (name) => values.get(name.toLowerCase()) ?? '' };
}

/**
 * A sender that does not say how the whole is encoded may still have zipped it; the first two bytes
 * tell.
 */
function encodingSeen(body: Uint8Array): string {
  return body[0] === 0x1f && body[1] === 0x8b ? 'gzip' : '';
}

function decodeChunk(body: unknown): Chunk {
  if (!isJsonObject(body))
    throw invalid('body', 'expected an object with Transfer, Index, Count, Action and Data');
  const { Transfer, Index, Count, Action = '' } = body;
  if (!isGuid(Transfer))
    throw invalid('Transfer', 'expected a UUID, the same in every chunk of the whole');
  if (!isCount(Count, 1, limits.chunksMax))
    throw invalid('Count', `expected an integer from 1 to ${limits.chunksMax}`);
  if (!isCount(Index, 0, Count - 1))
    throw invalid('Index', `expected an integer from 0 to ${Count - 1}`);
  if (typeof Action !== 'string' || Action === 'chunk')
    throw invalid('Action', 'expected the name of an action, or batch');
  return {
    transfer: Transfer.toLowerCase(),
    index: Index,
    count: Count,
    action: Action,
    data: decodeData(body['Data']),
    contentType: decodeText(body, 'ContentType'),
    contentEncoding: decodeText(body, 'ContentEncoding'),
  };
}

function decodeData(data: unknown): Uint8Array {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'base64') : data;
  if (!(bytes instanceof Uint8Array) || bytes.length === 0)
    throw invalid('Data', 'expected one byte or more, as binary or base64 text');
  // A copy, for the message's buffer is the bus client's and larger than the piece.
  return new Uint8Array(bytes);
}

function decodeText(
  body: Record<string, unknown>,
  field: 'ContentType' | 'ContentEncoding',
): string {
  const value = body[field] ?? '';
  if (typeof value === 'string' && value.length <= 100) return value;
  throw invalid(field, 'expected a header value of at most 100 characters');
}

function isCount(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}

function invalid(field: string, why: string): TidemarkError {
  return new TidemarkError('INVALID_MESSAGE', `${field}: ${why}`);
}
