/**
 * The HTTP of a databeacon behind the same gate: roles, hosts, origins, headers; what is denied is
 * in its audit.
 */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import { TestNats } from '../../kit/servers/nats.ts';
import { TidemarkProcess } from '../../kit/processes/processes.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { until } from '../../kit/until.ts';
import { ask } from '../../kit/processes/worker-kit.ts';

const dir = tempDir('beacon-access');
let nats: TestNats;
let beacon: TidemarkProcess;
let port: number;
beforeAll(async () => {
  nats = await TestNats.start();
  port = await freePort();
  writeFileSync(dir.at('tokens'), 'operate ann ann-secret\nview vic vic-secret\n');
  beacon = new TidemarkProcess(
    [
      'beacon',
      '--id',
      'db-1',
      '--db',
      `sqlite:${dir.at('b.sqlite')}`,
      '--data',
      dir.at('beacon'),
      '--http',
      `0.0.0.0:${port}`,
      '--nats',
      nats.url,
    ],
    { TIDEMARK_TOKENS_FILE: dir.at('tokens'), TIDEMARK_ALLOWED_HOSTS: 'tide.example' },
  );
  await until('the databeacon is up', () => beacon.stderr.includes('is online'), {
    deadlineMs: 45_000,
  });
}, 120_000);
afterAll(async () => {
  await beacon?.kill();
  await nats?.[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const call = async (method: string, path: string, headers: Record<string, string>) =>
  (await ask(port, { method, path, headers })).status;
const as = (token: string) => ({ Authorization: `Bearer ${token}` });

test('who may view reads, who may operate writes, and nobody from another site or by another name', async () => {
  expect([
    await call('GET', '/livez', {}),
    await call('GET', '/livez', as('vic-secret')),
    await call('GET', '/livez', as('ann-secret')),
  ]).toEqual([401, 200, 200]);
  // What a write meets behind the gate are the endpoints: none is enabled yet.
  expect([
    await call('POST', '/1.0/b/T', {}),
    await call('POST', '/1.0/b/T', as('vic-secret')),
    await call('POST', '/1.0/b/T', { ...as('ann-secret'), Origin: 'http://evil.example' }),
  ]).toEqual([401, 403, 403]);
  const behind = await ask(port, { method: 'POST', path: '/1.0/b/T', headers: as('ann-secret') });
  expect([behind.status, behind.json['Error']]).toEqual([404, 'there is no such route']);
  expect([
    await call('GET', '/livez', { ...as('vic-secret'), Host: 'evil.example' }),
    await call('GET', '/livez', { ...as('vic-secret'), Host: 'tide.example' }),
  ]).toEqual([403, 200]);
  for (const { headers } of [
    await ask(port, { path: '/livez' }),
    await ask(port, { path: '/livez', headers: as('vic-secret') }),
    await ask(port, { path: '/none', headers: as('vic-secret') }),
  ]) {
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
  }
});

test('what was denied is in the audit, by name where there is one', async () => {
  const lines = async () =>
    (await tidemark(['beacon', 'audit', '--id', 'db-1', '--data', dir.at('beacon'), '--json']))
      .stdout;
  await until('the audit has it', async () => {
    const text = await lines();
    return (
      text.includes('"vic"') &&
      text.includes('"nobody"') &&
      text.includes('FORBIDDEN') &&
      text.includes('UNAUTHORIZED')
    );
  });
  expect(await lines()).not.toContain('secret');
}, 120_000);
