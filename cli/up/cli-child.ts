/**
 * Runs a verb of our own command line as a child process. It logs to our stderr and exits when we
 * are gone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Exit, Running } from './supervised.ts';

/** A child that exceeds the deadline of an orderly stop by this much is killed. */
const stopMs = limits.drainMs + 5_000;

/** The command line's entry point, one folder up, in the sources and in the build. */
const entry = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url));

export class CliChild implements Running {
  readonly #child: ChildProcess;
  readonly exited: Promise<Exit>;
  #isRunning = true;

  /** @param logTo file descriptor for its output: our stderr, or an open file */
  constructor(args: readonly string[], environment: NodeJS.ProcessEnv, logTo = 2) {
    // Detached, because Ctrl-C must reach only the parent, which stops its children in order.
    this.#child = spawn(process.execPath, [entry, ...args, '--exit-with-parent'], {
      stdio: ['ignore', logTo, logTo, 'ipc'],
      detached: true,
      env: environment,
    });
    this.exited = new Promise((done) => {
      const end = (exit: Exit) => {
        this.#isRunning = false;
        done(exit);
      };
      this.#child.once('exit', (code, signal) =>
        end({ code, words: signal ? `killed by ${signal}` : `exit ${code}` }),
      );
      this.#child.once('error', (error) => end({ code: null, words: error.message }));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    this.#child.kill('SIGTERM');
    const cancel = systemClock.timer(stopMs, () => this.kill());
    await this.exited;
    cancel();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
