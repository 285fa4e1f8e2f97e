/**
 * The queue of the thread that decodes large bodies. It is bounded, and the thread decodes one body
 * at a time. The senders take turns, so that one who sends many delays each other by one body only.
 *
 * Failure: a body that takes too long or too much memory is refused and its thread ended; the next
 * body gets a new thread.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type HeaderReader, saidBytes } from '../../contracts/body/codec.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { LargeBody, LargeResult } from './large-body.ts';

type Job = {
  body: LargeBody;
  sender: string;
  /** Bytes once unzipped, as far as the body itself says. */
  said: number;
  resolve: (result: LargeResult) => void;
  reject: (error: TidemarkError) => void;
};

/** A request's bytes, its lane and its action; the action is '' when the body names it. */
export type Arrived = {
  body: Uint8Array;
  headers: HeaderReader | undefined;
  lane: Lane;
  action: string;
};

export class LargeBodies {
  readonly #clock: Clock;
  /** Jobs by sender. A sender that had its turn goes to the end. */
  readonly #waiting = new Map<string, Job[]>();
  #running: Job | null = null;
  #thread: Worker | null = null;
  #cancel: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Decodes and checks a body. Bodies are decoded in the order of turns, not of arrival.
   * @throws TidemarkError OVERLOADED when too much waits, TOO_LARGE when it takes too long or too
   * much memory, or the refusal of the whole body
   */
  async decode(
    arrived: Arrived,
    sender: string,
  ): Promise<Exclude<LargeResult, { kind: 'refusal' }>> {
    const { body, headers, lane, action } = arrived;
    const said = Math.min(Math.max(saidBytes(body, headers), body.length), limits.bodyBytesMax);
    this.#insistOnRoom(sender, said, body.length);
    const result = await new Promise<LargeResult>((resolve, reject) => {
      const job: Job = {
        body: {
          // Copied, because the message is a part of a larger buffer of the bus client.
          bytes: new Uint8Array(body),
          contentType: headers?.get('Content-Type') ?? '',
          contentEncoding: headers?.get('Content-Encoding') ?? '',
          lane,
          action,
        },
        sender,
        said,
        resolve,
        reject,
      };
      const before = this.#waiting.get(sender);
      if (before) before.push(job);
      else this.#waiting.set(sender, [job]);
      this.#next();
    });
    if (result.kind !== 'refusal') return result;
    const { Code, Reason, RetryAfterMs } = result.refusal;
    throw new TidemarkError(
      Code,
      Reason,
      RetryAfterMs === undefined ? {} : { retryAfterMs: RetryAfterMs },
    );
  }

  #insistOnRoom(sender: string, said: number, held: number): void {
    const all = [...this.#waiting.values()].flat();
    const own = this.#waiting.get(sender) ?? [];
    const sum = (jobs: readonly Job[]) => jobs.reduce((bytes, job) => bytes + job.said, 0);
    const heldBytes = all.reduce((bytes, { body }) => bytes + body.bytes.length, 0);
    if (
      all.length < limits.largeBodiesMax &&
      sum(all) + said <= limits.largeBodiesBytesMax &&
      sum(own) + said <= limits.largeBodiesSenderBytesMax &&
      heldBytes + held <= limits.largeBodiesHeldBytesMax
    )
      return;
    throw new TidemarkError(
      'OVERLOADED',
      `${all.length} large bodies of ${sum(all)} bytes wait to be decoded; send again later`,
      { retryAfterMs: limits.overloadedRetryMs },
    );
  }

  #next(): void {
    if (this.#running !== null) return;
    this.#cancel();
    const [first] = this.#waiting;
    if (!first) {
      this.#cancel = this.#clock.timer(limits.largeBodyIdleMs, () => this.close());
      return;
    }
    const [sender, jobs] = first;
    const job = jobs.shift() as Job;
    this.#waiting.delete(sender);
    if (jobs.length > 0) this.#waiting.set(sender, jobs);
    this.#running = job;
    this.#cancel = this.#clock.timer(limits.largeBodyMs, () =>
      this.#failed(`decoding it takes longer than ${limits.largeBodyMs} ms`),
    );
    this.#thread ??= this.#start();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin.
    this.#thread.postMessage(job.body, [job.body.bytes.buffer as ArrayBuffer]);
  }

  #start(): Worker {
    const entry = new URL(`large-body-thread${extname(import.meta.url)}`, import.meta.url);
    const thread = new Worker(entry, {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: limits.largeBodyHeapMiB },
    });
    thread.unref();
    thread.on('message', (result: LargeResult) => {
      const job = this.#running;
      this.#running = null;
      // Ends the thread to give its memory back at once, which a heap does not do by itself.
      if ((job?.said ?? 0) > limits.largeBodyKeptBytesMax) this.close();
      job?.resolve(result);
      this.#next();
    });
    thread.once('error', (error) => {
      if (this.#thread === thread) this.#failed(`it could not be decoded: ${messageOf(error)}`);
    });
    return thread;
  }

  #failed(why: string): void {
    const job = this.#running;
    this.#running = null;
    this.close();
    job?.reject(new TidemarkError('TOO_LARGE', `body: ${why}`));
    this.#next();
  }

  /** Ends the thread; a body that comes later gets a new one. */
  close(): void {
    const thread = this.#thread;
    this.#thread = null;
    this.#cancel();
    void thread?.terminate();
  }
}
