/**
 * Publishes a trace while killing worker, databeacon, nats-server and, where there is one, the
 * database server in turn at random moments, then says what the database holds.
 */
import { readFileSync } from 'node:fs';
import { isJsonObject } from '../../../contracts/body/json-value.ts';
import type { MarksFile, WorkerStatus } from '../../../contracts/status.ts';
import { type Comparison, compareWithFold } from '../rows/compare.ts';
import { foldCalls } from '../rows/fold.ts';
import { connectHub, publish } from './hub.ts';
import { ManualClock } from '../manual-clock.ts';
import { type Acceptance, orderComplaints } from '../rows/order.ts';
import type { Quirk } from '../quirky/quirky-beacon.ts';
import { quirkyRows } from '../quirky/quirky-beacon-rows.ts';
import { Stack } from './stack.ts';
import { lookAt, type TestDatabase } from '../servers/test-database.ts';
import type { TraceCall } from '../rows/trace.ts';
import { until } from '../until.ts';

export type KillOptions = {
  calls: readonly TraceCall[];
  killsEach: number;
  seed: number;
  inFlight?: number;
  drainMs?: number;
  workerArgs?: string[];
  /** Who is killed; all by default. */
  only?: readonly Victim[];
  /**
   * The next kill comes as soon as enough writes were answered, well or not; for hundreds of them.
   */
  isQuick?: boolean;
  /** The database server behind the databeacon; a SQLite file by default. */
  server?: TestDatabase;
  /** A beacon that is not ours. */
  quirks?: readonly Quirk[];
};

export type KillReport = {
  seed: number;
  kills: Record<Victim, number>;
  sent: number;
  accepted: Acceptance[];
  duplicates: number;
  refused: { method: string; reason: string }[];
  /** Seqs that two writes got. */
  sharedSeqs: number;
  comparison: Comparison;
  order: string[];
  balance: WorkerStatus['Balance'];
  /** Reads of the HWM file while all this went on, and what was wrong with some. */
  marksReads: number;
  marksFaults: string[];
  seconds: number;
};

const parts = ['worker', 'beacon', 'nats'] as const;
export type Victim = (typeof parts)[number] | 'database';

/**
 * Between a kill and the restart at most; short, so that restarts overlap with what others still
 * do.
 */
const downMsMax = { thorough: 700, quick: 100 };
/**
 * After that share of the kills the next waits until all is well; after the others it may hit what
 * is still starting.
 */
const awaitedShare = { thorough: 0.7, quick: 0 };
/** One answer is awaited so long, and a write sent again after that pause at most. */
const patience = {
  thorough: { timeoutMs: 1_000, longestMs: 500 },
  quick: { timeoutMs: 400, longestMs: 150 },
};
/** A restart of all parts on a loaded machine, and the backlog after it. */
const drainMsDefault = 90_000;

/** Runs it on a stack of its own. */
export async function killRun(options: KillOptions): Promise<KillReport> {
  const {
    calls,
    killsEach,
    seed,
    inFlight = 64,
    drainMs = drainMsDefault,
    workerArgs = [],
    isQuick = false,
    server,
    quirks,
  } = options;
  const { only = server ? [...parts, 'database' as const] : parts } = options;
  const startedMs = performance.now();
  const manner = isQuick ? 'quick' : 'thorough';
  const random = new ManualClock(0, seed);
  const database = (await server?.createDatabase()) ?? '';
  await using stack = await Stack.start({
    workerArgs,
    ...(quirks ? { quirks } : {}),
    ...(server ? { databaseUrl: server.url(database) } : {}),
  });
  await using hub = await connectHub(stack.nats.url, {
    timeoutMs: patience[manner].timeoutMs,
    retry: { giveUpMs: 120_000, longestMs: patience[manner].longestMs },
  });
  const marks = watchMarks(stack.workerFile('persistence-bridge-hwm.json'));
  const kills = { worker: 0, beacon: 0, nats: 0, database: 0 };
  const schedule = killSchedule(calls.length, { killsEach, only, manner }, random);
  let killing = Promise.resolve();
  let due = 0;
  const onAnswer = (answered: number): Promise<void> | null => {
    for (let next = schedule[0]; next && next.at <= answered; next = schedule[0]) {
      const strikeNow = next;
      schedule.shift();
      due += 1;
      killing = killing
        .then(() => strike(stack, strikeNow, server))
        .then(() => {
          kills[strikeNow.victim] += 1;
          due -= 1;
        });
    }
    // Publishing goes on during a kill, but not so far ahead that the kills come after it.
    return due > 1 ? killing : null;
  };
  const published = await publish(hub.client, calls, inFlight, onAnswer);
  await killing;
  const status = await stack.drained(drainMs);
  const seen = await marks.stop();
  const backend = server
    ? await lookAt(server, database)
    : quirks
      ? quirkyRows(stack.backendPath)
      : stack.backendPath;
  return {
    seed,
    kills,
    sent: calls.length,
    ...published,
    sharedSeqs: published.accepted.length - new Set(published.accepted.map((one) => one.seq)).size,
    comparison: compareWithFold(backend, foldCalls(calls, stack.hubId), stack.hubId),
    order: orderComplaints(backend, stack.hubId, published.accepted).slice(0, 20),
    balance: status.Balance,
    marksReads: seen.reads,
    marksFaults: seen.faults,
    seconds: Math.round((performance.now() - startedMs) / 100) / 10,
  };
}

