/**
 * The worker's lanes on the bus: decodes single requests, batches, chunks and reads, gives them to
 * intake or to the reader, and answers them.
 */
import { fittingReasons, insistOnAnswer, resultBytes } from '../../contracts/body/answer-room.ts';
import { ChunkAssembler, senderOf } from '../../contracts/body/chunks.ts';
import { decodeBody, decodeSmallBody } from '../../contracts/body/codec.ts';
import {
  actionOf,
  decodeBatch,
  decodeBatchItem,
  decodeEnvelope,
  type Envelope,
  type PackedWrite,
  type ReadEnvelope,
} from '../../contracts/envelope.ts';
import {
  type Refusal,
  type RefusalCode,
  TidemarkError,
  toRefusal,
} from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { BatchReply, ReadReply, WriteReply } from '../../contracts/reply.ts';
import { type Lane, lanes, lastToken, subjects } from '../../contracts/subjects.ts';
import type { BusRequest, EndpointSpec } from '../../runtime/bus/micro-service.ts';
import { type Reception, traceIn } from '../../runtime/trace.ts';
import type { AppliedWaiters } from '../intake/applied-waiters.ts';
import type { Intake } from '../intake/intake.ts';
import type { Arrived, LargeBodies } from '../intake/large-bodies.ts';
import type { Reader } from '../reads/reader.ts';
import type { Write } from '../journal/append.ts';
import { accepting } from '../journal/trace.ts';

export type LaneEndpointOptions = {
  hubId: string;
  intake: Intake;
  reader: Reader;
  applied: AppliedWaiters;
  large: LargeBodies;
  data: (lane: Lane) => unknown;
  nowMs: () => number;
  /** Called when a request, or an item of a batch, is refused with this code. */
  rejected?: (code: RefusalCode) => void;
};

export class LaneEndpoints {
  readonly #parts: LaneEndpointOptions;
  readonly #chunks: ChunkAssembler;

  constructor(parts: LaneEndpointOptions) {
    this.#parts = parts;
    this.#chunks = new ChunkAssembler(parts.nowMs);
  }

  /** One endpoint for each lane; the last token of the subject is the action. */
  specs(): EndpointSpec[] {
    const { hubId, data, rejected } = this.#parts;
    return lanes.map((lane) => ({
      name: lane,
      subject: subjects.laneAll(hubId, lane),
      metadata: { hub: hubId, lane },
      handle: (request) => this.handle(lane, lastToken(request.subject), request),
      refused: (error) => rejected?.(toRefusal(error).Code),
      data: () => data(lane),
    }));
  }

  /** @throws TidemarkError with a wire code; what it throws becomes the refusal */
  handle(
    lane: Lane,
    action: string,
    request: Omit<BusRequest, 'respond' | 'refuse'>,
  ): Promise<unknown> | unknown {
    const reception = accepting(request.subject, traceIn(request.headers));
    const about = {
      trace: reception.keep,
      sender: senderOf(request.replyTo),
      roomBytes: request.answerBytesMax ?? limits.bodyBytesMax,
    };
    const { body, headers } = request;
    const answer = () => {
      if (action === 'chunk') return this.#chunk(lane, request, about);
      return body
        ? this.#whole({ lane, action, body, headers }, about)
        : this.#answer(lane, action, request.decode(), about);
    };
    return reception.isRecorded ? this.#recorded(reception, answer) : answer();
  }

  async #recorded(reception: Reception, answer: () => unknown): Promise<unknown> {
    try {
      const value = await answer();
      reception.end();
      return value;
    } catch (error) {
      reception.end(error);
      throw error;
    }
  }

  /** Decodes a small body at once; a large one goes to a thread, where it holds up nobody. */
  #whole(arrived: Arrived, about: About): Promise<unknown> | unknown {
    const { lane, action, body, headers } = arrived;
    const small = decodeSmallBody(body, headers);
    return small
      ? this.#answer(lane, action || actionOf(small.value), small.value, about)
      : this.#large(arrived, about);
  }

  #answer(lane: Lane, action: string, body: unknown, about: About): Promise<unknown> | unknown {
    if (action !== 'batch') return this.#one(decodeEnvelope(body, lane, action), about.trace);
    const items = decodeBatch(body);
    return this.#batch(items.length, about, (at) =>
      decodeBatchItem(items[at], lane, `Items[${at}]`),
    );
  }

  async #large(arrived: Arrived, about: About): Promise<unknown> {
    const result = await this.#parts.large.decode(arrived, about.sender);
    if (result.kind === 'one') return this.#one(result.envelope, about.trace);
    return this.#batch(result.items.length, about, (at) => {
      const item = result.items[at] as PackedWrite | Refusal;
      if ('Code' in item) throw new TidemarkError(item.Code, item.Reason);
      return item;
    });
  }

  #one(
    envelope: Envelope | PackedWrite | ReadEnvelope,
    trace: string | null,
  ): Promise<WriteReply | ReadReply> {
    const { intake, reader, applied } = this.#parts;
    if (envelope.kind === 'read') return reader.read(envelope, trace);
    const accepted = intake.accept(traced(envelope, trace));
    if (envelope.waitMs === 0) return accepted;
    return accepted.then((reply) => applied.wait(envelope.lane, reply, envelope.waitMs));
  }

  /**
   * One reply for each item, in the same order. A refused item does not refuse the others. All
   * items belong to the request's trace.
   * @param itemAt throws for an item that is refused
   */
  async #batch(
    count: number,
    { trace, roomBytes }: About,
    itemAt: (at: number) => Write,
  ): Promise<BatchReply> {
    insistOnAnswer(count, resultBytes.write, roomBytes);
    const refuse = (error: unknown): Refusal => {
      const refusal = toRefusal(error);
      this.#parts.rejected?.(refusal.Code);
      return refusal;
    };
    const results = await Promise.all(
      Array.from({ length: count }, (_, at): Promise<WriteReply | Refusal> | Refusal => {
        try {
          return this.#parts.intake.accept(traced(itemAt(at), trace)).catch(refuse);
        } catch (error) {
          return refuse(error);
        }
      }),
    );
    return {
      Success: results.every((result) => result.Success),
      Results: [...fittingReasons(results, resultBytes.write, roomBytes)],
    };
  }

  /** The whole body belongs to the trace of the request that completed it. */
  #chunk(
    lane: Lane,
    request: Omit<BusRequest, 'respond' | 'refuse'>,
    about: About,
  ): Promise<unknown> | unknown {
    const taken = this.#chunks.add(chunkIn(request), about.sender);
    if (!taken.done) return { Success: true, Received: taken.received };
    const { body, action, headers } = taken;
    return this.#whole({ lane, action, body, headers }, about);
  }
}

/**
 * Decodes one message of a chunked transfer. It is large and has few values, so it has bounds of
 * its own.
 */
function chunkIn(request: Pick<BusRequest, 'body' | 'headers' | 'decode'>): unknown {
  const { body, headers } = request;
  if (!body) return request.decode();
  return decodeBody(body, headers, {
    bytesMax: Math.max(body.length, 2 * limits.busPayloadBytesMax),
    valuesMax: limits.chunkValuesMax,
  });
}

/** The trace context of a request, its sender, and how many bytes its answer may have. */
type About = { trace: string | null; sender: string; roomBytes: number };

/** Adds the trace context to a write. Without one, the write is not copied. */
function traced(envelope: Write, trace: string | null): Write {
  return trace === null ? envelope : { ...envelope, trace };
}
