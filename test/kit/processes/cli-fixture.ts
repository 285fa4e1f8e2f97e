/**
 * What the tests of the command line share: temp folders, a nats-server of their own, the command
 * line as a child, a small hub.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { subjects } from '../../../contracts/subjects.ts';
import { Bus } from '../../../runtime/bus/bus.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createLog } from '../../../runtime/log.ts';
import { findNatsServer, freePort, NatsServer } from '../../../runtime/bus/nats-server.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';

export const launcher = fileURLToPath(new URL('../../../bin/tidemark.js', import.meta.url));
export const quiet = createLog('test', 'silent');

/** A folder that is gone after the scope. */
export function tempFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'tidemark-cli-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A real server on a free port. */
export async function startServer(folder: string, port?: number): Promise<NatsServer> {
  const binary = findNatsServer(undefined, process.env['PATH'] ?? '', () => undefined);
  return NatsServer.start({ folder, port: port ?? (await freePort()), binary });
}

export type Ran = { code: number | null; stdout: string; stderr: string };

/** Our command line with the bus named only by its arguments. */
export function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const clean = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('NATS_') && !name.startsWith('TIDEMARK_'),
  );
  return { ...Object.fromEntries(clean), ...more };
}

/** `nodeArgs` come before the entry, which is the launcher unless another is named. */
export type StartOptions = {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  nodeArgs?: string[];
  entry?: string;
};

export function startTidemark(args: readonly string[], options: StartOptions = {}) {
  const child = spawn(
    process.execPath,
    [...(options.nodeArgs ?? []), options.entry ?? launcher, ...args],
    {
      cwd: options.cwd ?? tmpdir(),
      env: environment(options.env),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const out = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    out.stderr += text;
  });
  const ended = new Promise<Ran>((done) => child.once('close', (code) => done({ code, ...out })));
  return { child, out, ended };
}

export function tidemark(args: readonly string[], options: StartOptions = {}): Promise<Ran> {
  return startTidemark(args, options).ended;
}

/** Waits for a condition. @throws Error naming it after the deadline */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const giveUpMs = systemClock.monotonicMs() + deadlineMs;
  while (!(await isSo())) {
    if (systemClock.monotonicMs() > giveUpMs)
      throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await systemClock.sleep(20);
  }
}

/** Writes recorded calls to a file. */
export function writeTrace(
  folder: string,
  name: string,
  calls: readonly (readonly [method: string, ...args: unknown[]])[],
): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    calls.map(([method, ...args], at) => `${JSON.stringify({ t: at, method, args })}\n`).join(''),
  );
  return path;
}

type Taken = {
  action: string;
  guid: string;
  body: { EventGUID: string; Settings: Record<string, never> };
};

/** A hub's worker in small: takes writes once by EventGUID, and notes what it saw. */
export class SmallHub {
  readonly taken: Taken[] = [];
  readonly requests: string[] = [];
  reads = 0;
  /** Asked before each request; throws to refuse it. */
  gate: (action: string, guid: string) => void = () => undefined;
  /** Set to hold answers back for a while. */
  delayMs = 0;
  readonly #seqs = new Map<string, number>();
  readonly #bus: Bus;

  private constructor(bus: Bus) {
    this.#bus = bus;
  }

  static async start(url: string, hub = 'hub1'): Promise<SmallHub> {
    const bus = await Bus.connect({ servers: url, name: 'small-hub' }, quiet);
    const small = new SmallHub(bus);
    bus.serve({
      name: 'small-hub',
      version: '1.0.0',
      description: 'a hub for tests',
      metadata: {},
      endpoints: (['queue', 'manifest'] as const).map((lane) => ({
        name: lane,
        subject: subjects.laneAll(hub, lane),
        handle: (request) => small.#answer(request.subject, request.decode()),
      })),
    });
    await bus.flush();
    return small;
  }

  async #answer(subject: string, body: unknown): Promise<unknown> {
    const action = subject.slice(subject.lastIndexOf('.') + 1);
    this.requests.push(action);
    if (this.delayMs > 0) await systemClock.sleep(this.delayMs);
    if (action !== 'batch') return this.#take(action, body as Taken['body']);
    const items = (body as { Items: (Taken['body'] & { Action: string })[] }).Items;
    return { Success: true, Results: items.map((item) => this.#takeItem(item.Action, item)) };
  }

  #takeItem(action: string, body: Taken['body']): unknown {
    try {
      return this.#take(action, body);
    } catch (error) {
      return {
        Available: true,
        Success: false,
        Code: (error as { code: string }).code,
        Reason: (error as Error).message,
      };
    }
  }

  #take(action: string, body: Taken['body']): unknown {
    this.gate(action, body.EventGUID ?? '');
    if (/Get|List/.test(action)) {
      this.reads += 1;
      return { Available: true, Success: true, Source: 'journal', AsOf: '' };
    }
    const guid = body.EventGUID;
    const known = this.#seqs.get(guid);
    if (known === undefined) {
      this.#seqs.set(guid, this.#seqs.size + 1);
      this.taken.push({ action, guid, body });
    }
    return {
      Available: true,
      Success: true,
      Durability: 'synced',
      Seq: this.#seqs.get(guid),
      EventGUID: guid,
      Duplicate: known !== undefined,
    };
  }

  stop(): Promise<void> {
    return this.#bus.close();
  }
}

/** A data directory with a store at rest, in a folder that goes with the test. */
export function storeAtRest(): { path: string; data: string } {
  const folder = tempFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  const data = join(folder.path, 'data');
  const store = openStore(data);
  openLocal(store, 'hub1');
  store.close();
  return { path: folder.path, data };
}
