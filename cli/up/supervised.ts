/** A part of `up` that is restarted whenever it ends by itself. */
import { limits } from '../../contracts/limits.ts';
import { messageOf } from '../../contracts/errors.ts';
import { Backoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';

export type Exit = { code: number | null; words: string };

/** A started part. `stop` is orderly and bounded, `kill` is immediate. */
export interface Running {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  stop(): Promise<void>;
  kill(): void;
}

export type SupervisedOptions = {
  name: string;
  start: () => Promise<Running>;
  clock: Clock;
  say: (line: string) => void;
  /** Called when it ended with a code that restarting cannot fix. */
  onFatal: (code: number) => void;
};

/** After running this long, the next restart delay is the shortest again. */
const steadyMs = 10_000;
/** The worker of a killed `up` may hold its lock this long. */
const lockGraceMs = 5_000;
const lockHeldExit = 4;
/** Invalid configuration, lock held, newer schema. */
const fatalExits: ReadonlySet<number> = new Set([2, lockHeldExit, 5]);

export class Supervised {
  readonly #options: SupervisedOptions;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  readonly #bornMs: number;
  #running: Running | null = null;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: SupervisedOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock, {
      firstMs: limits.backoffFirstMs,
      longestMs: limits.backoffLongestMs,
    });
    this.#bornMs = options.clock.monotonicMs();
  }

  /**
   * Starts it for the first time.
   * @throws what starting throws; later starts are retried until one succeeds
   */
  async start(): Promise<void> {
    this.#running = await this.#options.start();
    this.#loop = this.#watch();
  }

  async #watch(): Promise<void> {
    const { name, say, clock, onFatal } = this.#options;
    while (this.#running) {
      const startedMs = clock.monotonicMs();
      const exit = await this.#running.exited;
      this.#running = null;
      if (this.#stopping.signal.aborted) return;
      if (exit.code !== null && this.#isFatal(exit.code)) {
        say(`${name} ended (${exit.words}); restarting it cannot help`);
        return onFatal(exit.code);
      }
      if (clock.monotonicMs() - startedMs > steadyMs) this.#backoff.reset();
      say(`${name} ended (${exit.words}), restarting it`);
      await this.#startAgain();
    }
  }

  #isFatal(code: number): boolean {
    if (code === lockHeldExit && this.#options.clock.monotonicMs() - this.#bornMs < lockGraceMs)
      return false;
    return fatalExits.has(code);
  }

  async #startAgain(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      await this.#backoff.wait(signal);
      if (signal.aborted) return;
      try {
        const running = await this.#options.start();
        if (signal.aborted) await running.stop();
        else this.#running = running;
        return;
      } catch (error) {
        this.#options.say(`${this.#options.name} did not start: ${messageOf(error)}`);
      }
    }
  }

  /** Stops it for good. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running?.stop();
    await this.#loop;
  }

  kill(): void {
    this.#stopping.abort();
    this.#running?.kill();
  }
}
