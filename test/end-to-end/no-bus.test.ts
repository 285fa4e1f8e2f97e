/**
 * A worker that starts before its bus: it is alive, says what it waits for to whoever asks, and
 * serves on the same address once the bus is there.
 */
import { expect, test } from 'vitest';
import { freePort } from '../../runtime/bus/nats-server.ts';
import { TestNats } from '../kit/servers/nats.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { until } from '../kit/until.ts';

test('probes answer while the bus is away, without its login; with it the worker serves; it stops', async () => {
  await using nats = await TestNats.start();
  using folder = tempDir('no-bus');
  const port = await freePort();
  const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  await nats.kill();
  const url = nats.url.replace('://', '://ann:bus-secret@');
  await using worker = new TidemarkProcess([
    'worker',
    '--data',
    folder.at('data'),
    '--nats',
    url,
    '--http',
    `127.0.0.1:${port}`,
  ]);
  const alive = await until('it is alive', () => ask('/livez').catch(() => null));
  expect(alive?.status).toBe(200);
  const ready = await ask('/readyz');
  expect([ready.status, await ready.text()]).toEqual([
    503,
    expect.stringMatching(/^no bus at nats:.*; is nats-server running there\?$/),
  ]);
  const health = (await (await ask('/healthz')).json()) as object;
  expect(health).toMatchObject({
    Ready: false,
    Reason: expect.stringContaining('no bus at') as string,
    Bus: { Connected: false, Server: null },
    Db: { Status: 'ok', Class: null },
    Faults: [],
  });
  const page = await ask('/');
  expect([page.status, await page.json()]).toEqual([
    503,
    expect.objectContaining({
      Code: 'UNAVAILABLE',
      Reason: expect.stringContaining('/healthz') as string,
    }),
  ]);
  expect(JSON.stringify(health) + worker.stdout + worker.stderr).not.toContain('bus-secret');
  await nats.start();
  await until('it serves', async () => (await ask('/readyz').catch(() => null))?.status === 200);
  expect((await ask('/')).headers.get('content-type')).toContain('text/html');
  await worker.stop();

  await nats.kill();
  await using again = new TidemarkProcess([
    'worker',
    '--data',
    folder.at('data'),
    '--nats',
    url,
    '--http',
    `127.0.0.1:${port}`,
  ]);
  await until('it waits', () => ask('/livez').catch(() => null));
  expect(await again.stop()).toBe('exit 0');
}, 120_000);

test('an address that is taken is said at once, bus or not', async () => {
  await using nats = await TestNats.start();
  using folder = tempDir('no-bus-taken');
  const port = new URL(nats.url).port;
  await using worker = new TidemarkProcess([
    'worker',
    '--data',
    folder.at('data'),
    '--nats',
    `nats://127.0.0.1:${await freePort()}`,
    '--http',
    `127.0.0.1:${port}`,
  ]);
  expect(await worker.exited).toBe('exit 2');
  expect(worker.stdout + worker.stderr).toContain('EADDRINUSE');
}, 60_000);
