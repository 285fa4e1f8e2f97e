/**
 * Backlog campaign: the databeacon goes away after part of the traffic was delivered, hundreds of
 * thousands of writes follow (most sharing their millisecond with others, many updates of items
 * delivered before), reads go on, and on its return the rows are compared with the fold. `node
 * test/campaigns/backlog.ts [writes]`; figures as JSON; exits 1 when anything is missing, doubled
 * or different.
 */
import { compareWithFold } from '../kit/rows/compare.ts';
import { foldCalls } from '../kit/rows/fold.ts';
import { connectHub, publish } from '../kit/processes/hub.ts';
import { Stack } from '../kit/processes/stack.ts';
import { guidOf, readTrace, type TraceCall, traceFiles, writeMethods } from '../kit/rows/trace.ts';
import { until } from '../kit/until.ts';

const wanted = Number(process.argv[2] ?? 200_000);
const files = traceFiles('full').length > 0 ? traceFiles('full') : traceFiles('bundled');
const recorded = files.flatMap(readTrace).filter((call) => writeMethods.has(call.method));
const items = recorded
  .filter((call) => call.method === 'upsertWorkItem')
  .map((call) => (call.args[0] as { WorkItemHash: string }).WorkItemHash);

/**
 * Traffic that comes after: the recorded one again under other names, with an update of an old item
 * between every three.
 */
function later(count: number): TraceCall[] {
  const calls: TraceCall[] = [];
  for (let at = 0; calls.length < count; at++) {
    const round = Math.floor(at / recorded.length);
    const call = recorded[at % recorded.length] as TraceCall;
    const args = JSON.parse(
      JSON.stringify(call.args)
        .replaceAll('"wi-', `"r${round}-wi-`)
        .replaceAll('"run-', `"r${round}-run-`),
    ) as unknown[];
    calls.push({ method: call.method, args, eventGuid: guidOf(`later:${at}`) });
    if (at % 3 === 0) {
      calls.push({
        method: 'updateWorkItem',
        args: [items[at % items.length], { Priority: at, LastEventAt: '2026-11-21T03:00:00.000Z' }],
        eventGuid: guidOf(`update:${at}`),
      });
    }
  }
  return calls.slice(0, count);
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; seconds: number }> {
  const started = performance.now();
  const value = await work();
  return { value, seconds: Math.round(performance.now() - started) / 1000 };
}

const stack = await Stack.start();
const hub = await connectHub(stack.nats.url, { batch: { itemsMax: 200, delayMs: 2 } });
const first = await timed(() => publish(hub.client, recorded, 512));
await stack.drained();
await stack.beacon.kill();
const away = await timed(() =>
  until('the lanes wait', async () => (await stack.status()).State === 'waiting-for-beacon', {
    deadlineMs: 10_000,
  }),
);
const calls = later(wanted);
const second = await timed(() => publish(hub.client, calls, 512));
const waiting = await stack.status();
const item = await timed(() => hub.client.getWorkItemByHash(items[0] ?? ''));
const list = await timed(() =>
  hub.client.listWorkItems({ Status: 'Complete', OrderBy: '-EnqueuedAt', Limit: 100 }),
);
const listAgain = await timed(() =>
  hub.client.listWorkItems({ Status: 'Complete', OrderBy: '-EnqueuedAt', Limit: 100 }),
);
stack.beacon.restart();
const drain = await timed(() => stack.drained(600_000));
const comparison = compareWithFold(
  stack.backendPath,
  foldCalls([...recorded, ...calls], stack.hubId),
  stack.hubId,
);
const { Balance } = drain.value;
await hub[Symbol.asyncDispose]();
await stack[Symbol.asyncDispose]();

const isGood =
  comparison.differences === 0 &&
  first.value.refused.length + second.value.refused.length === 0 &&
  second.value.accepted.length === calls.length &&
  Balance.queue.Difference === 0 &&
  Balance.manifest.Difference === 0 &&
  item.value.Source === 'journal' &&
  list.value.Source === 'journal';
console.log(
  JSON.stringify(
    {
      good: isGood,
      delivered: {
        writes: recorded.length,
        acceptedPerSecond: Math.round(recorded.length / first.seconds),
      },
      waitingAfterSeconds: away.seconds,
      backlog: {
        writes: calls.length,
        acceptedPerSecond: Math.round(calls.length / second.seconds),
        pending: waiting.Queue.Pending + waiting.Manifest.Pending,
      },
      reads: {
        itemSeconds: item.seconds,
        listSeconds: list.seconds,
        listAgainSeconds: listAgain.seconds,
        source: list.value.Source,
      },
      drain: { seconds: drain.seconds, entriesPerSecond: Math.round(calls.length / drain.seconds) },
      comparison: {
        rows: comparison.rows,
        differences: comparison.differences,
        first: comparison.first.slice(0, 5),
      },
      balance: Balance,
    },
    null,
    2,
  ),
);
process.exit(isGood ? 0 : 1);
