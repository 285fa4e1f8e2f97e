/**
 * `tidemark drill` on real processes under traffic: the worker behaves as in an outage, ends it
 * whatever happens to the command, and nothing is lost.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Capacity } from '../../../contracts/status.ts';
import { secondsToFull } from '../../../worker/operators/drill.ts';
import { root } from '../../kit/source.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { until } from '../../kit/until.ts';
import { startTidemark, tidemark } from '../../kit/processes/cli-fixture.ts';

/**
 * Traffic that lasts as long as the tests: so many writes a second, and a worker that holds this
 * many seconds of them.
 */
const perSecond = 60;
const roomSeconds = 40;
const deadlineMs = 45_000;
let stack: Stack;
let traffic: ReturnType<typeof startTidemark>;
const over = new AbortController();

/**
 * Recorded traffic, many times in one file, so that it lasts for minutes without a pause; once more
 * under another name when it ends all the same.
 */
async function keepPublishing(): Promise<void> {
  const recorded = readFileSync(join(root, 'examples', 'demo-queue.jsonl'), 'utf8');
  for (let round = 0; !over.signal.aborted; round++) {
    const path = stack.workerFile('..', `round-${round}.jsonl`);
    writeFileSync(path, recorded.repeat(60));
    traffic = startTidemark([
      'publish',
      path,
      '--rate',
      String(perSecond),
      '--nats',
      stack.nats.url,
    ]);
    await traffic.ended;
  }
}

let publishing: Promise<void>;

beforeAll(async () => {
  stack = await Stack.start({ workerArgs: ['--pending-max', String(perSecond * roomSeconds)] });
  publishing = keepPublishing();
  await until('traffic flows', async () => (await stack.status()).Balance.queue.Accepted > 20, {
    deadlineMs,
  });
}, 90_000);

afterAll(async () => {
  over.abort();
  traffic?.child.kill('SIGTERM');
  await publishing;
  await stack?.[Symbol.asyncDispose]();
});

const drill = (...args: string[]) => startTidemark(['drill', ...args, '--nats', stack.nats.url]);
const inDrill = () =>
  until(
    'the drill runs',
    async () => {
      const status = await stack.status();
      return status.Drill && status;
    },
    { deadlineMs },
  );
const atRest = () =>
  until(
    'no drill, and delivering again',
    async () => {
      const { Drill, State } = await stack.status();
      return Drill === null && State === 'bootstrapped';
    },
    { deadlineMs },
  );
type Result = {
  EndedBy: string;
  Accepted: number;
  PeakPending: number;
  RecoverySeconds: number | null;
  Proofs: { Proof: string; IsOk: boolean }[];
};

