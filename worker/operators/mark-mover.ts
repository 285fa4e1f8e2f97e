/**
 * Moves marks for an operator: planned first, done only while delivery is paused, and recorded.
 *
 * Constraints: a mark moves back only here, or because the database itself went back (I4). Entries
 * that a mark skips are held as dropped (I5, I10). Ordering: nothing is in flight to any database
 * when a mark moves. The mark, the held entries and the record are one transaction.
 */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type {
  LaneMoved,
  LanePlan,
  MarkPlan,
  MarksSet,
  MarkTarget,
  SetMarks,
} from '../../contracts/mark-move.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import { type Clock, newUuid } from '../../runtime/clock.ts';
import type { LaneDelivery } from '../replay/delivery.ts';
import { guidBytes } from '../state/entry-identity.ts';
import type { Local } from '../journal/local.ts';
import { OperationTable } from '../ops/table.ts';
import { type Chosen, MarkChooser } from './mark-choice.ts';
import { MarksPlanner } from './mark-plan.ts';

export type MarkMoverOptions = {
  local: Pick<Local, 'store' | 'journal' | 'marks' | 'blocked'>;
  deliveries: Record<Lane, LaneDelivery>;
  clock: Clock;
  version: string;
  isPaused: () => boolean;
  isBusy: (lane: Lane) => boolean;
  /** Marks were moved. */
  onMoved: (moved: readonly LaneMoved[]) => void;
};

export class MarkMover {
  readonly #parts: MarkMoverOptions;
  readonly #planner: MarksPlanner;
  readonly #chooser: MarkChooser;
  readonly #operations: OperationTable;

