/**
 * What befalls the hub and its neighbours, round by round: the first ones are every way to end the
 * hub with the worker there, away and hung; the others are drawn.
 */
import type { Stack } from '../processes/stack.ts';
import { until } from '../until.ts';
import type { RealHub } from './hub-process.ts';

const workerStates = ['there', 'away', 'hung'] as const;
const signals = ['SIGTERM', 'SIGKILL'] as const;
const neighbours = ['none', 'bus', 'databeacon'] as const;

export type Round = {
  /** How the worker is while the hub works, and is ended. */
  worker: (typeof workerStates)[number];
  /** Ends the hub. */
  signal: (typeof signals)[number];
  /** Killed in the middle of the round, and started again. */
  neighbour: (typeof neighbours)[number];
  seconds: number;
};

/** The rounds that every run has. */
const fixed: Round[] = [
  ...workerStates.flatMap((worker) =>
    signals.map((signal): Round => ({ worker, signal, neighbour: 'none', seconds: 6 })),
  ),
  { worker: 'there', signal: 'SIGKILL', neighbour: 'bus', seconds: 6 },
  { worker: 'there', signal: 'SIGTERM', neighbour: 'databeacon', seconds: 6 },
  { worker: 'away', signal: 'SIGKILL', neighbour: 'bus', seconds: 6 },
  { worker: 'hung', signal: 'SIGTERM', neighbour: 'databeacon', seconds: 6 },
];

/** The fixed ones, then drawn ones without end; the same for a seed. */
export function* roundsOf(seed: number): Generator<Round> {
  yield* fixed;
  const random = randomOf(seed);
  const pick = <T>(all: readonly T[]) => all[Math.floor(random() * all.length)] as T;
  for (;;)
    yield {
      worker: pick(workerStates),
      signal: pick(signals),
      neighbour: pick(neighbours),
      seconds: 3 + Math.floor(random() * 8),
    };
}

/** Puts the worker into a state; the end of a round puts it back. */
export async function worsen(stack: Stack, { worker, signal }: Round): Promise<void> {
  if (worker === 'there') return;
  if (worker === 'hung') process.kill(stack.worker.pid, 'SIGSTOP');
  else if (signal === 'SIGTERM') await stack.worker.stop();
  else await stack.worker.kill();
}

/** Kills the neighbour, and starts it again after so long. */
export async function strike(stack: Stack, { neighbour }: Round, awayMs: number): Promise<void> {
  if (neighbour === 'none') return;
  const victim = neighbour === 'bus' ? stack.nats : stack.beacon;
  await victim.kill();
  await new Promise((resolve) => {
    setTimeout(resolve, awayMs);
  });
  if (neighbour === 'bus') await stack.nats.start();
  else stack.beacon.restart();
}

export async function mend(stack: Stack, { worker }: Round): Promise<void> {
  if (worker === 'hung') process.kill(stack.worker.pid, 'SIGCONT');
  stack.worker.restart();
  await until('the worker answers', () => stack.status(), { deadlineMs: 60_000 });
}

/** What a hub says of its bridges: how many writes wait in it. */
export async function waitingIn(hub: RealHub): Promise<number> {
  type Said = { Unanswered?: number };
  const { Queue, Manifest } = await hub.get<{ Queue: Said; Manifest: Said }>(
    '/Ultravisor/Persistence/Status',
  );
  return (Queue.Unanswered ?? 0) + (Manifest.Unanswered ?? 0);
}

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