describe('a drill under traffic', () => {
  test('the beacon counts as away, writes are accepted, and all of it is delivered afterwards', async () => {
    const running = drill('db-1', '--seconds', '6', '--json');
    expect(await inDrill()).toMatchObject({
      State: 'waiting-for-beacon',
      Drill: { BeaconID: 'db-1' },
      Queue: { State: 'waiting-for-beacon', Carrier: null },
      Manifest: { State: 'waiting-for-beacon' },
    });
    const ran = await running.ended;
    const result = JSON.parse(ran.stdout) as Result;
    expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining('Ctrl-C ends it')]);
    expect(result).toMatchObject({ BeaconID: 'db-1', EndedBy: 'deadline' });
    expect(result.Accepted).toBeGreaterThan(0);
    expect(result.PeakPending).toBeGreaterThanOrEqual(result.Accepted);
    expect(result.RecoverySeconds).not.toBeNull();
    expect(result.Proofs.map(({ IsOk }) => IsOk)).toEqual([true, true, true, true]);
    await atRest();
  }, 120_000);

  test('refused: a beacon no lane uses, a second drill, too little room; --force does it all the same', async () => {
    expect(await drill('db-9').ended).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('no lane goes to db-9; assigned is db-1'),
    });
    const tooLong = await drill('db-1', '--seconds', '600').ended;
    expect(tooLong).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /at \d+ writes a second there is room for about \d+ s, not for 600/,
      ),
    });
    expect((await stack.status()).Drill).toBeNull();
    const forced = drill('db-1', '--seconds', '600', '--force');
    await inDrill();
    expect((await tidemark(['status', '--nats', stack.nats.url])).stdout).toContain(
      'drill: db-1 counts as away until',
    );
    expect(await drill('db-1', '--seconds', '1').ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a drill of db-1 runs until'),
    });
    expect(await drill('--stop').ended).toMatchObject({
      code: 0,
      stdout: 'the drill of db-1 has ended\n',
    });
    expect(await forced.ended).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/ended early[\s\S]*ok {4}the balance adds up after/),
    });
    expect(await drill('--stop').ended).toMatchObject({ code: 0, stdout: 'no drill is running\n' });
    await atRest();
  }, 120_000);

  test('Ctrl-C ends it at once, and says so', async () => {
    const running = drill('db-1', '--seconds', '30');
    await inDrill();
    running.child.kill('SIGINT');
    const ran = await running.ended;
    expect(ran).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('interrupted: the drill has ended'),
      stdout: expect.stringContaining('ended early'),
    });
    await atRest();
  }, 120_000);

  test('a command that is killed leaves a drill that ends by itself', async () => {
    const running = drill('db-1', '--seconds', '8');
    await inDrill();
    running.child.kill('SIGKILL');
    await running.ended;
    expect((await stack.status()).Drill).not.toBeNull();
    await atRest();
    expect(await stack.control('drill')).toMatchObject({
      Drill: null,
      Last: { BeaconID: 'db-1', EndedBy: 'deadline' },
    });
  }, 120_000);

  test('a worker that is killed takes its drill along, and nothing is lost by that either', async () => {
    const running = drill('db-1', '--seconds', '30', '--json');
    await inDrill();
    await stack.worker.kill();
    stack.worker.restart();
    const ran = await running.ended;
    const result = JSON.parse(ran.stdout) as Result;
    expect([ran.code, ran.stderr]).toEqual([
      1,
      expect.stringContaining('the worker was restarted'),
    ]);
    expect(result).toMatchObject({ EndedBy: 'restart' });
    expect(result.Proofs.filter(({ IsOk }) => !IsOk)).toEqual([]);
    expect((await stack.status()).Drill).toBeNull();
  }, 120_000);

  test('nothing to rehearse while delivery is paused, or the beacon is away', async () => {
    await stack.control('pause');
    expect(await drill('db-1').ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('delivery is paused'),
    });
    await stack.control('resume');
    await stack.beacon.kill();
    await until('it is away', async () => (await stack.status()).State === 'waiting-for-beacon', {
      deadlineMs,
    });
    expect(await drill('db-1').ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('db-1 is away already'),
    });
    stack.beacon.restart();
    await atRest();
  }, 120_000);

  test('a request that is none is refused with its field', async () => {
    await expect(stack.control('drill', { BeaconID: 'db-1', Seconds: 601 })).rejects.toThrow(
      'Seconds: expected an integer from 1 to 600',
    );
    await expect(stack.control('drill', { BeaconID: 'db-1', Seconds: 1.5 })).rejects.toThrow(
      'Seconds',
    );
    await expect(stack.control('drill', { Seconds: 5 })).rejects.toThrow('BeaconID');
  });

  test('in the end every accepted write is at the database, and the balance is even', async () => {
    over.abort();
    traffic.child.kill('SIGTERM');
    await publishing;
    const { Balance, Queue } = await stack.drained();
    expect([Balance.queue.Difference, Balance.manifest.Difference, Queue.DeadLetters]).toEqual([
      0, 0, 0,
    ]);
    expect(Balance.queue.Applied + Balance.queue.AlreadyPresent).toBe(Balance.queue.Accepted);
  }, 120_000);
});

describe('the time there is room for', () => {
  const roomy: Capacity = {
    UsedBytes: 1000,
    BytesMax: 11_000,
    FreeBytes: null,
    FreeBytesMin: null,
    Pending: 0,
    PendingMax: 100,
    ReserveBytes: 0,
    Refusing: null,
    TimeToFullSeconds: null,
  };
  test.each<[string, Partial<Capacity>, number, number | null]>([
    ['nothing comes in', {}, 0, null],
    ['the backlog is first', {}, 10, 10],
    ['the journal is first', { PendingMax: 1_000_000 }, 10, 10],
    ['the disk is first', { FreeBytes: 900, FreeBytesMin: 400 }, 5, 1],
    ['it fills already', { TimeToFullSeconds: 7 }, 0, 7],
    ['it is full', { Pending: 200 }, 1, 0],
  ])('%s', (_, more, rate, seconds) => {
    expect(secondsToFull({ ...roomy, ...more }, rate, 100)).toBe(seconds);
  });
});