  constructor(parts: MarkMoverOptions) {
    this.#parts = parts;
    this.#operations = new OperationTable(parts.local.store.db);
    this.#planner = new MarksPlanner({
      db: parts.local.store.db,
      journal: parts.local.journal,
      blocked: parts.local.blocked,
    });
    this.#chooser = new MarkChooser(parts, this.#planner);
  }

  /**
   * Plans a move and changes nothing.
   * @throws TidemarkError INVALID_MESSAGE for an impossible target, NOT_FOUND for an unknown
   * database
   */
  async plan(target: MarkTarget): Promise<MarkPlan> {
    return this.#planOf(await this.#chooser.choose(target), true);
  }

  /**
   * @throws TidemarkError as `plan`; CONFLICT when delivery is not paused, when a move forwards
   * lacks force, or when the plan is out of date; UNAVAILABLE while a delivery does not end
   */
  async set(request: SetMarks): Promise<MarksSet> {
    if (request.Reason.trim() === '')
      throw new TidemarkError('INVALID_MESSAGE', 'Reason: say why, for those who find it later');
    this.#insistOnPause();
    await this.#untilQuiet();
    const chosen = await this.#chooser.choose(request);
    const plan = await this.#planOf(chosen, false);
    if (request.Plan !== undefined && request.Plan !== plan.Plan) {
      throw new TidemarkError(
        'CONFLICT',
        `the plan ${request.Plan} no longer holds, it is ${plan.Plan} now; look at it again: tidemark hwm plan`,
      );
    }
    for (const one of plan.Lanes) insistOnForce(one, request.Force === true);
    // Delivery may have been resumed while the entries were read.
    this.#insistOnPause();
    if (
      lanes.some((lane) => this.#parts.isBusy(lane)) ||
      chosen.some(
        ({ lane, mark }) => this.#parts.local.marks.get(mark.database, lane)?.seq !== mark.seq,
      )
    ) {
      throw new TidemarkError(
        'CONFLICT',
        'marks moved while this was prepared; look at the plan again',
      );
    }
    const done = this.#move(request, plan.Lanes, chosen);
    this.#parts.onMoved(done.Lanes);
    return done;
  }

  #insistOnPause(): void {
    if (!this.#parts.isPaused())
      throw new TidemarkError(
        'CONFLICT',
        'delivery is running; marks are moved only while it is paused: tidemark pause, then this, then tidemark resume',
      );
  }

  async #untilQuiet(): Promise<void> {
    const { clock, isBusy } = this.#parts;
    const giveUpMs = clock.monotonicMs() + limits.moveMarkWaitMs;
    while (lanes.some((lane) => isBusy(lane))) {
      if (clock.monotonicMs() >= giveUpMs) {
        throw new TidemarkError(
          'UNAVAILABLE',
          'a delivery is still under way; try again in a moment',
          { retryAfterMs: limits.overloadedRetryMs },
        );
      }
      await clock.sleep(10);
    }
  }

  async #planOf(chosen: readonly Chosen[], asksBackend: boolean): Promise<MarkPlan> {
    const plans: LanePlan[] = [];
    for (const { lane, mark, to } of chosen) {
      plans.push(
        await this.#planner.plan(
          lane,
          mark,
          to,
          asksBackend ? this.#parts.deliveries[lane].backend(mark.beacon, mark.connection) : null,
        ),
      );
    }
    return { Plan: this.#digestOf(plans, chosen), Lanes: plans };
  }

  /** Digest of everything a set depends on. What the database reports is not part of it. */
  #digestOf(plans: readonly LanePlan[], chosen: readonly Chosen[]): string {
    const facts = plans.map((plan, at) => ({
      ...plan,
      Backend: null,
      Epoch: chosen[at]?.mark.epoch,
    }));
    return createHash('sha256')
      .update(JSON.stringify([this.#parts.local.store.storeId, facts]))
      .digest('hex')
      .slice(0, 16);
  }

  #move(request: SetMarks, plans: readonly LanePlan[], chosen: readonly Chosen[]): MarksSet {
    const { local, clock } = this.#parts;
    const Operation = newUuid();
    const startedMs = clock.nowMs();
    let moved: LaneMoved[] = [];
    local.journal.together(() => {
      moved = chosen.flatMap((one) =>
        one.to === one.mark.seq ? [] : [this.#moveOne(one, request.Reason, startedMs)],
      );
      this.#record(Operation, request, plans, moved, startedMs);
    });
    return { Success: true, Operation, Lanes: moved };
  }

  #moveOne({ lane, mark, to }: Chosen, reason: string, nowMs: number): LaneMoved {
    const { journal, marks, blocked } = this.#parts.local;
    const isForwards = to > mark.seq;
    const skipped = isForwards
      ? blocked.skipped.add(mark.database, lane, { from: mark.seq, through: to, reason, nowMs })
      : 0;
    // Settled entries only: held ones never counted as settled.
    const again = isForwards
      ? 0
      : journal.countAfter(lane, to) -
        journal.countAfter(lane, mark.seq) -
        blocked.countBetween(mark.database, lane, to, mark.seq);
    const revived = isForwards ? 0 : blocked.skipped.takeBack(mark.database, lane, to);
    const entry = journal.read(to);
    marks.move(mark.database, lane, {
      to,
      guid: entry ? guidBytes(entry.eventGuid) : null,
      recordedMs: entry ? Date.parse(entry.acceptedAt) : null,
      again,
      epoch: newUuid(),
    });
    return {
      Lane: lane,
      BeaconID: mark.beacon,
      IDBeaconConnection: mark.connection,
      From: mark.seq,
      To: to,
      Again: again + revived,
      Skipped: skipped,
    };
  }

  #record(
    id: string,
    request: SetMarks,
    plans: readonly LanePlan[],
    moved: readonly LaneMoved[],
    nowMs: number,
  ): void {
    const sha256 = createHash('sha256')
      .update(JSON.stringify([request, plans.map((plan) => plan.From)]))
      .digest('hex');
    this.#operations.mark({
      type: 'hwm-set',
      id,
      sha256,
      title: `hwm set --to ${request.To}`,
      state: 'applied',
      by: request.By ?? 'unknown',
      host: hostname(),
      pid: process.pid,
      version: this.#parts.version,
      startedMs: nowMs,
      endedMs: nowMs,
      changes: moved.reduce((sum, one) => sum + one.Again + one.Skipped, 0),
      note: JSON.stringify({ Reason: request.Reason, Force: request.Force === true, Lanes: moved }),
      untilMs: null,
    });
  }
}

/**
 * Going forwards skips entries for good, so it needs force, and at most as many as one transaction
 * can hold.
 */
function insistOnForce({ Lane, Direction, From, To, Stretch }: LanePlan, isForced: boolean): void {
  if (Direction !== 'forwards') return;
  const count = Stretch?.Entries ?? 0;
  if (!isForced) {
    throw new TidemarkError(
      'CONFLICT',
      `lane ${Lane} would go forwards from ${From} to ${To} and skip ${count} entries that were accepted: ` +
        'look at them with tidemark hwm plan, then add --force, or name the other lane alone',
    );
  }
  if (count > limits.moveSkipMax)
    throw new TidemarkError(
      'CONFLICT',
      `lane ${Lane} would skip ${count} entries, at most ${limits.moveSkipMax} at once; go in steps`,
    );
}
