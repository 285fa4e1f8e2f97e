/**
 * Calls of a trace through the drop-in bridges as a coordinator makes them, several at once and not
 * waited for, while worker and bus are killed; then the database against the fold.
 */
import { compareWithFold, type Comparison } from '../rows/compare.ts';
import { type FoldCall, foldCalls } from '../rows/fold.ts';
import { Stack } from './stack.ts';
import type { TraceCall } from '../rows/trace.ts';
import { until } from '../until.ts';
import { ManifestStoreBridge, QueuePersistenceBridge } from '../../../dropin/bridges.ts';
import type { BridgeReply } from '../../../dropin/envelopes.ts';

export type DropinReport = {
  kills: { worker: number; nats: number };
  unansweredAtKills: number[];
  answered: number;
  failed: { method: string; reason: string }[];
  comparison: Comparison;
  overtaken: string[];
  seconds: number;
};

type Options = {
  calls: readonly TraceCall[];
  workerKills: number;
  busKills: number;
  drainMs?: number;
};
type Made = { call: TraceCall; answer: Promise<BridgeReply> };

/**
 * Calls made in one go, before the event loop turns: a coordinator's step is a handful, its bursts
 * are more.
 */
const burst = 25;
/** Unanswered calls after which the traffic pauses, so that the kills come in the middle of it. */
const aheadMax = 300;

export async function dropinRun({
  calls,
  workerKills,
  busKills,
  drainMs = 120_000,
}: Options): Promise<DropinReport> {
  const startedMs = performance.now();
  await using stack = await Stack.start();
  const queue = new QueuePersistenceBridge({ NatsURL: stack.nats.url, HubID: stack.hubId });
  const manifests = new ManifestStoreBridge({ NatsURL: stack.nats.url, HubID: stack.hubId });
  const kills = { worker: 0, nats: 0 };
  const unansweredAtKills: number[] = [];
  const victims = victimsOf(workerKills, busKills);
  const killEvery = Math.ceil(calls.length / (victims.length + 1));
  const made: Made[] = [];
  let killing = Promise.resolve();
  for (let at = 0; at < calls.length; at += burst) {
    const count = kills.worker + kills.nats;
    const victim = Math.floor((at + burst) / killEvery) > count ? victims[count] : undefined;
    if (victim) await killing;
    for (const call of calls.slice(at, at + burst))
      made.push({
        call,
        answer: callBridge(call.method.includes('Manifest') ? manifests : queue, call),
      });
    if (victim) {
      unansweredAtKills.push(queue.unanswered + manifests.unanswered);
      kills[victim] += 1;
      killing = strike(stack, victim);
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
    if (queue.unanswered + manifests.unanswered > aheadMax)
      await until(
        'the worker answers again',
        () => queue.unanswered + manifests.unanswered < aheadMax,
        { deadlineMs: 60_000, everyMs: 2 },
      );
  }
  await killing;
  const answers = await Promise.all(
    made.map(async ({ call, answer }) => ({ call, answer: await answer })),
  );
  await stack.drained(drainMs);
  await Promise.all([queue.close(), manifests.close()]);
  return {
    kills,
    unansweredAtKills,
    answered: answers.filter(({ answer }) => answer.Success).length,
    failed: answers
      .filter(({ answer }) => !answer.Success)
      .map(({ call, answer }) => ({ method: call.method, reason: String(answer.Reason) }))
      .slice(0, 20),
    comparison: compareWithFold(
      stack.backendPath,
      foldCalls(foldable(answers), stack.hubId),
      stack.hubId,
    ),
    overtaken: overtakenKeys(answers),
    seconds: Math.round((performance.now() - startedMs) / 100) / 10,
  };
}

/** The bus's turns spread among the worker's. */
function victimsOf(workerKills: number, busKills: number): ('worker' | 'nats')[] {
  const worker = Array.from({ length: workerKills }, (_, n) => ({
    victim: 'worker' as const,
    at: (n + 1) / workerKills,
  }));
  const nats = Array.from({ length: busKills }, (_, n) => ({
    victim: 'nats' as const,
    at: (n + 0.5) / busKills,
  }));
  return [...worker, ...nats]
    .toSorted((one, other) => one.at - other.at)
    .map(({ victim }) => victim);
}

/** A bridge's method by the trace's name, as a hub calls it. */
function callBridge(bridge: object, { method, args }: TraceCall): Promise<BridgeReply> {
  const run = (bridge as Record<string, (...args: unknown[]) => Promise<BridgeReply>>)[method];
  if (!run) throw new Error(`the bridge has no method ${method}`);
  return run.apply(bridge, args);
}

async function strike(stack: Stack, victim: 'worker' | 'nats'): Promise<void> {
  await stack[victim].kill();
  if (victim === 'nats') await stack.nats.start();
  else stack.worker.restart();
  await until(`${victim} works again`, () => stack.status(), { deadlineMs: 60_000 });
}

/**
 * The fold's calls: an event has the identity and the number the bridge gave it, which is its place
 * among the events.
 */
function foldable(answers: readonly { call: TraceCall; answer: BridgeReply }[]): FoldCall[] {
  let events = 0;
  return answers.map(({ call, answer }) => {
    if (call.method !== 'appendEvent') return call;
    events += 1;
    return {
      method: call.method,
      args: [{ ...(call.args[0] as object), Seq: events }],
      eventGuid: String(answer['EventGUID']),
    };
  });
}

function overtakenKeys(answers: readonly { call: TraceCall; answer: BridgeReply }[]): string[] {
  const last = new Map<string, number>();
  const overtaken: string[] = [];
  for (const { call, answer } of answers) {
    const [first] = call.args;
    const key =
      typeof first === 'string'
        ? first
        : String(
            (first as Record<string, unknown>)['WorkItemHash'] ??
              (first as Record<string, unknown>)['Hash'],
          );
    const seq = Number(answer['Seq']);
    if (seq <= (last.get(key) ?? 0)) overtaken.push(key);
    last.set(key, seq);
  }
  return overtaken;
}
