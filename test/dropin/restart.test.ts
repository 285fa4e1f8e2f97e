/**
 * A hub that is ended in the middle of its traffic, ten times, by either signal, with the worker
 * there, away and hung: every call it made is in the database once, and its runs are as it left
 * them. The recording of its calls is the judge.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { faultsOf, recordedCalls } from '../kit/dropin/recording.ts';
import { Stack } from '../kit/processes/stack.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { until } from '../kit/until.ts';

const dir = tempDir('hub');
let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
}, 90_000);
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

type Worker = 'there' | 'away' | 'hung';
const lives: { worker: Worker; signal: 'SIGTERM' | 'SIGKILL' }[] = [
  { worker: 'there', signal: 'SIGKILL' },
  { worker: 'there', signal: 'SIGTERM' },
  { worker: 'away', signal: 'SIGTERM' },
  { worker: 'away', signal: 'SIGKILL' },
  { worker: 'hung', signal: 'SIGTERM' },
  { worker: 'hung', signal: 'SIGKILL' },
  { worker: 'there', signal: 'SIGKILL' },
  { worker: 'away', signal: 'SIGKILL' },
  { worker: 'hung', signal: 'SIGTERM' },
  { worker: 'there', signal: 'SIGTERM' },
];

function hubOf(life: number, perSecond: number): TidemarkProcess {
  return new TidemarkProcess(
    [dir.path, stack.nats.url, stack.hubId, String(life), String(perSecond)],
    {},
    [],
    'test/kit/dropin/hub-child.ts',
  );
}

async function make(worker: Worker, was: Worker): Promise<void> {
  if (was === 'hung' && worker !== 'hung') process.kill(stack.worker.pid, 'SIGCONT');
  if (worker === 'away') await stack.worker.kill();
  else stack.worker.restart();
  if (worker === 'hung' && was !== 'hung') {
    await until('the worker serves', () => stack.status());
    process.kill(stack.worker.pid, 'SIGSTOP');
  }
}

type Said = { runs?: [string, string][]; waiting?: number };
const saidOf = (hub: TidemarkProcess): Said[] =>
  hub.stdout
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Said);

test('ended ten times in mid-traffic, a hub loses no call and doubles none (I1)', async () => {
  let was: Worker = 'there';
  let wasWaiting = 0;
  for (const [life, { worker, signal }] of lives.entries()) {
    await make(worker, was);
    was = worker;
    await using hub = hubOf(life, 40);
    const made = recorded();
    await until('it is in the middle of its traffic', () => recorded() > made + 150);
    wasWaiting += saidOf(hub).findLast(({ waiting }) => waiting !== undefined)?.waiting ?? 0;
    process.kill(hub.pid, signal);
    await hub.exited;
  }
  await make('there', was);
  await using hub = hubOf(lives.length, 0);
  await until('all that waited is sent', () => saidOf(hub).at(-1)?.waiting === 0, {
    deadlineMs: 90_000,
  });
  const last = saidOf(hub)[0]?.runs ?? [];
  await stack.drained(90_000);
  expect(wasWaiting).toBeGreaterThan(100);
  expect(faultsOf(dir.path, stack.backendPath)).toEqual([]);
  // A run whose end a signal kept from being called has failed; all others are as they were left.
  const { calls, unreturned } = recordedCalls(dir.path);
  const ended = new Set(
    calls
      .filter(({ method, number }) => method === 'upsertManifest' && !unreturned.has(number))
      .map(({ key }) => key),
  );
  const wrong = last.filter(([hash, state]) => ended.has(hash) && state === 'Error');
  expect(last.length).toBeGreaterThan(10);
  expect(wrong).toEqual([]);
  expect(last.filter(([, state]) => state === 'WaitingForInput').length).toBeGreaterThan(0);
}, 300_000);

function recorded(): number {
  try {
    return recordedCalls(dir.path).calls.length;
  } catch {
    return 0;
  }
}
