/**
 * The worker's lanes on the bus: single requests, batches, chunks, and reads, each answered in its
 * own encoding.
 */
import { fittingReasons, insistOnAnswer, resultBytes } from '../../contracts/body/answer-room.ts';
import { ChunkAssembler, senderOf } from '../../contracts/body/chunks.ts';
import { decodeBody } from '../../contracts/body/codec.ts';
import {
  decodeBatch,
  decodeBatchItem,
  decodeEnvelope,
  type Envelope,
  type WriteEnvelope,
} from '../../contracts/envelope.ts';
import { type Refusal, type RefusalCode, toRefusal } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { BatchReply, ReadReply, WriteReply } from '../../contracts/reply.ts';
import { type Lane, lanes, lastToken, subjects } from '../../contracts/subjects.ts';
import type { BusRequest, EndpointSpec } from '../../runtime/bus/micro-service.ts';
import { type Reception, traceIn } from '../../runtime/trace.ts';
import type { AppliedWaiters } from '../intake/applied-waiters.ts';
import type { Intake } from '../intake/intake.ts';
import type { Reader } from '../reads/reader.ts';
import { accepting } from '../journal/trace.ts';

export type LaneEndpointOptions = {
  hubId: string;
  intake: Intake;
  reader: Reader;
  applied: AppliedWaiters;
  data: (lane: Lane) => unknown;
  nowMs: () => number;
  /** A request, or an item of one, is refused with this code. */
  rejected?: (code: RefusalCode) => void;
};

export class LaneEndpoints {
  readonly #parts: LaneEndpointOptions;
  readonly #chunks: ChunkAssembler;

  constructor(parts: LaneEndpointOptions) {
    this.#parts = parts;
    this.#chunks = new ChunkAssembler(parts.nowMs);
  }

  /** One endpoint a lane; the last token of the subject says which action. */
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
    request: Pick<BusRequest, 'decode' | 'headers' | 'subject' | 'replyTo' | 'answerBytesMax'>,
  ): Promise<unknown> | unknown {
    const reception = accepting(request.subject, traceIn(request.headers));
    const about = {
      trace: reception.keep,
      roomBytes: request.answerBytesMax ?? limits.bodyBytesMax,
    };
    const answer = () =>
      action === 'chunk'
        ? this.#chunk(lane, request, about)
        : this.#answer(lane, action, request.decode(), about);
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

  #answer(lane: Lane, action: string, body: unknown, about: About): Promise<unknown> | unknown {
    if (action === 'batch') return this.#batch(lane, body, about);
    return this.#one(decodeEnvelope(body, lane, action), about.trace);
  }

  #one(envelope: Envelope, trace: string | null): Promise<WriteReply | ReadReply> {
    const { intake, reader, applied } = this.#parts;
    if (envelope.kind === 'read') return reader.read(envelope, trace);
    const accepted = intake.accept(traced(envelope, trace));
    if (envelope.waitMs === 0) return accepted;
    return accepted.then((reply) => applied.wait(envelope.lane, reply, envelope.waitMs));
  }

  /**
   * One reply each, same order; the items that are refused do not refuse the others. All are of the
   * request's trace.
   */
  async #batch(lane: Lane, body: unknown, { trace, roomBytes }: About): Promise<BatchReply> {
    const items = decodeBatch(body);
    insistOnAnswer(items.length, resultBytes.write, roomBytes);
    const refuse = (error: unknown): Refusal => {
      const refusal = toRefusal(error);
      this.#parts.rejected?.(refusal.Code);
      return refusal;
    };
    const results = await Promise.all(
      items.map((item, index): Promise<WriteReply | Refusal> | Refusal => {
        try {
          return this.#parts.intake
            .accept(traced(decodeBatchItem(item, lane, `Items[${index}]`), trace))
            .catch(refuse);
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

  /** The whole is of the trace of the request that completed it. */
  #chunk(
    lane: Lane,
    request: Pick<BusRequest, 'decode' | 'replyTo'>,
    about: About,
  ): Promise<unknown> | unknown {
    const taken = this.#chunks.add(request.decode(), senderOf(request.replyTo));
    if (!taken.done) return { Success: true, Received: taken.received };
    const whole = decodeBody(taken.body, taken.headers);
    return this.#answer(lane, taken.action || actionOf(whole), whole, about);
  }
}

/** The trace context of a request, and the bytes its answer may have. */
type About = { trace: string | null; roomBytes: number };

/** A write with the context it came in; one copy less where there is none. */
function traced(envelope: WriteEnvelope, trace: string | null): WriteEnvelope {
  return trace === null ? envelope : { ...envelope, trace };
}

/**
 * A whole that came in chunks without naming its action says it inside, as a one-way message does.
 */
function actionOf(whole: unknown): string {
  if (!isJsonObject(whole)) return '';
  if (Array.isArray(whole['Items'])) return 'batch';
  // Chunks within chunks would let a message nest until the stack is full.
  return whole['Action'] === 'chunk' ? '' : String(whole['Action'] ?? '');
}
