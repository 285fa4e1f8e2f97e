/**
 * One-way intake: messages of the hub's stream into the journal, acknowledged only after their own
 * synced commit.
 *
 * Ordering: a group is given to intake at once and awaited whole; if any of it fails, or a delivery
 * is missing, the consumer is made anew, so that what was not acknowledged comes again in the order
 * of the stream and nothing of a key can overtake.
 */
import { decodeBody } from '../../contracts/codec.ts';
import { decodeEnvelope, type WriteEnvelope } from '../../contracts/envelope.ts';
import { messageOf, type RefusalCode, TidemarkError, toRefusal } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { oneWayTarget } from '../../contracts/subjects.ts';
import { Backoff } from '../../runtime/backoff.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { OneWayStream, type StreamMessage } from '../../runtime/bus/stream.ts';
import { traceIn } from '../../runtime/trace.ts';
import type { Intake } from '../intake/intake.ts';
import { accepting } from '../journal/trace.ts';
import type { Refused } from '../journal/refused.ts';

export type OneWayOptions = {
  hubId: string;
  bus: Bus;
  intake: Intake;
  refused: Refused;
  clock: Clock;
  log: Log;
  rejected?: (code: RefusalCode) => void;
};

const fetchMs = 1_000;
const permanent: readonly string[] = ['INVALID_MESSAGE', 'CONFLICT', 'EXPIRED', 'TOO_LARGE'];

export class OneWay {
  readonly #parts: OneWayOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(parts: OneWayOptions) {
    this.#parts = parts;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends after the group in hand is answered. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { bus, hubId, clock, log } = this.#parts;
    const backoff = new Backoff(clock, {
      firstMs: limits.backoffFirstMs,
      longestMs: limits.backoffLongestMs,
    });
    while (!this.#stop.signal.aborted) {
      try {
        const stream = await OneWayStream.open(bus, hubId);
        await stream.renew();
        await this.#consume(stream, backoff);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        log.warn(
          { reason: messageOf(error) },
          'one-way intake stopped, starting again from what was not acknowledged',
        );
        await backoff.wait(this.#stop.signal);
      }
    }
  }

  async #consume(stream: OneWayStream, backoff: Backoff): Promise<void> {
    let expected = 1;
    while (!this.#stop.signal.aborted) {
      for await (const group of stream.groups(fetchMs)) {
        const first = group.findIndex((message, index) => message.delivery !== expected + index);
        if (first !== -1)
          throw new TidemarkError(
            'UNAVAILABLE',
            `delivery ${expected + first} of the stream was lost on the way`,
          );
        await this.#take(group);
        expected += group.length;
        backoff.reset();
      }
    }
  }

  async #take(group: readonly StreamMessage[]): Promise<void> {
    const { intake } = this.#parts;
    const taken = await Promise.allSettled(group.map((message) => take(intake, message)));
    const failed = taken.find(
      (result): result is PromiseRejectedResult =>
        result.status === 'rejected' && !isPermanent(result.reason),
    );
    taken.forEach((result, index) => {
      const message = group[index] as StreamMessage;
      if (result.status === 'fulfilled') message.ack();
      else if (isPermanent(result.reason)) this.#keep(message, result.reason);
    });
    if (failed) throw failed.reason;
  }

  /**
   * Kept before it is terminated: a message that can never be accepted is never dropped silently.
   */
  #keep(message: StreamMessage, error: unknown): void {
    const { refused, clock, log, rejected } = this.#parts;
    const reason = messageOf(error);
    rejected?.(toRefusal(error).Code);
    refused.keep(message.subject, message.body, reason, clock.nowMs());
    log.error(
      { subject: message.subject, reason },
      'dead letter: a one-way message can never be accepted',
    );
    message.terminate(reason.slice(0, 200));
  }
}

async function take(intake: Intake, message: StreamMessage): Promise<void> {
  const reception = accepting(message.subject, traceIn(message.headers));
  try {
    const envelope = decodeMessage(message);
    await intake.accept(
      reception.keep === null ? envelope : { ...envelope, trace: reception.keep },
    );
    reception.end();
  } catch (error) {
    reception.end(error);
    throw error;
  }
}

function isPermanent(error: unknown): boolean {
  return error instanceof TidemarkError && permanent.includes(error.code);
}

/** @throws TidemarkError INVALID_MESSAGE */
function decodeMessage(message: StreamMessage): WriteEnvelope {
  const target = oneWayTarget(message.subject);
  if (!target)
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `subject: ${message.subject} is not tidemark-in.<hub>.<lane>.<Action>`,
    );
  const envelope = decodeEnvelope(
    decodeBody(message.body, message.headers),
    target.lane,
    target.action,
  );
  if (envelope.kind === 'read')
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `Action: ${target.action} reads; nobody waits for the answer of a one-way message`,
    );
  return envelope;
}
