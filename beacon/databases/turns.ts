/**
 * The turns of Apply at one database: one after the other for each hub and lane, and those of
 * others beside it, so that a lock on one hub's row holds up nobody else.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import type { Lane } from '../../contracts/subjects.ts';

export type TurnsOptions = {
  /** Works running at once, over all lanes. */
  runningMax: number;
  /** Works of one lane that run or wait, and of all lanes together. */
  laneWaitingMax: number;
  waitingMax: number;
  /** Told to who is refused. */
  retryAfterMs: number;
};

/** The works of one hub and lane: the last of them, and how many there are. */
type Line = { tail: Promise<unknown>; count: number };

export class Turns {
  readonly #options: TurnsOptions;
  readonly #lines = new Map<string, Line>();
  /** Works whose turn it is in their lane, while too many run. */
  readonly #ready: (() => void)[] = [];
  #running = 0;
  #count = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` after everything given before it for the same hub and lane.
   * @throws TidemarkError OVERLOADED when too much waits, else what `work` throws
   */
  async run<T>({ hubId, lane }: { hubId: string; lane: Lane }, work: () => Promise<T>): Promise<T> {
    const name = `${hubId}.${lane}`;
    const line = this.#lines.get(name) ?? { tail: Promise.resolve(), count: 0 };
    this.#insistOnRoom(name, line);
    this.#lines.set(name, line);
    line.count += 1;
    this.#count += 1;
    const turn = line.tail.then(() => this.#run(work));
    // The next one runs whatever became of this one; its caller hears of it.
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
      // The place is handed on, so that nobody who comes now is before who waits.
      const next = this.#ready.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}
