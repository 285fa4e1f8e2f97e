/**
 * Tidemark's own processes as a user starts them: real children of this one, killed, restarted, and
 * never left behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..', '..');
/** Kept of each stream, characters from the end. */
const keptCharsMax = 200_000;
/** An orderly stop takes `limits.drainMs` at most, and a loaded machine some more. */
const stopMs = 20_000;
const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

export class TidemarkProcess implements AsyncDisposable {
  readonly args: readonly string[];
  readonly #env: Record<string, string>;
  /** A command that runs another: its words come before ours. */
  readonly #wrap: readonly string[];
  readonly #script: string;
  #child: ChildProcess;
  #exited: Promise<string>;
  #isRunning = true;
  stdout = '';
  stderr = '';

  constructor(
    args: readonly string[],
    env: Record<string, string> = {},
    wrap: readonly string[] = [],
    script = join('bin', 'tidemark.js'),
  ) {
    this.args = args;
    this.#script = script;
    this.#env = env;
    this.#wrap = wrap;
    this.#child = this.#spawn();
    this.#exited = this.#watch();
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves with how it ended. */
  get exited(): Promise<string> {
    return this.#exited;
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(): Promise<void> {
    if (this.#isRunning) this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /**
   * SIGTERM; resolves with how it ended.
   * @throws Error when it does not leave in time (it is killed then).
   */
  async stop(): Promise<string> {
    if (this.#isRunning) this.#child.kill('SIGTERM');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), stopMs);
    });
    const how = await Promise.race([this.#exited, late]);
    clearTimeout(timer);
    if (how !== null) return how;
    await this.kill();
    throw new Error(
      `${this.args[0]} did not stop within ${stopMs} ms; its last lines:\n${this.tail()}`,
    );
  }

  /** Starts it again with the same arguments; does nothing while it runs. */
  restart(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#child = this.#spawn();
    this.#exited = this.#watch();
  }

  /** The last lines of its log. */
  tail(lines = 15): string {
    return this.stderr.trimEnd().split('\n').slice(-lines).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  /** The kernel kills it when this process dies, where `setpriv` can arrange it. */
  #spawn(): ChildProcess {
    const command = [process.execPath, join(root, this.#script), ...this.args];
    const [file = '', ...args] = [
      ...this.#wrap,
      ...(setpriv ? [setpriv, '--pdeathsig', 'KILL', '--'] : []),
      ...command,
    ];
    return spawn(file, args, {
      cwd: root,
      env: { ...process.env, ...this.#env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  #watch(): Promise<string> {
    const child = this.#child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout = (this.stdout + text).slice(-keptCharsMax);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-keptCharsMax);
    });
    return new Promise((resolve) => {
      const end = (how: string) => {
        if (this.#child === child) this.#isRunning = false;
        resolve(how);
      };
      child.once('close', (code, signal) => end(signal ? `killed by ${signal}` : `exit ${code}`));
      child.once('error', (error) => end(error.message));
    });
  }
}
