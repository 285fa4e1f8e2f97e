/**
 * Queues the Applies of one database: one at a time for each hub and lane, in parallel across them,
 * so that a lock on one hub's row delays no other hub.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import type { Lane } from '../../contracts/subjects.ts';

export type TurnsOptions = {
  /** Tasks running at once, over all lanes. */
  runningMax: number;
  /** Tasks of one lane that run or wait, and of all lanes together. */
  laneWaitingMax: number;
  waitingMax: number;
  /** Sent with the refusal. */
  retryAfterMs: number;
};

/** The tasks of one hub and lane: the last of them, and their number. */
type Line = { tail: Promise<unknown>; count: number };

export class Turns {
  readonly #options: TurnsOptions;
  readonly #lines = new Map<string, Line>();
  /** Tasks that are next in their lane and wait because too many are running. */
  readonly #ready: (() => void)[] = [];
  #running = 0;
  #count = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` after all earlier work of the same hub and lane.
   * @throws TidemarkError OVERLOADED when too much is waiting; otherwise what `work` throws
   */
  async run<T>({ hubId, lane }: { hubId: string; lane: Lane }, work: () => Promise<T>): Promise<T> {
    const name = `${hubId}.${lane}`;
    const line = this.#lines.get(name) ?? { tail: Promise.resolve(), count: 0 };
    this.#insistOnRoom(name, line);
    this.#lines.set(name, line);
    line.count += 1;
    this.#count += 1;
    const turn = line.tail.then(() => this.#run(work));
    // The next task runs even if this one failed; the failure goes to its own caller.
    line.tail = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#count -= 1;
      line.count -= 1;
      if (line.count === 0) this.#lines.delete(name);
    }
  }

  #insistOnRoom(name: string, line: Line): void {
    const { laneWaitingMax, waitingMax, retryAfterMs } = this.#options;
    if (line.count < laneWaitingMax && this.#count < waitingMax) return;
    const waits =
      line.count < laneWaitingMax
        ? `${this.#count} requests of this connection`
        : `${line.count} requests of ${name}`;
    throw new TidemarkError('OVERLOADED', `${waits} are waiting`, { retryAfterMs });
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#options.runningMax) this.#running += 1;
    else await new Promise<void>((resolve) => this.#ready.push(resolve));
    try {
      return await work();
    } finally {
      // Hand the slot on directly, so that a new task cannot overtake a waiting one.
      const next = this.#ready.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}
