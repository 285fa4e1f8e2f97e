/**
 * The verb that rehearses an outage on the running system, and proves that nothing was lost by it.
 */
import { Option } from 'commander';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { DrillReply, DrillReport, WorkerStatus } from '../../contracts/status.ts';
import type { Lane } from '../../contracts/subjects.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Ask, withControl } from './control-client.ts';
import { laneStatusOf, lanesOf, resultOf, tellResult } from './drill-result.ts';
import { duration, print, printJson, say } from '../terminal/output.ts';
import { Progress } from '../terminal/progress.ts';
import { onStopSignals } from '../terminal/signals.ts';
import { countFrom, type VerbCall, type VerbSpec } from '../verb.ts';

const pollMs = 200;
/** A worker that is started again is back within this time. */
const awayMs = 30_000;
/** It watches what comes in before it begins. */
const startMs = 5_000 + limits.drillWatchMs;
const noDrill = 'no drill runs';

export const drillVerbs: readonly VerbSpec[] = [
  {
    name: 'drill',
    summary: 'rehearse an outage: a beacon counts as away for a while',
    topic: 'act',
    run: drill,
    args: [['[beacon]', 'BeaconID, one that a lane is assigned to']],
    options: [
      new Option('--seconds <n>', `how long, ${limits.drillSecondsMax} at most`)
        .default(30)
        .argParser(countFrom(1, limits.drillSecondsMax)),
      new Option('--recover <seconds>', 'how long to wait for what was buffered to be delivered')
        .default(600)
        .argParser(countFrom(1)),
      new Option('--force', 'also where the buffer may be full before the end'),
      new Option('--stop', 'end the drill that runs'),
    ],
    examples: ['drill db-1 --seconds 60', 'drill db-1 --seconds 10 --json', 'drill --stop'],
    notes:
      'Writes go on being accepted. It ends by itself at its deadline, also when this ' +
      'command died, and with the worker; Ctrl-C ends it at once.\nExit 1 when a proof ' +
      'fails or it was cut short.',
  },
];

function drill(call: VerbCall): Promise<number> {
  const [beacon] = call.args;
  if (call.flags['stop'] === true) return withControl(call.config, (ask) => stop(ask, call.isJson));
  if (beacon === undefined)
    throw new TidemarkError(
      'CONFIG_INVALID',
      'which beacon? tidemark drill <beacon>; tidemark status names the assigned one',
    );
  return withControl(call.config, (ask) => rehearse(ask, beacon, call));
}

async function stop(ask: Ask, isJson: boolean): Promise<number> {
  const { Drill: before } = await ask<DrillReply>('drill');
  const reply = await ask<DrillReply>('drill', { Stop: true });
  if (isJson) printJson(reply);
  else print(before ? `the drill of ${before.BeaconID} is ended` : noDrill);
  return 0;
}

async function rehearse(ask: Ask, beacon: string, { flags, isJson }: VerbCall): Promise<number> {
  const seconds = flags['seconds'] as number;
  const stopping = onStopSignals();
  stopping.kill.addEventListener('abort', () => process.exit(1));
  const before = await ask<WorkerStatus>('status');
  await ask<DrillReply>(
    'drill',
    { BeaconID: beacon, Seconds: seconds, Force: flags['force'] === true },
    startMs,
  );
  say(`drill: ${beacon} counts as away for ${seconds} s; Ctrl-C ends it`);
  const progress = new Progress();
  try {
    const { report, isCut } = await untilEnded(ask, {
      before,
      stop: stopping.stop,
      tell: progress.tell,
    });
    progress.end();
    if (isCut)
      say(
        report
          ? 'interrupted: the drill is ended, the beacon counts as there again'
          : 'interrupted',
      );
    const { status, ms } = await untilRecovered(ask, report, {
      beacon,
      waitMs: (flags['recover'] as number) * 1000,
      tell: progress.tell,
    });
    progress.end();
    const result = resultOf({ beacon, report, before, after: status, recoveredMs: ms });
    if (isJson) printJson(result);
    else tellResult(result);
    return result.EndedBy === 'deadline' && result.Proofs.every((one) => one.IsOk) ? 0 : 1;
  } finally {
    progress.end();
  }
}

type Watch = { before: WorkerStatus; stop: AbortSignal; tell: (line: string) => void };

/** Null for the report of a drill that ended with its worker. */
async function untilEnded(
  ask: Ask,
  { before, stop: interrupted, tell }: Watch,
): Promise<{ report: DrillReport | null; isCut: boolean }> {
  for (;;) {
    const status = await patiently(() => ask<WorkerStatus>('status'));
    if (status.StartedAt !== before.StartedAt) {
      say('the worker was started again, and the drill ended with the one before');
      return { report: null, isCut: false };
    }
    if (!status.Drill)
      return { report: (await patiently(() => ask<DrillReply>('drill'))).Last, isCut: false };
    if (interrupted.aborted)
      return { report: (await ask<DrillReply>('drill', { Stop: true })).Last, isCut: true };
    const left = Math.max(0, Date.parse(status.Drill.Until) - systemClock.nowMs());
    tell(
      `drill: ${duration(left)} left, ${status.Queue.Pending + status.Manifest.Pending} undelivered, ${status.State}`,
    );
    await systemClock.sleep(pollMs, interrupted);
  }
}

/**
 * Recovered is every lane of the beacon that has what was accepted by the end of the drill; what
 * comes in meanwhile may be under way.
 */
async function untilRecovered(
  ask: Ask,
  report: DrillReport | null,
  { beacon, waitMs, tell }: { beacon: string; waitMs: number; tell: (line: string) => void },
) {
  const beganMs = systemClock.monotonicMs();
  let heads: Partial<Record<Lane, number>> | null =
    report &&
    Object.fromEntries(Object.entries(report.Lanes).map(([lane, { Head }]) => [lane, Head]));
  for (;;) {
    const status = await patiently(() => ask<WorkerStatus>('status'));
    const served = lanesOf(status, beacon);
    heads ??= Object.fromEntries(served.map((lane) => [lane, laneStatusOf(status, lane).Seq.Head]));
    const ms = systemClock.monotonicMs() - beganMs;
    const isDone = served.every(
      (lane) =>
        laneStatusOf(status, lane).State === 'bootstrapped' &&
        laneStatusOf(status, lane).Seq.Mark >= (heads?.[lane] ?? 0),
    );
    if (isDone) return { status, ms };
    if (ms > waitMs) return { status, ms: null };
    tell(
      `recovering: ${status.Queue.Pending + status.Manifest.Pending} undelivered, ${status.State}`,
    );
    await systemClock.sleep(pollMs);
  }
}

/**
 * A worker may be started again in the middle.
 * @throws TidemarkError UNAVAILABLE when it stays away
 */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const untilMs = systemClock.monotonicMs() + awayMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (
        !(error instanceof TidemarkError) ||
        error.code !== 'UNAVAILABLE' ||
        systemClock.monotonicMs() > untilMs
      )
        throw error;
      await systemClock.sleep(pollMs);
    }
  }
}
