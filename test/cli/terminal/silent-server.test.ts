/**
 * A server that says nothing, or is not there, is named and given up on, or waited for until Ctrl-C.
 */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { root } from '../../kit/source.ts';
import { startTidemark, until } from '../../kit/processes/cli-fixture.ts';
import { runHere } from '../../kit/processes/in-process.ts';

const nowhere = 'nats://127.0.0.1:1';

test('a server that says nothing is given up on, and named', async () => {
  const server = createServer(() => undefined);
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const ran = await runHere(['status', '--nats', `nats://127.0.0.1:${port}`]);
  expect(ran).toMatchObject({
    code: 4,
    stderr: expect.stringContaining(`no bus at nats://127.0.0.1:${port}`),
  });
}, 30_000);

test('a publish that waits for an absent bus says what it waits for, and is ended by Ctrl-C', async () => {
  const waiting = startTidemark([
    'publish',
    join(root, 'examples', 'demo-queue.jsonl'),
    '--nats',
    nowhere,
  ]);
  await until('it says so', () =>
    waiting.out.stderr.includes(
      `no bus at ${nowhere}: connection refused; is nats-server running there? (retrying for 30 s)`,
    ),
  );
  waiting.child.kill('SIGINT');
  expect(await waiting.ended).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('"Sent":0'),
  });
}, 60_000);
