/**
 * Sockets of an HTTP server: nobody's idle, slow or many connections keep the probes or another
 * address out.
 */
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { plainHttp } from '../../../runtime/http/http-access.ts';
import { HttpListener } from '../../../runtime/http/http-listener.ts';
import { until } from '../../kit/until.ts';

type Asked = { path?: string; from?: string; method?: string };

async function listening() {
  let release = () => undefined as void;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let holding = 0;
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.get('/livez', (context) => context.text('ok'));
  app.get('/readyz', (context) => context.text('ok'));
  app.get('/other', (context) => context.text('ok'));
  app.get('/held', async (context) => {
    holding += 1;
    await held;
    return context.text('ok');
  });
  app.post('/body', async (context) => context.text((await context.req.text()) && 'ok'));
  app.onError((_, context) => context.text('cut', 500));
  app.post('/denied', (context) => context.text('no', 401));
  const listener = await HttpListener.start({ host: '0.0.0.0', port: 0 }, plainHttp, app);
  const port = Number(new URL(listener.url).port);
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    release();
    for (const socket of sockets) socket.destroy();
    await listener.close();
  });
  const open = (text: string, from = '127.0.0.1') =>
    new Promise<Socket>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', localAddress: from }, () => {
        socket.write(text);
        resolve(socket);
      });
      socket.on('error', () => undefined).resume();
      sockets.push(socket);
    });
  const ask = ({ path = '/livez', from = '127.0.0.1', method = 'GET' }: Asked = {}) =>
    new Promise<number>((resolve, reject) => {
      request(
        { port, host: '127.0.0.1', path, method, localAddress: from, agent: false, timeout: 3_000 },
        (response) => resolve(response.resume().statusCode ?? 0),
      )
        .on('timeout', () => reject(new Error('no answer')))
        .on('error', reject)
        .end();
    });
  return { open, ask, sockets, holding: () => holding };
}

const alive = (sockets: readonly Socket[]) => sockets.filter((one) => !one.closed);

test.each([
  ['idle', ''],
  ['slow with their headers', 'GET /livez HTTP/1.1\r\nHost: localhost\r\nX: '],
  [
    'slow with their body',
    'POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx',
  ],
])('I14: 300 connections that are %s do not keep the probes out', async (_, text) => {
  const { open, ask, sockets } = await listening();
  for (let n = 0; n < 300; n += 1) await open(text);
  expect([await ask({ path: '/livez' }), await ask({ path: '/readyz' })]).toEqual([200, 200]);
  expect(await ask({ path: '/other' })).toBe(200);
  await until('the surplus is gone', () => alive(sockets).length <= limits.httpSocketsOfAddressMax);
  // The newest are those that stay.
  expect(alive(sockets).every((one) => sockets.indexOf(one) > 100)).toBe(true);
});

test('I14: where an address has all its connections answered, its probes and other addresses are heard', async () => {
  const { open, ask, sockets, holding } = await listening();
  const text = 'GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n';
  for (let n = 0; n < limits.httpSocketsOfAddressMax; n += 1) await open(text);
  await until('all are held', () => holding() === limits.httpSocketsOfAddressMax);
  expect([
    await ask({ path: '/livez' }),
    await ask({ path: '/readyz?x' }),
    await ask({ path: '/other' }),
    await ask({ path: '/other', from: '127.0.0.2' }),
  ]).toEqual([200, 200, 503, 200]);
  for (let n = 0; n < 50; n += 1) await open('');
  expect(await ask({ path: '/livez' })).toBe(200);
  expect(alive(sockets).length).toBeLessThanOrEqual(
    limits.httpSocketsOfAddressMax + limits.httpProbeSocketsMax,
  );
});

test('I14: many addresses together are bounded too, and the one with the most makes room', async () => {
  const { open, ask, sockets } = await listening();
  for (let n = 0; n < 400; n += 1) await open('', `127.0.0.${2 + (n % 4)}`);
  await until('the surplus is gone', () => alive(sockets).length <= limits.httpConnectionsMax);
  expect(await ask()).toBe(200);
});

test('I14: what follows a refusal is not read to its end', async () => {
  const { open } = await listening();
  const socket = await open(
    `POST /denied HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${limits.bodyBytesMax}\r\n\r\n`,
  );
  const part = Buffer.alloc(64 * 1024);
  let sent = 0;
  await until(
    'it is cut off',
    () => {
      if (!socket.closed && socket.write(part)) sent += part.length;
      return socket.closed;
    },
    { everyMs: 1 },
  );
  expect(sent).toBeLessThan(limits.bodyBytesMax / 2);
});
