/**
 * The result of a drill: how much was buffered, how long recovery took, and proofs that nothing was
 * lost.
 */
import type { DrillReport, WorkerStatus } from '../../contracts/status.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import { coloured } from '../terminal/colour.ts';
import { duration, print } from '../terminal/output.ts';

type Proof = { Proof: string; IsOk: boolean; What: string };
export type DrillResult = {
  BeaconID: string;
  Seconds: number;
  EndedBy: DrillReport['EndedBy'] | 'restart';
  Accepted: number;
  PeakPending: number;
  RecoverySeconds: number | null;
  Proofs: Proof[];
};

export function resultOf({
  beacon,
  report,
  before,
  after,
  recoveredMs,
}: {
  beacon: string;
  report: DrillReport | null;
  before: WorkerStatus;
  after: WorkerStatus;
  recoveredMs: number | null;
}): DrillResult {
  const over = report ? Object.values(report.Lanes) : [];
  const sum = (of: readonly number[]) => of.reduce((total, one) => total + one, 0);
  const dead = (status: WorkerStatus) =>
    sum(lanes.map((lane) => laneStatusOf(status, lane).DeadLetters));
  const [wasDead, isDead] = [dead(before), dead(after)];
  return {
    BeaconID: beacon,
    Seconds: report ? (Date.parse(report.EndedAt) - Date.parse(report.StartedAt)) / 1000 : 0,
    EndedBy: report?.EndedBy ?? 'restart',
    Accepted: sum(over.map((one) => one.Accepted)),
    PeakPending: sum(over.map((one) => one.PeakPending)),
    RecoverySeconds: recoveredMs === null ? null : Math.round(recoveredMs) / 1000,
    Proofs: [
      balanced('the balance added up before', before),
      balanced('the balance adds up after', after),
      {
        Proof: 'everything accepted by the end of the drill is delivered',
        IsOk: recoveredMs !== null,
        What: lanes
          .map(
            (lane) =>
              `${lane} at ${laneStatusOf(after, lane).Seq.Mark} of ` +
              `${report?.Lanes[lane]?.Head ?? laneStatusOf(after, lane).Seq.Head}`,
          )
          .join(', '),
      },
      {
        Proof: 'no new dead letters',
        IsOk: isDead <= wasDead,
        What: `${wasDead} before, ${isDead} after`,
      },
    ],
  };
}

function balanced(name: string, { Balance }: WorkerStatus): Proof {
  const what = lanes
    .map(
      (lane) =>
        `${lane} ${Balance[lane].Accepted} accepted, difference ${Balance[lane].Difference}`,
    )
    .join('; ');
  return {
    Proof: `${name} (I10)`,
    IsOk: lanes.every((lane) => Balance[lane].Difference === 0),
    What: what,
  };
}

/** The lanes assigned to a beacon. */
export function lanesOf(status: WorkerStatus, beacon: string): Lane[] {
  return lanes.filter((lane) => laneStatusOf(status, lane).AssignedBeaconID === beacon);
}

export function laneStatusOf(status: WorkerStatus, lane: Lane) {
  return lane === 'queue' ? status.Queue : status.Manifest;
}

export function tellResult({
  BeaconID,
  Seconds,
  EndedBy,
  Accepted,
  PeakPending,
  RecoverySeconds,
  Proofs,
}: DrillResult): void {
  const end = { deadline: '', stop: ', ended early', restart: ', ended with its worker' }[EndedBy];
  const recovery =
    RecoverySeconds === null
      ? 'not recovered yet'
      : `recovered in ${duration(RecoverySeconds * 1000)}`;
  print(
    `${BeaconID} was away for ${duration(Seconds * 1000)}${end}: ` +
      `${Accepted} accepted meanwhile, at most ${PeakPending} undelivered, ${recovery}`,
  );
  for (const { Proof: proof, IsOk, What } of Proofs)
    print(`${coloured(IsOk ? 'ok  ' : 'fail')}  ${proof}: ${What}`);
}
