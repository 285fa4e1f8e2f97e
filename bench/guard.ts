/**
 * Accepting with the guard of the state files, against without: two journals in this process, in
 * turns, without a bus that would hide the cost.
 */
import { join } from 'node:path';
import { decodeEnvelope, type WriteEnvelope } from '../contracts/envelope.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';
import { Intake } from '../worker/intake/intake.ts';
import { openLocal } from '../worker/journal/local.ts';
import { openStore } from '../worker/state/open/open-store.ts';
import { watchFiles } from '../worker/process/watch.ts';
import { atFullSpeed, median, round } from './load.ts';
import { newEventGuid, recordedWrites, type Rig } from './rig.ts';

const hub = 'guard';
/**
 * One in flight is the worst case, because every write pays for its own check. Its rounds are
 * shorter than the disk's slow phases, so there are more of them.
 */
const loads = [
  { inFlight: 256, perRun: 20_000, rounds: 9 },
  { inFlight: 1, perRun: 250, rounds: 61 },
];

function openIntake(folder: string, isGuarded: boolean): { intake: Intake; close: () => void } {
  const log = createLog('bench', 'silent');
  const store = openStore(folder);
  const { journal } = openLocal(store, hub);
  const fail = (error: Error) => {
    throw error;
  };
  const stop = isGuarded
    ? watchFiles({ store, clock: systemClock, log, onFault: fail })
    : () => undefined;
  if (!isGuarded) {
    // As before the guard existed: SQLite checkpoints by itself, and nobody checks the files.
    store.db.pragma('wal_autocheckpoint = 2000');
    store.assertSameFiles = () => undefined;
    store.wrote = () => undefined;
  }
  const intake = new Intake({
    store,
    journal,
    clock: systemClock,
    log,
    pressure: { refusal: () => null, took: () => undefined, full: () => undefined },
    events: { onAccepted: () => undefined, onFault: fail },
  });
  return {
    intake,
    close: () => {
      stop();
      store.close();
    },
  };
}

function prepare(count: number): WriteEnvelope[] {
  return recordedWrites(count).map(
    ({ lane, action, settings }) =>
      decodeEnvelope(
        { EventGUID: newEventGuid(), Settings: settings },
        lane,
        action,
      ) as WriteEnvelope,
  );
}

/** Time per write with the guard, relative to without; the target is at most 15 % more. */
export async function benchGuard(rig: Rig) {
  const on = openIntake(join(rig.dir, 'on'), true);
  const off = openIntake(join(rig.dir, 'off'), false);
  const results: Record<string, unknown> = {};
  for (const { inFlight, perRun, rounds } of loads) {
    const ratios: number[] = [];
    const speeds = { on: [] as number[], off: [] as number[] };
    for (let run = 0; run <= rounds; run++) {
      const measured = { on: 0, off: 0 };
      // The second one finds the disk as the first left it, so they take turns.
      for (const which of run % 2 ? (['on', 'off'] as const) : (['off', 'on'] as const)) {
        const { intake } = which === 'on' ? on : off;
        const bodies = prepare(perRun);
        measured[which] = (
          await atFullSpeed(perRun, inFlight, (index) =>
            intake.accept(bodies[index] as WriteEnvelope),
          )
        ).perSecond;
      }
      // The first run warms up both sides.
      if (run === 0) continue;
      ratios.push(measured.off / measured.on);
      speeds.on.push(measured.on);
      speeds.off.push(measured.off);
    }
    results[`inFlight${inFlight}`] = {
      ratio: round(median(ratios)),
      target: 1.15,
      isAtMost: true,
      ratios: ratios.map(round),
      onPerSecond: median(speeds.on),
      offPerSecond: median(speeds.off),
    };
  }
  on.close();
  off.close();
  return results;
}
