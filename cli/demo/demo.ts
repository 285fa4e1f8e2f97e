/**
 * `demo`: publishes a recorded trace, kills the databeacon midway, restarts it, and proves from the
 * database that nothing was lost or doubled.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TidemarkError } from '../../contracts/errors.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { systemClock } from '../../runtime/clock.ts';
import { duration, table } from '../terminal/output.ts';
import type { Summary } from '../publish/counts.ts';
import { publish } from '../publish/publish.ts';
import { readTrace } from '../publish/trace-file.ts';
import { expectedOf } from './expected.ts';
import { type Proof, proofsOf } from './proofs.ts';
import { type DemoOptions, DemoStack } from './stack.ts';

/** Slow enough for people to see the lag grow. */
const awayPerSecond = 100;
const stepMs = 30_000;
const lookEveryMs = 400;

const lagOf = (status: WorkerStatus) => status.Queue.Pending + status.Manifest.Pending;

type Send = (more: {
  rate?: number;
  lines?: (number: number, path: string) => boolean;
}) => Promise<Summary>;

/**
 * Runs the whole demonstration.
 * @returns the proofs, each ok or not
 */
export async function runDemo(options: DemoOptions): Promise<Proof[]> {
  const startedMs = systemClock.monotonicMs();
  const tookMs = () => systemClock.monotonicMs() - startedMs;
  const say = (line: string) =>
    options.say(`${(tookMs() / 1_000).toFixed(1).padStart(5)} s  ${line}`);
  const files = traceFiles();
  const expected = await expectedOf(files);
  const halfOf = new Map<string, number>();
  for (const path of files) halfOf.set(path, await middleOf(path));
  const isFirstHalf = (number: number, path: string) => number <= (halfOf.get(path) ?? 0);
  const stack = new DemoStack(options);
  const send = sendingTo(stack, files, options.stop);
  try {
    say('starting a nats-server, a databeacon on a fresh SQLite file, and a worker');
    await stack.start();
    say('ready; publishing the first half of the trace');
    const first = await send({ lines: isFirstHalf });
    await stack.until('the first half is delivered', (status) => lagOf(status) === 0, stepMs);
    say(`accepted ${first.Accepted} writes, all delivered; killing the databeacon (SIGKILL)`);
    await stack.killBeacon();
    say('publishing the second half while it is away');
    const sending = send({ rate: awayPerSecond, lines: (...line) => !isFirstHalf(...line) });
    const second = await watched(stack, say, sending);
    await showOutage(stack, say, expected.workItems.keys().next().value ?? '');
    say('starting the databeacon again');
    stack.startBeacon();
    await stack.until(
      'the lag is zero',
      (status) => lagOf(status) === 0 && status.State === 'bootstrapped',
      stepMs,
    );
    say('lag is zero; publishing everything once more');
    const again = await send({});
    const status = await stack.until('the lag is zero', (one) => lagOf(one) === 0, stepMs);
    say(`accepted ${again.Accepted}, duplicates ${again.Duplicates}; reading the database`);
    const proofs = proofsOf(stack.database, expected, { first, second, again }, status);
    showProofs(options.say, proofs, duration(tookMs()));
    return proofs;
  } finally {
    await stack.stop();
  }
}

function sendingTo(stack: DemoStack, files: readonly string[], stop: AbortSignal): Send {
  return (more) =>
    publish({
      files,
      bus: { servers: stack.url, name: 'tidemark-demo' },
      hub: stack.hub,
      concurrency: 64,
      batch: 1,
      rate: 0,
      giveUpMs: stepMs,
      isOneWay: false,
      signal: stop,
      out: { isTerminal: false, write: () => undefined },
      ...more,
    });
}

/** Shows the lag growing while `sending` runs. */
async function watched(
  stack: DemoStack,
  say: (line: string) => void,
  sending: Promise<Summary>,
): Promise<Summary> {
  for (;;) {
    const status = await stack.onlooker.status();
    say(`  ${status.State}, lag ${lagOf(status)}`);
    const summary = await Promise.race([systemClock.sleep(lookEveryMs), sending]);
    if (summary) return summary;
  }
}

async function showOutage(
  stack: DemoStack,
  say: (line: string) => void,
  hash: string,
): Promise<void> {
  const status = await stack.until(
    'the worker sees that the databeacon is away',
    (one) => one.State === 'waiting-for-beacon',
    stepMs,
  );
  say(`  ${status.State}, lag ${lagOf(status)}: every write was accepted all the same`);
  const answer = await stack.onlooker.read('queue', 'QP_GetWorkItemByHash', { WorkItemHash: hash });
  const item = answer['WorkItem'] as { Status?: string } | null;
  say(`  read of ${hash}: Status ${item?.Status}, answered from the ${String(answer['Source'])}`);
}

function showProofs(say: (line: string) => void, proofs: readonly Proof[], took: string): void {
  say('');
  say(
    table(
      ['proof', 'expected', 'found', ''],
      proofs.map(({ name, expected, found, isOk }) => [
        name,
        Number(expected),
        Number(found),
        isOk ? 'ok' : 'FAILED',
      ]),
    ),
  );
  say('');
  const failed = proofs.filter((proof) => !proof.isOk).length;
  say(
    failed === 0
      ? `every accepted write is in the database once (${took})`
      : `${failed} proofs failed (${took})`,
  );
}

/**
 * The traces bundled with the package: two folders up in the sources, three in the build.
 * @throws TidemarkError NOT_THERE
 */
function traceFiles(): string[] {
  return ['demo-queue.jsonl', 'demo-manifest.jsonl'].map((name) => {
    const paths = ['../../examples/', '../../../examples/'].map((at) =>
      fileURLToPath(new URL(at + name, import.meta.url)),
    );
    const found = paths.find((path) => existsSync(path));
    if (!found)
      throw new TidemarkError(
        'NOT_THERE',
        `the bundled trace ${name} is missing; is the package complete?`,
      );
    return found;
  });
}

/** The line number in the middle of a file. */
async function middleOf(path: string): Promise<number> {
  let last = 0;
  for await (const line of readTrace(path)) last = line.number;
  return Math.floor(last / 2);
}