type Strike = { at: number; victim: Victim; downMs: number; isAwaited: boolean };

type Plan = { killsEach: number; only: readonly Victim[]; manner: keyof typeof patience };

/** Every victim `killsEach` times, in a random order, spread over the answers. */
function killSchedule(
  total: number,
  { killsEach, only, manner }: Plan,
  random: ManualClock,
): Strike[] {
  const order = only
    .flatMap((victim) =>
      Array.from({ length: killsEach }, () => ({ victim, rank: random.random() })),
    )
    .toSorted((one, other) => one.rank - other.rank);
  const step = (total * 0.95) / order.length;
  return order.map(({ victim }, index) => ({
    at: Math.floor((index + random.random()) * step),
    victim,
    downMs: random.random() * downMsMax[manner],
    isAwaited: random.random() < awaitedShare[manner],
  }));
}

async function strike(
  stack: Stack,
  { victim, downMs, isAwaited }: Strike,
  server: TestDatabase | undefined,
): Promise<void> {
  await (victim === 'database' ? server?.kill() : stack[victim].kill());
  await new Promise((resolve) => {
    setTimeout(resolve, downMs);
  });
  if (victim === 'database') await server?.start();
  else if (victim === 'nats') await stack.nats.start();
  else stack[victim].restart();
  if (isAwaited)
    await until(
      `${victim} works again`,
      async () => (await stack.status()).State === 'bootstrapped',
      { deadlineMs: 60_000 },
    );
}

/** Reads the file in a tight loop until stopped; a file that is not there yet is no fault. */
function watchMarks(path: string): { stop(): Promise<{ reads: number; faults: string[] }> } {
  const faults: string[] = [];
  let reads = 0;
  const ended = new AbortController();
  const loop = (async () => {
    while (!ended.signal.aborted) {
      const text = readIfThere(path);
      if (text !== null) {
        reads += 1;
        const fault = marksFault(text);
        if (fault && faults.length < 20) faults.push(fault);
      }
      await new Promise((resolve) => {
        setTimeout(resolve, 1);
      });
    }
  })();
  return {
    stop: async () => {
      ended.abort();
      await loop;
      return { reads, faults };
    },
  };
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** What is wrong with the text of `persistence-bridge-hwm.json`, or null. */
export function marksFault(text: string): string | null {
  let file: MarksFile;
  try {
    file = JSON.parse(text) as MarksFile;
  } catch {
    return `not JSON: ${text.slice(0, 80)}`;
  }
  if (
    file.Version !== 2 ||
    typeof file.Store !== 'string' ||
    Number.isNaN(Date.parse(file.WrittenAt))
  )
    return `wrong head: ${text.slice(0, 120)}`;
  for (const lane of [file.Queue, file.Manifest] as unknown[]) {
    if (!isJsonObject(lane)) return `a lane is not an object: ${text.slice(0, 120)}`;
    for (const mark of Object.values(lane).flatMap(
      (beacon) => Object.values(beacon as object) as unknown[],
    )) {
      if (
        !isJsonObject(mark) ||
        typeof mark['Seq'] !== 'number' ||
        typeof mark['Pending'] !== 'number' ||
        !('EventGUID' in mark) ||
        !('RecordedAt' in mark) ||
        !('AppliedAt' in mark)
      ) {
        return `wrong mark: ${JSON.stringify(mark)}`;
      }
    }
  }
  return null;
}
