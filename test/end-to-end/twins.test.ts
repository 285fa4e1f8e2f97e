/**
 * Two databeacons of one name on one bus: the second does not start, and where two run all the same
 * (one was frozen while the other came), both, the worker and the doctor say so.
 */
import { expect, onTestFinished, test } from 'vitest';
import type { WorkerStatus } from '../../contracts/status.ts';
import { systemClock } from '../../runtime/clock.ts';
import { startTidemark, tempFolder, tidemark } from '../kit/processes/cli-fixture.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { TestNats } from '../kit/servers/nats.ts';
import { until } from '../kit/until.ts';

async function place() {
  const nats = await TestNats.start();
  const folder = tempFolder();
  onTestFinished(async () => {
    await nats[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });
  const beacon = (name: string) => {
    const started = new TidemarkProcess([
      'beacon',
      '--id',
      'db-1',
      '--data',
      `${folder.path}/${name}`,
      '--db',
      `sqlite:${folder.path}/${name}.sqlite`,
      '--nats',
      nats.url,
    ]);
    onTestFinished(() => started[Symbol.asyncDispose]());
    return started;
  };
  const online = (one: TidemarkProcess) =>
    until('it is online', () => one.tail(50).includes('databeacon is online'), {
      deadlineMs: 30_000,
    });
  return { nats, folder, beacon, online };
}

test('a second databeacon of a name, and a second `up`, end with 4 and name the place of the first', async () => {
  const { nats, folder, beacon, online } = await place();
  const first = beacon('first');
  await online(first);
  const second = beacon('second');
  expect(await second.exited).toBe('exit 4');
  expect(second.tail(50)).toMatch(
    new RegExp(`called db-1 is already on this bus: .+, process ${first.pid};`),
  );
  expect(first.isRunning).toBe(true);
  const up = startTidemark([
    'up',
    '--data',
    `${folder.path}/up`,
    '--http',
    '127.0.0.1:0',
    '--nats',
    nats.url,
  ]);
  onTestFinished(async () => {
    up.child.kill('SIGKILL');
    await up.ended;
  });
  expect((await up.ended).code).toBe(4);
  // One that ends makes room.
  await first.stop();
  const third = beacon('third');
  await online(third);
}, 90_000);

test('`up --beacon-id` names its databeacon, so that two live on one bus', async () => {
  const { nats, folder, beacon, online } = await place();
  await online(beacon('first'));
  const up = startTidemark([
    'up',
    '--data',
    `${folder.path}/up`,
    '--http',
    '127.0.0.1:0',
    '--nats',
    nats.url,
    '--beacon-id',
    'db-2',
  ]);
  onTestFinished(async () => {
    up.child.kill('SIGTERM');
    await up.ended;
  });
  await until('ready', () => up.out.stdout.includes('ready '), { deadlineMs: 40_000 });
  expect(up.out.stdout).toContain('beacon=db-2');
  const ran = await tidemark(['status', '--json', '--nats', nats.url]);
  expect((JSON.parse(ran.stdout) as WorkerStatus).Queue.AssignedBeaconID).toBe('db-2');
  const wrong = await tidemark(['up', '--data', `${folder.path}/w`, '--beacon-id', 'a.b']);
  expect(wrong.code).toBe(2);
}, 90_000);

test('two that run all the same say so, nothing is delivered to them, the doctor says where they are', async () => {
  const { nats, folder, beacon, online } = await place();
  const first = beacon('first');
  await online(first);
  // Frozen, it answers nobody who asks whether there is one.
  process.kill(first.pid, 'SIGSTOP');
  const second = beacon('second');
  await online(second);
  process.kill(first.pid, 'SIGCONT');
  const worker = new TidemarkProcess([
    'worker',
    '--data',
    `${folder.path}/worker`,
    '--http',
    '127.0.0.1:0',
    '--nats',
    nats.url,
  ]);
  onTestFinished(() => worker[Symbol.asyncDispose]());
  const status = async () => {
    const ran = await tidemark(['status', '--json', '--nats', nats.url]);
    return ran.stdout.startsWith('{') ? (JSON.parse(ran.stdout) as WorkerStatus) : null;
  };
  await until('the worker answers', async () => (await status()) !== null, { deadlineMs: 30_000 });
  await tidemark(['assign', 'db-1', '1', '--nats', nats.url]);
  await until(
    'the worker says so',
    async () =>
      (await status())?.Queue.LastError?.startsWith('two databeacons call themselves db-1') ===
      true,
    { deadlineMs: 30_000 },
  );
  for (const one of [first, second])
    await until('the databeacon says so', () => one.tail(50).includes('two databeacons call'));
  const doctor = await tidemark(['doctor', '--nats', nats.url, '--data', `${folder.path}/worker`]);
  expect(doctor.stdout).toMatch(/two databeacons call themselves db-1: .+, process \d+; .+process/);
  for (const one of [first, second]) expect(doctor.stdout).toContain(`process ${one.pid}`);
  const startedMs = systemClock.monotonicMs();
  await first.stop();
  await until('delivering', async () => (await status())?.State === 'bootstrapped', {
    deadlineMs: 30_000,
  });
  expect(systemClock.monotonicMs() - startedMs).toBeLessThan(20_000);
}, 120_000);
