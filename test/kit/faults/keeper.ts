/** Keeps a worker running, as a supervisor does, or runs it only when told to, as a person does. */
import { TidemarkProcess } from '../processes/processes.ts';

/** A supervisor's pause before it starts a worker again. */
const pauseMs = 300;

export class Keeper {
  readonly #make: () => TidemarkProcess;
  readonly #isSupervised: boolean;
  #process: TidemarkProcess | null = null;
  #isWanted = false;
  /** How each run ended. */
  readonly exits: string[] = [];

  constructor(
    args: readonly string[],
    env: Record<string, string>,
    wrap: readonly string[],
    isSupervised: boolean,
  ) {
    this.#make = () => new TidemarkProcess(args, env, wrap);
    this.#isSupervised = isSupervised;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning === true;
  }

  /** Does nothing while it runs. */
  start(): void {
    this.#isWanted = true;
    if (this.isRunning) return;
    if (this.#process) this.#process.restart();
    else this.#process = this.#make();
    void this.#watch(this.#process);
  }

  async #watch(worker: TidemarkProcess): Promise<void> {
    this.exits.push(await worker.exited);
    if (!this.#isSupervised || !this.#isWanted) return;
    await new Promise((resolve) => {
      setTimeout(resolve, pauseMs);
    });
    if (this.#isWanted) this.start();
  }

  /** SIGTERM: a supervisor starts it again, a person must. */
  async stop(): Promise<void> {
    if (this.isRunning) await this.#process?.stop().catch(() => undefined);
  }

  /** Stopped for good. */
  async end(): Promise<void> {
    this.#isWanted = false;
    await this.stop();
  }

  /** SIGKILL, as the kernel does it when memory is short; who keeps it does what he does. */
  strikeDead(): void {
    if (this.isRunning && this.#process) process.kill(this.#process.pid, 'SIGKILL');
  }

  async kill(): Promise<void> {
    this.#isWanted = false;
    await this.#process?.kill();
  }

  log(): string {
    return `${this.exits.join(', ')}\n${this.#process?.tail(40) ?? ''}`;
  }
}
