/**
 * `--offline` of the verbs that else ask a worker: the same in the same words, from the files of
 * --data.
 */
import { Option } from 'commander';
import type { MarksFile } from '../../contracts/status.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type OfflineLane, offlineMarks, type OfflineStatus, offlineStatus } from './offline.ts';
import { duration, print, printJson, size, table } from '../terminal/output.ts';
import type { VerbCall } from '../verb.ts';

export const offlineOption = new Option(
  '--offline',
  'from the files of --data; changes nothing, a worker may run',
);

/** @throws TidemarkError as `offlineStatus` */
export function showOfflineStatus({ config, isJson }: VerbCall): void {
  const status = offlineStatus(config.data, systemClock.nowMs());
  if (isJson) return printJson(status);
  print(
    `hub ${status.HubID || '-'}, from the files of ${status.Data}: what the bus and the ` +
      `databases do is not known  (schema ${status.SchemaVersion}, ${size(status.Bytes)}, ` +
      `store ${status.Store})`,
  );
  print(
    table(
      [
        'lane',
        'state',
        'beacon',
        'connection',
        'carrier',
        'head',
        'mark',
        'accepted',
        'pending',
        'oldest',
        'dead letters',
        'difference',
      ],
      [laneRow('queue', status.Queue, status), laneRow('manifest', status.Manifest, status)],
    ),
  );
  print(workerLine(status));
  for (const { At, Class, What } of status.Faults ?? []) print(`fault ${At} ${Class}: ${What}`);
}

function laneRow(name: 'queue' | 'manifest', lane: OfflineLane, { Balance }: OfflineStatus) {
  const state = lane.IsPaused ? `${lane.State}, paused` : lane.State;
  return [
    name,
    state,
    lane.AssignedBeaconID,
    lane.AssignedBeaconID === null ? null : String(lane.IDBeaconConnection),
    lane.Carrier,
    lane.Seq.Head,
    lane.Seq.Mark,
    Balance[name].Accepted,
    lane.Pending,
    lane.Pending > 0 ? duration(lane.OldestPendingMs) : null,
    lane.DeadLetters,
    Balance[name].Difference,
  ];
}

function workerLine({ LastStart, LockHeldBy }: OfflineStatus): string {
  const start = LastStart
    ? `last start ${LastStart.StartedAt} (pid ${LastStart.Pid})`
    : 'no start is noted';
  if (LockHeldBy !== null) return `worker: pid ${LockHeldBy} holds the lock; ${start}`;
  if (!LastStart) return `worker: nobody is seen to hold the lock; ${start}`;
  return (
    `worker: nobody is seen to hold the lock; ${start}, ` +
    (LastStart.StoppedAt === null ? 'no stop is noted' : `stopped ${LastStart.StoppedAt}`)
  );
}

/** @throws TidemarkError as `offlineMarks` */
export function readOfflineMarks({ config }: VerbCall): MarksFile {
  return offlineMarks(config.data, systemClock.nowMs());
}
