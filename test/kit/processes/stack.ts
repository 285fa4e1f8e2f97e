/**
 * The whole of Tidemark in real processes on one machine: bus, databeacon over SQLite, worker,
 * assigned to each other.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { decodeBody } from '../../../contracts/body/codec.ts';
import type { WorkerStatus } from '../../../contracts/status.ts';
import { subjects } from '../../../contracts/subjects.ts';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import { connectHub, type TestHub } from './hub.ts';
import { TestNats } from '../servers/nats.ts';
import { TidemarkProcess } from './processes.ts';
import type { Quirk } from '../quirky/quirky-beacon.ts';
import type { SmallDisk } from '../servers/small-disk.ts';
import { tempDir } from '../temp-dir.ts';
import { until } from '../until.ts';

export type StackOptions = {
  hub?: string;
  beaconArgs?: string[];
  /** URL of the database; a SQLite file of its own by default. */
  databaseUrl?: string;
  /** A beacon that is not ours: the incumbent's quirks, those that can be chosen by name. */
  quirks?: readonly Quirk[];
  /** HTTP server of a beacon that is not ours, put on the bus by ours. */
  frontUrl?: string;
  /** A beacon of the legacy capabilities, in place of a database. */
  provider?: 'memory' | 'sqlite';
  workerArgs?: string[];
  isAssigned?: boolean;
  workerDisk?: SmallDisk;
  /** Environment of the worker, made from the path of its data directory before it starts. */
  workerEnv?: (dataDir: string) => Record<string, string>;
};

/** Longest wait for a state to be reached on a loaded machine. */
const settleMs = 45_000;

export class Stack implements AsyncDisposable {
  readonly hubId: string;
  readonly nats: TestNats;
  readonly worker: TidemarkProcess;
  readonly beacon: TidemarkProcess;
  readonly hub: TestHub;
  readonly httpUrl: string;
  readonly #dir: ReturnType<typeof tempDir>;

  private constructor(
    parts: Pick<Stack, 'hubId' | 'nats' | 'worker' | 'beacon' | 'hub' | 'httpUrl'>,
    dir: ReturnType<typeof tempDir>,
  ) {
    this.hubId = parts.hubId;
    this.nats = parts.nats;
    this.worker = parts.worker;
    this.beacon = parts.beacon;
    this.hub = parts.hub;
    this.httpUrl = parts.httpUrl;
    this.#dir = dir;
  }

  /** Starts all of it and, unless told otherwise, waits until both lanes are bootstrapped. */
  static async start(options: StackOptions = {}): Promise<Stack> {
    const {
      hub: hubId = 'hub1',
      beaconArgs = [],
      workerArgs = [],
      isAssigned = true,
      workerDisk,
      workerEnv,
      databaseUrl,
      quirks,
      frontUrl,
      provider,
    } = options;
    const dir = tempDir('stack');
    const nats = await TestNats.start();
    const http = `127.0.0.1:${await freePort()}`;
    const behind =
      provider !== undefined
        ? ['--provider', provider]
        : frontUrl !== undefined
          ? ['--front', frontUrl]
          : ['--db', databaseUrl ?? `sqlite:${dir.at('backend.sqlite')}`];
    const beacon = quirks
      ? new TidemarkProcess(
          ['bus', nats.url, 'db-1', dir.at('backend.sqlite'), quirks.join(',')],
          {},
          [],
          'test/kit/quirky/quirky-beacon-process.ts',
        )
      : new TidemarkProcess([
          'beacon',
          '--id',
          'db-1',
          ...behind,
          '--data',
          dir.at('beacon'),
          '--nats',
          nats.url,
          ...beaconArgs,
        ]);
    await workerDisk?.mount(dir.at('worker'));
    const worker = new TidemarkProcess(
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
        ...workerArgs,
      ],
      { ...workerEnv?.(dir.at('worker')) },
      workerDisk?.wrap,
    );
    const hub = await connectHub(nats.url, { hub: hubId });
    const stack = new Stack({ hubId, nats, worker, beacon, hub, httpUrl: `http://${http}` }, dir);
    try {
      await stack.#ready(isAssigned);
      return stack;
    } catch (error) {
      const logs = `worker:\n${worker.tail()}\nbeacon:\n${beacon.tail()}`;
      await stack[Symbol.asyncDispose]();
      throw new Error(`the stack did not come up\n${logs}`, { cause: error });
    }
  }

  async #ready(isAssigned: boolean): Promise<void> {
    const ended = [this.worker, this.beacon].map(async (one) => {
      throw new Error(`${one.args[0]} ended: ${await one.exited}`);
    });
    await Promise.race([
      until('the worker answers', () => this.status(), { deadlineMs: settleMs }),
      ...ended,
    ]);
    if (!isAssigned) return;
    await this.control('assign', { BeaconID: 'db-1', IDBeaconConnection: 1 });
    await until(
      'both lanes are bootstrapped',
      async () => (await this.status()).State === 'bootstrapped',
      { deadlineMs: settleMs },
    );
  }

  get backendPath(): string {
    return this.#dir.at('backend.sqlite');
  }

  /** Where a legacy beacon keeps its rows. */
  get legacyPath(): string {
    return this.#dir.at('beacon', 'legacy.sqlite');
  }

  /** A path under the worker's data directory. */
  workerFile(...parts: string[]): string {
    return this.#dir.at('worker', ...parts);
  }

  /** A control request. @throws Error for a refusal. */
  async control<T = Record<string, unknown>>(verb: string, body: object = {}): Promise<T> {
    const reply = await this.hub.request(subjects.control(this.hubId, verb), JSON.stringify(body), {
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

  /** Waits until nothing is pending in either lane, with all parts running. */
  drained(deadlineMs = settleMs): Promise<WorkerStatus> {
    return until(
      'both lanes are drained',
      async () => {
        const status = await this.status();
        const isDone =
          status.Queue.Pending === 0 &&
          status.Manifest.Pending === 0 &&
          status.State === 'bootstrapped';
        if (!isDone)
          throw new Error(
            `${status.State}, pending ${status.Queue.Pending} and ${status.Manifest.Pending}, ` +
              `last error ${status.Queue.LastError}`,
          );
        return status;
      },
      { deadlineMs },
    );
  }

  /** Makes a dead letter of its own, by a rule of the SQLite database. @returns its Seq */
  async deadLetter(name: string): Promise<number> {
    const db = new Database(this.backendPath);
    db.exec(
      'create trigger if not exists no_poison before insert on UVQueueWorkItem when ' +
        "new.WorkItemHash like 'poison%' begin select raise(abort, 'poison'); end",
    );
    db.close();
    const before = (await this.status()).Queue.DeadLetters;
    const { Seq } = await this.hub.client.upsertWorkItem({ WorkItemHash: `poison-${name}` });
    await until(
      'it is a dead letter',
      async () => (await this.status()).Queue.DeadLetters > before,
      { deadlineMs: settleMs },
    );
    return Seq;
  }

  /** Copies the worker's store into a data directory, through a backup, so that it is whole. */
  async copyStore(dataDir: string): Promise<void> {
    if (existsSync(dataDir)) return;
    mkdirSync(join(dataDir, 'state'), { recursive: true });
    const db = new Database(this.workerFile('state', 'state.db'), { readonly: true });
    await db.backup(join(dataDir, 'state', 'state.db'));
    db.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hub[Symbol.asyncDispose]();
    await Promise.all([this.worker.kill(), this.beacon.kill()]);
    await this.nats[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}
