/**
 * What every measurement needs: a private nats-server, a worker and a databeacon in processes of
 * their own, and the recorded bodies.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect, type NatsConnection } from 'nats';
import { guidMaker, systemStamps } from '../contracts/client/stamps.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** EventGUIDs as the hub client library makes them. */
export const newEventGuid = guidMaker(systemStamps);

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** `stop` ends everything started here. */
export class Rig {
  readonly dir = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  readonly #children: ChildProcess[] = [];
  readonly #connections: NatsConnection[] = [];
  url = '';

  async startBus(): Promise<void> {
    const port = await freePort();
    this.url = `nats://127.0.0.1:${port}`;
    this.#children.push(
      spawn(
        'nats-server',
        ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', join(this.dir, 'js')],
        { stdio: 'ignore' },
      ),
    );
    await this.connect();
  }

  async connect(): Promise<NatsConnection> {
    const connection = await connect({
      servers: this.url,
      waitOnFirstConnect: true,
      reconnectTimeWait: 50,
    });
    this.#connections.push(connection);
    return connection;
  }

  /** Runs a file of this folder with an IPC channel and waits for its "ready". */
  async fork(file: string, ...args: string[]): Promise<ChildProcess> {
    const child = fork(join(root, 'bench', file), args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#children.push(child);
    await once(child, 'message');
    return child;
  }

  /** Starts `tidemark <args>`; its log is discarded. */
  tidemark(...args: string[]): ChildProcess {
    const child = spawn(
      process.execPath,
      [join(root, 'bin/tidemark.js'), ...args, '--nats', this.url],
      { stdio: 'ignore' },
    );
    this.#children.push(child);
    return child;
  }

  async startWorker(name: string): Promise<ChildProcess> {
    const worker = this.tidemark(
      'worker',
      '--hub',
      name,
      '--data',
      join(this.dir, name),
      '--http',
      '127.0.0.1:0',
    );
    await this.until(`worker ${name} answers`, () => this.ask(`tidemark.${name}.control.status`));
    return worker;
  }

  /** Sends one JSON request; null when nobody answers yet. */
  async ask<T = Record<string, unknown>>(subject: string, body: unknown = {}): Promise<T | null> {
    const connection = this.#connections[0] as NatsConnection;
    try {
      return (
        await connection.request(subject, JSON.stringify(body), { timeout: 5_000 })
      ).json<T>();
    } catch {
      return null;
    }
  }

  async until<T>(
    what: string,
    look: () => Promise<T | null | false>,
    deadlineMs = 120_000,
  ): Promise<T> {
    const end = performance.now() + deadlineMs;
    while (performance.now() < end) {
      const seen = await look();
      if (seen) return seen;
      await sleep(20);
    }
    throw new Error(`waited ${deadlineMs} ms for: ${what}`);
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections) await connection.close();
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export type Call = { method: string; args: unknown[] };
export type Write = {
  lane: 'queue' | 'manifest';
  action: string;
  settings: Record<string, unknown>;
};

const settingsOf: Record<string, (args: unknown[]) => [string, Record<string, unknown>]> = {
  upsertWorkItem: ([item]) => ['QP_UpsertWorkItem', { WorkItem: item }],
  updateWorkItem: ([hash, patch]) => ['QP_UpdateWorkItem', { WorkItemHash: hash, Patch: patch }],
  appendEvent: ([event]) => ['QP_AppendEvent', { Event: event }],
  insertAttempt: ([attempt]) => ['QP_InsertAttempt', { Attempt: attempt }],
  updateAttemptOutcome: ([hash, number, patch]) => [
    'QP_UpdateAttemptOutcome',
    { WorkItemHash: hash, AttemptNumber: number, Patch: patch },
  ],
};

/** The recorded queue writes of `examples/`, repeated under new hashes until there are `count`. */
export function recordedWrites(count: number): Write[] {
  const lines = readFileSync(join(root, 'examples/demo-queue.jsonl'), 'utf8').trim().split('\n');
  const calls = lines
    .map((line) => JSON.parse(line) as Call)
    .filter((call) => call.method in settingsOf);
  const writes: Write[] = [];
  for (let round = 0; writes.length < count; round++) {
    for (const call of calls) {
      if (writes.length === count) break;
      const [action, settings] = (
        settingsOf[call.method] as (args: unknown[]) => [string, Record<string, unknown>]
      )(renamed(call.args, round));
      writes.push({ lane: 'queue', action, settings });
    }
  }
  return writes;
}

function renamed(args: unknown[], round: number): unknown[] {
  return JSON.parse(JSON.stringify(args).replaceAll('"wi-', `"r${round}-wi-`)) as unknown[];
}
