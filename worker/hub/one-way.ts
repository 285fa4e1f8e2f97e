/**
 * One-way intake: takes messages of the hub's stream into the journal, and acknowledges each only
 * after its own synced commit.
 *
 * Ordering: a group of messages is given to intake at once, and awaited as a whole. If one fails
 * for now, or a delivery is missing, a new consumer is made. Then all unacknowledged messages come
 * again in the order of the stream, and no write can overtake another one of its key.
 */
import { decodeSmallBody } from '../../contracts/body/codec.ts';
import { decodeEnvelope } from '../../contracts/envelope.ts';
import { messageOf, type RefusalCode, TidemarkError, toRefusal } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type Lane, oneWayTarget } from '../../contracts/subjects.ts';
import { Backoff } from '../../runtime/backoff.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { OneWayStream, type StreamMessage } from '../../runtime/bus/stream.ts';
import { type Reception, traceIn } from '../../runtime/trace.ts';
import type { Intake } from '../intake/intake.ts';
import type { LargeBodies } from '../intake/large-bodies.ts';
import type { Write } from '../journal/append.ts';
import { accepting } from '../journal/trace.ts';
import type { Refused } from '../journal/refused.ts';

export type OneWayOptions = {
  hubId: string;
  bus: Bus;
  intake: Intake;
  large: LargeBodies;
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

  /** Ends after the present group is settled. */
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

  /**
   * Takes a group in the order of the stream, up to the first message that cannot be accepted now.
   * A large message is settled before the next one is looked at, because it may take as long as all
   * the others.
   */
  async #take(group: readonly StreamMessage[]): Promise<void> {
    let begun: Begun[] = [];
    for (const message of group) {
      const reception = accepting(message.subject, traceIn(message.headers));
      try {
        const small = smallWrite(message);
        const write = small ?? (await this.#largeWrite(message));
        begun.push({ message, outcome: this.#accept(write, reception) });
        if (small) continue;
      } catch (error) {
        reception.end(error);
        begun.push({ message, outcome: Promise.resolve(error as Error) });
        if (isPermanent(error)) continue;
      }
      await this.#settle(begun);
      begun = [];
    }
    await this.#settle(begun);
  }

  /** Null when the write was accepted, else the error it was refused with. */
  #accept(write: Write, reception: Reception): Promise<Error | null> {
    const { keep: trace } = reception;
    return this.#parts.intake.accept(trace === null ? write : { ...write, trace }).then(
      () => {
        reception.end();
        return null;
      },
      (error: Error) => {
        reception.end(error);
        return error;
      },
    );
  }

  /**
   * Acknowledges the messages that were accepted, and keeps those that never can be.
   * @throws the error of a message that cannot be accepted now
   */
  async #settle(begun: readonly Begun[]): Promise<void> {
    const outcomes = await Promise.all(begun.map(({ outcome }) => outcome));
    begun.forEach(({ message }, index) => {
      const error = outcomes[index] ?? null;
      if (error === null) message.ack();
      else if (isPermanent(error)) this.#keep(message, error);
    });
    const failed = outcomes.find((error) => error !== null && !isPermanent(error));
    if (failed) throw failed;
  }

  async #largeWrite(message: StreamMessage): Promise<Write> {
    const { lane, action } = targetOf(message);
    const { body, headers } = message;
    const result = await this.#parts.large.decode({ body, headers, lane, action }, 'one-way');
    if (result.kind === 'one' && result.envelope.kind === 'write') return result.envelope;
    throw readsNothing(action);
  }

  /**
   * Keeps a message that can never be accepted before it terminates it, so that no message is
   * dropped silently.
   */
  #keep(message: StreamMessage, error: unknown): void {
    const { intake, refused, clock, log, rejected } = this.#parts;
    const reason = messageOf(error);
    rejected?.(toRefusal(error).Code);
    const isRoom = intake.refusal() === null;
    const kept = refused.keep(message.subject, message.body, reason, clock.nowMs(), isRoom);
    log.error(
      { subject: message.subject, reason, kept },
      'dead letter: a one-way message can never be accepted',
    );
    message.terminate(reason.slice(0, 200));
  }
}

/** A message, and its outcome: null when it was accepted, else the error. */
type Begun = { message: StreamMessage; outcome: Promise<Error | null> };

function isPermanent(error: unknown): boolean {
  return error instanceof TidemarkError && permanent.includes(error.code);
}

/** @throws TidemarkError INVALID_MESSAGE */
function targetOf({ subject }: StreamMessage): { lane: Lane; action: string } {
  const target = oneWayTarget(subject);
  if (target) return target;
  throw new TidemarkError(
    'INVALID_MESSAGE',
    `subject: ${subject} is not tidemark-in.<hub>.<lane>.<Action>`,
  );
}

/** Null for a large message. @throws TidemarkError INVALID_MESSAGE */
function smallWrite(message: StreamMessage): Write | null {
  const { lane, action } = targetOf(message);
  const small = decodeSmallBody(message.body, message.headers);
  if (small === null) return null;
  const envelope = decodeEnvelope(small.value, lane, action);
  if (envelope.kind === 'read') throw readsNothing(action);
  return envelope;
}

function readsNothing(action: string): TidemarkError {
  return new TidemarkError(
    'INVALID_MESSAGE',
    `Action: ${action} reads; nobody waits for the answer of a one-way message`,
  );
}
