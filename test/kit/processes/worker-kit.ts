/** A worker process on a bus of its own, called over HTTP as an operator, a viewer, or nobody. */
import { readFileSync } from 'node:fs';
import { connect as openSocket, type Socket } from 'node:net';
import { request, type IncomingHttpHeaders } from 'node:http';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import { TestNats } from '../servers/nats.ts';
import { TidemarkProcess } from './processes.ts';
import { type TempDir, tempDir } from '../temp-dir.ts';
import { until } from '../until.ts';

export type Answer = {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json: Record<string, never>;
};
export type Asked = {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: unknown;
};

export type WorkerKit = AsyncDisposable & {
  nats: TestNats;
  worker: TidemarkProcess;
  port: number;
  dataDir: string;
  at: TempDir['at'];
  /** The token of the data directory. */
  token: string;
  ask: (asked: Asked) => Promise<Answer>;
};

/** Raw, for `fetch` sets the headers in question itself. */
export function ask(
  port: number,
  { method = 'GET', path = '/api/status', headers = {}, body }: Asked,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      { host: '127.0.0.1', port, method, path, headers, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more: string) => {
          text += more;
        });
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: text.startsWith('{') ? (JSON.parse(text) as never) : {},
          }),
        );
      },
    );
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** A connection that sends something and waits. */
export function socketTo(port: number, text: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = openSocket(port, '127.0.0.1', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      socket.write(text);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

export type WorkerOptions = {
  host?: string;
  env?: (at: TempDir['at']) => Record<string, string>;
  args?: string[];
};

export async function startWorkerKit({
  host = '127.0.0.1',
  env = () => ({}),
  args = [],
}: WorkerOptions = {}): Promise<WorkerKit> {
  const dir = tempDir('access');
  const nats = await TestNats.start();
  const port = await freePort();
  const at: TempDir['at'] = (...parts) => dir.at(...parts);
  const dataDir = at('worker');
  const worker = new TidemarkProcess(
    ['worker', '--data', dataDir, '--http', `${host}:${port}`, '--nats', nats.url, ...args],
    env(at),
  );
  const kit: WorkerKit = {
    nats,
    worker,
    port,
    dataDir,
    at,
    token: '',
    ask: (asked) => ask(port, asked),
    async [Symbol.asyncDispose]() {
      await worker.kill();
      await nats[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
  try {
    await until('the worker is up', () => worker.stderr.includes('worker is up'), {
      deadlineMs: 45_000,
    });
  } catch (error) {
    await kit[Symbol.asyncDispose]();
    throw new Error(worker.tail(), { cause: error });
  }
  try {
    kit.token = readFileSync(dir.at('worker', 'token'), 'utf8').trim();
  } catch {
    // Where the operator gave tokens, none is made.
  }
  return kit;
}
