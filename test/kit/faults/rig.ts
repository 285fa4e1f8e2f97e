/**
 * One cell's machine: bus, databeacon, one worker or two on the same data directory, writers, and
 * somebody who asks for health all the time.
 */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { decodeBody } from '../../../contracts/body/codec.ts';
import type { WorkerStatus } from '../../../contracts/status.ts';
import { subjects } from '../../../contracts/subjects.ts';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import { FaultLayer } from '../fault-layer/fault-layer.ts';
import { connectHub, type TestHub } from '../processes/hub.ts';
import { TestNats } from '../servers/nats.ts';
import { TidemarkProcess } from '../processes/processes.ts';
import { tempDir } from '../temp-dir.ts';
import { until } from '../until.ts';
import { HealthWatch } from './health-watch.ts';
import { Keeper } from './keeper.ts';
import { Writers } from './writers.ts';

export type RigOptions = {
  /** A supervisor restarts the worker, and a second one waits for its place. */
  isSupervised: boolean;
  /** The worker has no right to what the modes of files refuse, even as root. */
  isUnprivileged: boolean;
  seed: number;
};

export const hubId = 'hub1';
const unprivileged = [
  'setpriv',
  '--bounding-set=-dac_override,-dac_read_search',
  '--inh-caps=-dac_override,-dac_read_search',
  '--',
];

export class Rig implements AsyncDisposable {
  readonly nats: TestNats;
  readonly beacon: TidemarkProcess;
  readonly hub: TestHub;
  readonly writers: Writers;
  readonly layer: FaultLayer;
  readonly health: HealthWatch;
  readonly keepers: readonly Keeper[];
  readonly isSupervised: boolean;
  readonly #dir: ReturnType<typeof tempDir>;

  private constructor(
    parts: Pick<
      Rig,
      'nats' | 'beacon' | 'hub' | 'writers' | 'layer' | 'health' | 'keepers' | 'isSupervised'
    >,
    dir: ReturnType<typeof tempDir>,
  ) {
    this.nats = parts.nats;
    this.beacon = parts.beacon;
    this.hub = parts.hub;
    this.writers = parts.writers;
    this.layer = parts.layer;
    this.health = parts.health;
    this.keepers = parts.keepers;
    this.isSupervised = parts.isSupervised;
    this.#dir = dir;
  }

  /** The bus and a databeacon; no worker runs yet. */
  static async start({ isSupervised, isUnprivileged, seed }: RigOptions): Promise<Rig> {
    const dir = tempDir('cell');
    for (const name of ['ops', 'worker', 'worker/state']) mkdirSync(dir.at(name), { mode: 0o700 });
    const nats = await TestNats.start();
    const beacon = new TidemarkProcess([
      'beacon',
      '--id',
      'db-1',
      '--db',
      `sqlite:${dir.at('backend.sqlite')}`,
      '--data',
      dir.at('beacon'),
      '--nats',
      nats.url,
    ]);
    const layer = new FaultLayer(dir.at('worker'), dir.at('layer'), true);
    const addresses = await Promise.all(
      Array.from({ length: isSupervised ? 2 : 1 }, async () => `127.0.0.1:${await freePort()}`),
    );
    const keepers = addresses.map(
      (http) =>
        new Keeper(
          [
            'worker',
            '--hub',
            hubId,
            '--data',
            dir.at('worker'),
            '--http',
            http,
            '--nats',
            nats.url,
            '--ops-dir',
            dir.at('ops'),
          ],
          layer.env,
          isUnprivileged ? unprivileged : [],
          isSupervised,
        ),
    );
    const hub = await connectHub(nats.url, {
      hub: hubId,
      timeoutMs: 1_000,
      retry: { giveUpMs: 90_000, longestMs: 300 },
    });
    return new Rig(
      {
        nats,
        beacon,
        hub,
        layer,
        keepers,
        isSupervised,
        writers: new Writers(hub, seed),
        health: new HealthWatch(addresses),
      },
      dir,
    );
  }

  at(...parts: string[]): string {
    return this.#dir.at(...parts);
  }

  get state(): string {
    return this.at('worker', 'state');
  }

  get db(): string {
    return join(this.state, 'state.db');
  }

  startWorkers(): void {
    for (const keeper of this.keepers) keeper.start();
  }

  /** As an operator would: asked to stop, killed if it does not. */
  async stopWorkers(): Promise<void> {
    await Promise.all(this.keepers.map((keeper) => keeper.end()));
  }

  async control<T>(verb: string, body: object = {}): Promise<T> {
    const reply = await this.hub.request(subjects.control(hubId, verb), JSON.stringify(body), {
      'Content-Type': 'application/json',
    });
    const value = decodeBody(reply.data, reply.headers) as T & {
      Success?: boolean;
      Reason?: string;
    };
    if (value.Success === false) throw new Error(`${verb}: ${value.Reason}`);
    return value;
  }

  status(): Promise<WorkerStatus> {
    return this.control<WorkerStatus>('status');
  }

  /**
   * Waits until a worker serves and everything is delivered; assigns again where nothing is
   * assigned.
   * @returns the last status
   */
  async drained(deadlineMs = 45_000): Promise<WorkerStatus> {
    return until(
      'everything is delivered',
      async () => {
        const status = await this.status();
        if (status.State === 'unassigned')
          await this.control('assign', { BeaconID: 'db-1', IDBeaconConnection: 1 });
        if (status.State !== 'bootstrapped' || status.Queue.Pending + status.Manifest.Pending > 0) {
          throw new Error(
            `${status.State}, pending ${status.Queue.Pending} and ${status.Manifest.Pending}, ` +
              `last error ${status.Queue.LastError}`,
          );
        }
        return status;
      },
      { deadlineMs },
    );
  }

  /** A copy of the store as an operator makes one. */
  makeBackup(): void {
    if (existsSync(this.at('backup.db'))) return;
    const db = new Database(this.db, { readonly: true, timeout: 5_000 });
    try {
      db.prepare('vacuum into ?').run(this.at('backup.db'));
    } finally {
      db.close();
    }
  }

  /** Whether a ghost left something that no worker has taken in. */
  hasRescueWaiting(): boolean {
    const folder = this.at('worker', 'rescue');
    return existsSync(folder) && readdirSync(folder).some((name) => name !== 'merged');
  }

  logs(): string {
    return this.keepers.map((keeper) => keeper.log()).join('\n--- second worker\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.health.stop();
    void this.writers.stop();
    this.layer.fail({});
    await Promise.all([...this.keepers.map((keeper) => keeper.kill()), this.beacon.kill()]);
    await this.hub[Symbol.asyncDispose]();
    await this.nats[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}
