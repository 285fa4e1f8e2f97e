/**
 * The gate of a running worker: roles, headers on every answer, pages of other sites, slow and many
 * connections, HTTPS.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request as tlsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { TidemarkProcess } from '../../kit/processes/processes.ts';
import { until } from '../../kit/until.ts';
import { socketTo, startWorkerKit, type WorkerKit } from '../../kit/processes/worker-kit.ts';

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

describe('a worker on loopback', () => {
  let kit: WorkerKit;
  beforeAll(async () => {
    kit = await startWorkerKit({
      env: (at) => {
        writeFileSync(at('tokens'), 'operate ann ann-secret\nview vic vic-secret\n');
        return {
          TIDEMARK_TOKENS_FILE: at('tokens'),
          TIDEMARK_VIEW_TOKEN: 'viewer-secret',
          TIDEMARK_ALLOWED_HOSTS: 'tide.example',
        };
      },
    });
  }, 120_000);
  afterAll(async () => {
    await kit?.[Symbol.asyncDispose]();
  });

  test('viewers read, operators change; an operator with tokens gets no other in the data directory', async () => {
    const pause = async (headers: Record<string, string>) =>
      (await kit.ask({ method: 'POST', path: '/api/pause', headers })).status;
    expect([
      await pause({}),
      await pause(bearer('wrong')),
      await pause(bearer('vic-secret')),
      await pause(bearer('viewer-secret')),
      await pause(bearer('ann-secret')),
    ]).toEqual([401, 401, 403, 403, 200]);
    expect((await kit.ask({})).status).toBe(200);
    expect(
      (await kit.ask({ method: 'POST', path: '/api/resume', headers: bearer('ann-secret') })).json,
    ).toEqual({ Success: true });
    expect(existsSync(kit.at('worker', 'token'))).toBe(false);
  });

  test('every answer has the headers that keep a browser from being used against us', async () => {
    const answers = [
      await kit.ask({}),
      await kit.ask({ path: '/livez' }),
      await kit.ask({ path: '/metrics' }),
      await kit.ask({ path: '/none' }),
      await kit.ask({ method: 'POST', path: '/api/pause' }),
      await kit.ask({ headers: { Host: 'evil.example' } }),
      await kit.ask({
        method: 'POST',
        path: '/Ultravisor/Persistence/Assign',
        headers: bearer('ann-secret'),
        body: {},
      }),
      await kit.ask({
        method: 'POST',
        path: '/Ultravisor/Persistence/Assign',
        headers: bearer('ann-secret'),
        body: { BeaconID: 'x'.repeat(limits.httpBodyBytesMax) },
      }),
      await kit.ask({ path: '/api/dead-letters/1' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([
      200, 200, 200, 404, 401, 403, 400, 413, 404,
    ]);
    for (const { headers } of answers) {
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'x-frame-options': 'DENY',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
          "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  test('a name that is not ours is refused, a listed one is not', async () => {
    const as = async (Host: string) => (await kit.ask({ headers: { Host } })).status;
    expect([await as('rebound.example'), await as('tide.example'), await as('localhost')]).toEqual([
      403, 200, 200,
    ]);
  });

  test('a page of another site changes nothing, even with the token', async () => {
    const pause = async (headers: Record<string, string>) =>
      (
        await kit.ask({
          method: 'POST',
          path: '/api/pause',
          headers: { ...bearer('ann-secret'), ...headers },
        })
      ).status;
    expect([
      await pause({ Origin: 'http://evil.example' }),
      await pause({ 'Sec-Fetch-Site': 'cross-site' }),
      await pause({ Origin: 'null' }),
    ]).toEqual([403, 403, 403]);
    expect((await kit.ask({})).json).toMatchObject({ Queue: { IsPaused: false } });
    expect(
      await pause({ Origin: `http://127.0.0.1:${kit.port}`, Host: `127.0.0.1:${kit.port}` }),
    ).toBe(200);
    expect(
      (
        await kit.ask({
          method: 'OPTIONS',
          headers: { Origin: 'http://evil.example', 'Access-Control-Request-Method': 'POST' },
        })
      ).status,
    ).toBe(403);
  });

  test('who sends slowly is cut off, in the middle of the headers, of the body, or before both', async () => {
    const slow = [
      '',
      'GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ',
      `POST /Ultravisor/Persistence/Assign HTTP/1.1\r\nHost: localhost\r\nAuthorization: ` +
        `Bearer ann-secret\r\nContent-Length: 10\r\n\r\n{`,
    ];
    const sockets = await Promise.all(slow.map((text) => socketTo(kit.port, text)));
    const isCut = sockets.map(
      (socket) =>
        new Promise<boolean>((resolve) => {
          socket.on('close', () => resolve(true)).resume();
        }),
    );
    expect(await Promise.all(isCut)).toEqual([true, true, true]);
    expect((await kit.ask({ path: '/livez' })).status).toBe(200);
  }, 120_000);

  test('I14: of too many connections of an address the oldest are closed, and calls are answered', async () => {
    const open: Socket[] = [];
    try {
      for (let n = 0; n < 300; n += 1) open.push((await socketTo(kit.port, '')).resume());
      const statuses = [];
      for (const path of ['/livez', '/readyz', '/api/status'])
        statuses.push((await kit.ask({ path })).status);
      expect(statuses).toEqual([200, 200, 200]);
      // Later they would be closed for their silence.
      const alive = () => open.filter((socket) => !socket.closed).length;
      await until('the surplus is gone', () => alive() <= limits.httpSocketsOfAddressMax);
      expect(alive()).toBeGreaterThan(limits.httpSocketsOfAddressMax - 10);
    } finally {
      for (const socket of open) socket.destroy();
    }
  }, 120_000);

  test('headers beyond the bound are refused', async () => {
    expect((await kit.ask({ headers: { X: 'x'.repeat(limits.httpHeaderBytesMax) } })).status).toBe(
      431,
    );
  });

  test('who guesses on and on is slowed down', async () => {
    const statuses = new Set<number>();
    for (let n = 0; n < limits.httpFailuresMax * 3 && !statuses.has(429); n += 1)
      statuses.add(
        (await kit.ask({ method: 'POST', path: '/api/pause', headers: bearer(`guess${n}`) }))
          .status,
      );
    expect([...statuses]).toEqual([401, 429]);
    expect((await kit.ask({})).status).toBe(200);
  });
});

test('beyond loopback every call needs a token, one that may view can read; without it does not start', async () => {
  await using kit = await startWorkerKit({
    host: '0.0.0.0',
    env: () => ({ TIDEMARK_TOKEN: 'op-secret', TIDEMARK_VIEW_TOKEN: 'view-secret' }),
  });
  const read = async (path: string, headers: Record<string, string> = {}) =>
    (await kit.ask({ path, headers })).status;
  for (const path of ['/livez', '/readyz', '/healthz', '/metrics', '/api/status'])
    expect([
      await read(path),
      await read(path, bearer('view-secret')),
      await read(path, bearer('op-secret')),
    ]).toEqual([401, 200, 200]);
  // The page is another part's; here it is enough that nobody asks for a token.
  expect([(await read('/')) === 401, (await read('/console/app.js')) === 401]).toEqual([
    false,
    false,
  ]);
  await using bare = new TidemarkProcess([
    'worker',
    '--data',
    kit.at('other'),
    '--http',
    '0.0.0.0:0',
    '--nats',
    kit.nats.url,
  ]);
  expect(await bare.exited).toBe('exit 2');
  expect(bare.stderr).toContain('set TIDEMARK_TOKEN');
}, 120_000);

test('with a certificate it speaks HTTPS, and a wrong pair is said in one line', async () => {
  const pair = (at: (...parts: string[]) => string) => {
    const options = { stdio: 'ignore' } as const;
    for (const name of ['own', 'other']) {
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
          '-nodes',
          '-days',
          '2',
          '-subj',
          '/CN=localhost',
          '-addext',
          'subjectAltName=DNS:localhost',
          '-keyout',
          at(`${name}.key`),
          '-out',
          at(`${name}.crt`),
        ],
        options,
      );
    }
    return { TIDEMARK_HTTP_CERT: at('own.crt'), TIDEMARK_HTTP_KEY: at('own.key') };
  };
  await using kit = await startWorkerKit({ env: pair });
  const status = await new Promise<number>((resolve, reject) => {
    tlsRequest(
      {
        host: '127.0.0.1',
        servername: 'localhost',
        port: kit.port,
        path: '/livez',
        headers: { Host: 'localhost' },
        ca: readFileSync(kit.at('own.crt')),
        agent: false,
      },
      (response) => resolve(response.statusCode ?? 0),
    )
      .on('error', reject)
      .end();
  });
  expect(status).toBe(200);
  await expect(kit.ask({ path: '/livez' })).rejects.toThrow();
  await using wrong = new TidemarkProcess(
    ['worker', '--data', kit.at('w2'), '--nats', kit.nats.url],
    { TIDEMARK_HTTP_CERT: kit.at('own.crt'), TIDEMARK_HTTP_KEY: kit.at('other.key') },
  );
  expect(await wrong.exited).toBe('exit 2');
  expect(wrong.stderr.trim()).toMatch(/^tidemark: TIDEMARK_HTTP_CERT .* are no pair: [^\n]*$/);
}, 120_000);
