/**
 * What others are told when the local state fails under a real worker: hubs, the command line, and
 * who asks for health.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { decodeBody } from '../../../contracts/body/codec.ts';
import { subjects } from '../../../contracts/subjects.ts';
import { expect, test } from 'vitest';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { until } from '../../kit/until.ts';

type Health = {
  Nonce: string;
  Pid: number;
  Ready: boolean;
  Db: { Status: string };
  Frozen?: { Since: string };
};

test('D17, D18 — a hub is refused with code and delay; its library resends until a new process takes it', async () => {
  await using stack = await Stack.start();
  const health = async () => (await (await fetch(`${stack.httpUrl}/healthz`)).json()) as Health;
  const before = await health();
  const body = (name: string) =>
    JSON.stringify({
      EventGUID: guidOf(name),
      Settings: { WorkItem: { WorkItemHash: name, Status: 'Pending' } },
    });
  const send = async (name: string) => {
    const message = await stack.hub.request(
      subjects.action('hub1', 'queue', 'QP_UpsertWorkItem'),
      body(name),
      { 'Content-Type': 'application/json' },
    );
    return {
      reply: decodeBody(message.data, message.headers),
      code: message.headers?.get('Nats-Service-Error-Code'),
    };
  };
  rmSync(stack.workerFile('state'), { recursive: true });
  expect(await send('refused')).toMatchObject({
    reply: {
      Success: false,
      Available: false,
      Code: 'STORAGE_FAILED',
      RetryAfterMs: expect.any(Number),
    },
    code: '507',
  });
  const patient = stack.hub.client.upsertWorkItem({ WorkItemHash: 'patient', Status: 'Pending' });
  expect(await stack.worker.exited).toBe('exit 1');
  stack.worker.restart();
  expect(await patient).toMatchObject({ Success: true, Durability: 'synced' });
  // What the ghost had written when it refused was saved with all the rest, so the retry is known.
  expect(await send('refused')).toMatchObject({ reply: { Success: true, Duplicate: true } });
  const after = await health();
  expect(after).toMatchObject({ Ready: true, Db: { Status: 'ok' } });
  // Another process answers, and everybody can tell.
  expect([after.Nonce === before.Nonce, after.Pid === before.Pid]).toEqual([false, false]);
}, 120_000);

test('D16 — the command line says a worker is frozen or gone, and what to do; doctor names the cause', async () => {
  await using stack = await Stack.start();
  const common = ['--nats', stack.nats.url, '--data', stack.workerFile()];
  expect((await tidemark(['status', ...common])).code).toBe(0);
  await stack.worker.stop();
  const gone = await tidemark(['status', ...common]);
  expect([gone.code, gone.stderr]).toEqual([4, expect.stringContaining('hub1')]);
  // A folder where the lock should be: nothing a new data directory would mend, and nothing to
  // leave for.
  renameSync(stack.workerFile('writer.lock'), stack.workerFile('lock.away'));
  mkdirSync(stack.workerFile('writer.lock'));
  stack.worker.restart();
  const frozen = await until(
    'the frozen worker answers',
    async () => (await (await fetch(`${stack.httpUrl}/healthz`)).json()) as Health,
  );
  expect(frozen).toMatchObject({
    Ready: false,
    Db: { Status: 'fault' },
    Frozen: { Since: expect.any(String) },
  });
  expect((await tidemark(['status', ...common])).code).toBe(4);
  expect((await tidemark(['doctor', '--json', ...common])).code).toBe(6);
  rmSync(stack.workerFile('writer.lock'), { recursive: true });
  renameSync(stack.workerFile('lock.away'), stack.workerFile('writer.lock'));
  await until(
    'it goes on by itself',
    async () => (await fetch(`${stack.httpUrl}/readyz`)).status === 200,
    { deadlineMs: 40_000 },
  );
  expect((await tidemark(['status', ...common])).code).toBe(0);
}, 120_000);
