/**
 * The demonstration's bus, databeacon and worker: real processes in a temporary folder. The
 * databeacon is there to be killed.
 */
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TidemarkError } from '../../contracts/errors.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { systemClock } from '../../runtime/clock.ts';
import { findNatsServer, freePort, NatsServer } from '../../runtime/bus/nats-server.ts';
import type { CliConfig } from '../settings/config.ts';
import { bootstrap } from '../up/bootstrap.ts';
import { CliChild } from '../up/cli-child.ts';
import { upBeacon } from '../up/up.ts';
import { demoHub, Onlooker } from './onlooker.ts';

const pollMs = 50;

export type DemoOptions = { config: CliConfig; say: (line: string) => void; stop: AbortSignal };

export class DemoStack {
  readonly folder = mkdtempSync(join(tmpdir(), 'tidemark-demo-'));
  readonly database = join(this.folder, 'backend.sqlite');
  readonly #options: DemoOptions;
  readonly #log = openSync(join(this.folder, 'processes.log'), 'a');
  #server: NatsServer | null = null;
  #beacon: CliChild | null = null;
  #worker: CliChild | null = null;
  readonly hub = demoHub;
  #onlooker: Onlooker | null = null;

  constructor(options: DemoOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#server?.url ?? '';
  }

  /** Resolves once both lanes are bootstrapped. */
  async start(): Promise<void> {
    const { config, say, stop } = this.#options;
    const binary = findNatsServer(config.natsServer, config.path, say);
    this.#server = await NatsServer.start({
      folder: join(this.folder, 'nats'),
      port: await freePort(),
      binary,
    });
    const http = `127.0.0.1:${await freePort()}`;
    this.startBeacon();
    this.#worker = this.#child(['worker', '--hub', demoHub, '--data', this.folder, '--http', http]);
    this.#onlooker = await Onlooker.connect(this.url);
    await bootstrap({ servers: this.url }, demoHub, upBeacon, { say, stop });
  }

  startBeacon(): void {
    this.#beacon = this.#child([
      'beacon',
      '--id',
      upBeacon.BeaconID,
      '--db',
      `sqlite:${this.database}`,
      '--data',
      join(this.folder, upBeacon.BeaconID),
    ]);
  }

  /** SIGKILL: it cannot flush or say goodbye. */
  async killBeacon(): Promise<void> {
    this.#beacon?.kill();
    await this.#beacon?.exited;
  }

  #child(args: readonly string[]): CliChild {
    return new CliChild(
      [...args, '--nats', this.url],
      { ...this.#options.config.environment, TIDEMARK_ANY_FILE_SYSTEM: '1' },
      this.#log,
    );
  }

  /** @throws TidemarkError CLOSED before `start` */
  get onlooker(): Onlooker {
    if (!this.#onlooker) throw new TidemarkError('CLOSED', 'the demonstration has not started');
    return this.#onlooker;
  }

  /**
   * Polls until a status meets the condition, and returns it.
   * @throws TidemarkError UNREACHABLE after `deadlineMs`
   */
  async until(
    what: string,
    isSo: (status: WorkerStatus) => boolean,
    deadlineMs: number,
  ): Promise<WorkerStatus> {
    const giveUpMs = systemClock.monotonicMs() + deadlineMs;
    for (;;) {
      const status = await this.onlooker.status();
      if (isSo(status)) return status;
      if (this.#options.stop.aborted) throw new TidemarkError('CLOSED', 'stopped');
      if (systemClock.monotonicMs() > giveUpMs)
        throw new TidemarkError(
          'UNREACHABLE',
          `not within ${deadlineMs / 1000} s: ${what}; the worker says ${JSON.stringify(status)}`,
        );
      await systemClock.sleep(pollMs);
    }
  }

  /** Stops everything in order and removes the folder. */
  async stop(): Promise<void> {
    await this.#onlooker?.close();
    await this.#worker?.stop();
    await this.#beacon?.stop();
    await this.#server?.stop();
    closeSync(this.#log);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
