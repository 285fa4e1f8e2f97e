/**
 * One cell of the fault matrix: to the moment, the fault, the restart, and what became of every
 * answered write.
 */
import { messageOf } from '../../../contracts/errors.ts';
import { ManualClock } from '../manual-clock.ts';
import { until } from '../until.ts';
import type { Fault } from './faults.ts';
import type { Moment } from './moments.ts';
import { type Ledger, ledgerOf } from './oracle.ts';
import { Rig } from './rig.ts';

export type Cell = { fault: Fault; moment: Moment; isSupervised: boolean; seed: number };

export type CellReport = {
  name: string;
  /** What is wrong; empty for a good cell. */
  complaints: string[];
  answered: number;
  /** In neither the database nor the journal after recovery. */
  lost: number;
  /** Ones that were in neither place until one more restart. */
  late: number;
  /** What health named. */
  named: string[];
  exits: string[];
  seconds: number;
  /** From the fault, or the end of its cause, to everything delivered. */
  recoverySeconds: number;
};

/** The guard looks once a second; a loaded machine takes longer to act on it. */
const noticeMs = 4_000;
const upMs = 60_000;
/** A worker looks for rescues once a second. */
const mergeMs = 5_000;

export function nameOf({ fault, moment, isSupervised }: Cell): string {
  return `${fault.name} / ${moment.name} / ${isSupervised ? 'supervisor, second worker' : 'by hand'}`;
}

/** Never throws: what goes wrong is in the complaints, with the last lines of the workers. */
export async function runCell(cell: Cell): Promise<CellReport> {
  const startedMs = performance.now();
  const report: CellReport = {
    name: nameOf(cell),
    complaints: [],
    answered: 0,
    lost: 0,
    late: 0,
    named: [],
    exits: [],
    seconds: 0,
    recoverySeconds: 0,
  };
  await using rig = await Rig.start({
    isSupervised: cell.isSupervised,
    isUnprivileged: cell.fault.isUnprivileged === true,
    seed: cell.seed,
  });
  try {
    await cell.moment.arrive(rig, new ManualClock(0, cell.seed));
    rig.health.clear();
    await hurt(rig, cell.fault);
    report.recoverySeconds = await recover(rig, report);
    judge(rig, report, cell.fault.isDestructive === true);
  } catch (error) {
    report.complaints.push(messageOf(error));
  }
  report.named = rig.health.named;
  report.exits = rig.keepers.flatMap((keeper) => keeper.exits);
  const isMendedUnseen = cell.moment.isStart === true && report.lost === 0;
  if (report.named.length === 0 && !isMendedUnseen) report.complaints.push('health named no fault');
  if (report.complaints.length > 0) report.complaints.push(rig.logs());
  report.seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  return report;
}

/**
 * The fault, what the workers do about it, and the restart: by the operator, or by the supervisor,
 * who is told to if none has ended by itself.
 */
async function hurt(rig: Rig, fault: Fault): Promise<void> {
  const [first] = rig.keepers;
  const exits = () =>
    rig.keepers.reduce(
      (sum, keeper) => sum + keeper.exits.filter((how) => how !== 'exit 4').length,
      0,
    );
  const before = exits();
  fault.strike(rig);
  await until('a worker ends', () => exits() > before, { deadlineMs: noticeMs }).catch(
    () => undefined,
  );
  // By itself it stays where it is: in trouble that lasts, or because it has not noticed anything.
  if (exits() === before) await Promise.all(rig.keepers.map((keeper) => keeper.stop()));
  if (fault.lift) rig.health.turnPage();
  if (!rig.isSupervised) first?.start();
  if (!fault.lift) return;
  await until('health names it', () => rig.health.isNaming, { deadlineMs: noticeMs }).catch(
    () => undefined,
  );
  fault.lift(rig);
}

/** Up again, taking writes, and everything delivered. @returns how long that took, in seconds */
async function recover(rig: Rig, report: CellReport): Promise<number> {
  const startedMs = performance.now();
  if (!rig.isSupervised) startIfEnded(rig);
  await until('a worker answers again', () => rig.status(), { deadlineMs: upMs });
  rig.beacon.restart();
  await rig.writers.write(10);
  await rig.writers.stop();
  // One that came after the start is merged beside the work; one that is not is told of below.
  await until('no rescue waits', () => !rig.hasRescueWaiting(), { deadlineMs: mergeMs }).catch(
    () => undefined,
  );
  const { Balance } = await rig.drained(upMs);
  for (const [lane, { Difference }] of Object.entries(Balance))
    if (Difference !== 0) report.complaints.push(`the balance of ${lane} is off by ${Difference}`);
  if (rig.writers.refused.length > 0)
    report.complaints.push(
      `${rig.writers.refused.length} writes were never accepted: ${rig.writers.refused[0]}`,
    );
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  // What the last start found is in health, where nobody was asking at the time.
  await new Promise((resolve) => {
    setTimeout(resolve, 200);
  });
  await rig.stopWorkers();
  const ledger = ledgerOf(rig);
  if (ledger.lost.length > 0) report.late = await oneMoreStart(rig, ledger);
  return seconds;
}

/**
 * A worker that ended once more after it was restarted, as by a fault it noticed late, is started
 * once more.
 */
function startIfEnded(rig: Rig): void {
  const [first] = rig.keepers;
  const timer = setInterval(() => {
    if (first && !first.isRunning && first.exits.length < 6) first.start();
  }, 500);
  void until('a worker answers again', () => rig.status(), { deadlineMs: upMs })
    .catch(() => undefined)
    .finally(() => clearInterval(timer));
}

async function oneMoreStart(rig: Rig, before: Ledger): Promise<number> {
  const [first] = rig.keepers;
  first?.start();
  await rig.drained(upMs);
  await rig.stopWorkers();
  return before.lost.length - ledgerOf(rig).lost.length;
}

function judge(rig: Rig, report: CellReport, isLossExpected: boolean): void {
  const { answered, lost, unnamed, namedButThere, twice, foreign } = ledgerOf(rig);
  report.answered = answered;
  report.lost = lost.length;
  if (lost.length > 0 && !isLossExpected)
    report.complaints.push(`${lost.length} answered writes are lost, first Seq ${lost[0]?.seq}`);
  if (unnamed.length > 0)
    report.complaints.push(
      `${unnamed.length} answered writes are lost and not named, first Seq ${unnamed[0]?.seq}`,
    );
  if (report.late > 0)
    report.complaints.push(`${report.late} answered writes came back only with one more restart`);
  if (twice > 0) report.complaints.push(`${twice} writes are there twice`);
  // Written over in place, pages of both stores are one file, and what is read from single pages
  // has no owner: docs/RELIABILITY.md says so.
  if (foreign > 0 && !report.name.startsWith('cp-other-store'))
    report.complaints.push(`${foreign} entries of another store were taken in`);
  if (namedButThere > 0)
    report.complaints.push(
      `${namedButThere} answered writes are named as lost and are in the journal`,
    );
}
