/** The worker's lanes on the bus: single requests, batches, chunks, and reads, each answered in its own encoding. */
import { ChunkAssembler } from '../contracts/chunks.ts';
import { decodeBody } from '../contracts/codec.ts';
import { decodeBatch, decodeBatchItem, decodeEnvelope, type Envelope } from '../contracts/envelope.ts';
import { type Refusal, toRefusal } from '../contracts/errors.ts';
import { isJsonObject } from '../contracts/json-value.ts';
import type { BatchReply, ReadReply, WriteReply } from '../contracts/reply.ts';
import { type Lane, lanes, lastToken, subjects } from '../contracts/subjects.ts';
import type { BusRequest, EndpointSpec } from '../runtime/micro-service.ts';
import type { AppliedWaiters } from './applied-waiters.ts';
import type { Intake } from './intake.ts';
import type { Reader } from './reader.ts';

export type LaneEndpointParts = { hubId: string; intake: Intake; reader: Reader; applied: AppliedWaiters; data: (lane: Lane) => unknown; nowMs: () => number };

export class LaneEndpoints {
  readonly #parts: LaneEndpointParts;
  readonly #chunks: ChunkAssembler;

  constructor(parts: LaneEndpointParts) {
    this.#parts = parts;
    this.#chunks = new ChunkAssembler(parts.nowMs);
  }

  /** One endpoint a lane; the last token of the subject says which action. */
  specs(): EndpointSpec[] {
    const { hubId, data } = this.#parts;
    return lanes.map((lane) => ({
      name: lane,
      subject: subjects.laneAll(hubId, lane),
      metadata: { hub: hubId, lane },
      handle: (request) => this.handle(lane, lastToken(request.subject), request),
      data: () => data(lane),
    }));
  }

  /** @throws TidemarkError with a wire code; what it throws becomes the refusal */
  handle(lane: Lane, action: string, request: Pick<BusRequest, 'decode'>): Promise<unknown> | unknown {
    if (action === 'batch') return this.#batch(lane, request.decode());
    if (action === 'chunk') return this.#chunk(lane, request.decode());
    return this.#one(decodeEnvelope(request.decode(), lane, action));
  }

  #one(envelope: Envelope): Promise<WriteReply | ReadReply> {
    const { intake, reader, applied } = this.#parts;
    if (envelope.kind === 'read') return reader.read(envelope);
    const accepted = intake.accept(envelope);
    if (envelope.waitMs === 0) return accepted;
    return accepted.then((reply) => applied.wait(envelope.lane, reply, envelope.waitMs));
  }

  /** One reply each, same order; the items that are refused do not refuse the others. */
  async #batch(lane: Lane, body: unknown): Promise<BatchReply> {
    const results = await Promise.all(decodeBatch(body).map((item, index): Promise<WriteReply | Refusal> | Refusal => {
      try {
        return this.#parts.intake.accept(decodeBatchItem(item, lane, `Items[${index}]`)).catch(toRefusal);
      } catch (error) {
        return toRefusal(error);
      }
    }));
    return { Success: results.every((result) => result.Success), Results: results };
  }

  #chunk(lane: Lane, body: unknown): Promise<unknown> | unknown {
    const taken = this.#chunks.add(body);
    if (!taken.done) return { Success: true, Received: taken.received };
    const whole = decodeBody(taken.body, taken.headers);
    return this.handle(lane, taken.action || actionOf(whole), { decode: () => whole });
  }
}

/** A whole that came in chunks without naming its action says it inside, as a one-way message does. */
function actionOf(whole: unknown): string {
  if (!isJsonObject(whole)) return '';
  if (Array.isArray(whole['Items'])) return 'batch';
  // Chunks within chunks would let a message nest until the stack is full.
  return whole['Action'] === 'chunk' ? '' : String(whole['Action'] ?? '');
}
