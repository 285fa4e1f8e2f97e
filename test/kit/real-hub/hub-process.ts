/**
 * The real hub as a process: started in a folder of its own, ended by a signal, started again on
 * the same files, and spoken to over its HTTP.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { until } from '../until.ts';
import type { Checkout } from './folder.ts';

export type RealHubOptions = {
  checkout: Checkout;
  /** Where it works, and where our package is installed. */
  folder: string;
  port: number;
  /** Bus and hub of the drop-in; without it the hub is unmodified. */
  dropin?: { url: string; hub: string };
};

const recorder = join(import.meta.dirname, 'recorder.cjs');

export class RealHub implements AsyncDisposable {
  readonly recording: string;
  readonly staging: string;
  readonly logPath: string;
  readonly #options: RealHubOptions;
  #child: ChildProcess | null = null;
  #lives = 0;

  constructor(options: RealHubOptions) {
    const { folder, port } = options;
    this.#options = options;
    this.recording = join(folder, 'calls.jsonl');
    this.staging = join(folder, 'staging');
    this.logPath = join(folder, 'hub.log');
    writeFileSync(this.recording, '');
    writeFileSync(
      join(folder, 'hub.json'),
      JSON.stringify({
        UltravisorAPIServerPort: port,
        UltravisorFileStorePath: join(folder, 'store'),
        UltravisorStagingRoot: this.staging,
      }),
    );
  }

  get lives(): number {
    return this.#lives;
  }

  /** Starts it, and waits until it answers. */
  async start(): Promise<void> {
    const { checkout, folder, dropin } = this.#options;
    this.#lives += 1;
    const preloads = dropin ? ['-r', 'tidemark/preload', '-r', recorder] : [];
    const child = spawn(
      checkout.node,
      [...preloads, checkout.program, 'start', '-c', join(folder, 'hub.json')],
      {
        cwd: folder,
        env: {
          ...process.env,
          HUB_RECORDING: this.recording,
          HUB_LIFE: String(this.#lives),
          ...(dropin ? { NATS_URL: dropin.url, TIDEMARK_HUB: dropin.hub } : {}),
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#child = child;
    const log = createWriteStream(this.logPath, { flags: 'a' });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    await until(
      'the hub answers',
      () => {
        if (child.exitCode !== null) throw new Error(`it ended: see ${this.logPath}`);
        return this.get('/status');
      },
      { deadlineMs: 60_000 },
    );
  }

  /** Ends it where it is, and waits until it is gone. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  get<T = unknown>(path: string): Promise<T> {
    return this.#ask<T>('GET', path);
  }

  post<T = unknown>(path: string, body: object): Promise<T> {
    return this.#ask<T>('POST', path, JSON.stringify(body));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }

  /** @throws Error when it is away, or refuses */
  async #ask<T>(method: string, path: string, body?: string): Promise<T> {
    const answer = await fetch(`http://127.0.0.1:${this.#options.port}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json' },
      signal: AbortSignal.timeout(20_000),
      ...(body === undefined ? {} : { body }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }
}
