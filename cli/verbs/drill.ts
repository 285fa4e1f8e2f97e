/** The verb that rehearses an outage on a running system and proves that nothing was lost. */
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
/** A restarted worker is back within this time. */
const awayMs = 30_000;
/** The worker first watches the incoming writes for a while. */
const startMs = 5_000 + limits.drillWatchMs;
const noDrill = 'no drill is running';

export const drillVerbs: readonly VerbSpec[] = [
  {
    name: 'drill',
    summary: 'rehearse an outage: a beacon counts as away for a while',
    topic: 'act',
    run: drill,
    args: [['[beacon]', 'BeaconID, one that a lane is assigned to']],
    options: [
      new Option('--seconds <n>', `how long, at most ${limits.drillSecondsMax}`)
        .default(30)
        .argParser(countFrom(1, limits.drillSecondsMax)),
      new Option('--recover <seconds>', 'how long to wait until the buffered writes are delivered')
        .default(600)
        .argParser(countFrom(1)),
      new Option('--force', 'start even if the buffer may fill up before the end'),
      new Option('--stop', 'end the running drill'),
    ],
    examples: ['drill db-1 --seconds 60', 'drill db-1 --seconds 10 --json', 'drill --stop'],
    notes:
      'Writes are still accepted. The drill ends at its deadline, even if this command ' +
      'is killed, and with the worker; Ctrl-C ends it at once.\nExit 1 when a proof ' +
      'fails or the drill was cut short.',
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
  else print(before ? `the drill of ${before.BeaconID} has ended` : noDrill);
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
          ? 'interrupted: the drill has ended, the beacon no longer counts as away'
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

/** `report` is null when the drill ended with its worker. */
async function untilEnded(
  ask: Ask,
  { before, stop: interrupted, tell }: Watch,
): Promise<{ report: DrillReport | null; isCut: boolean }> {
  for (;;) {
    const status = await patiently(() => ask<WorkerStatus>('status'));
    if (status.StartedAt !== before.StartedAt) {
      say('the worker was restarted, which ended the drill');
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
 * Recovered means that each lane of the beacon has delivered what was accepted by the end of the
 * drill. Later writes may still be pending.
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
 * Retries while the worker may be restarting.
 * @throws TidemarkError UNAVAILABLE when it does not come back
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
