/** Which marks an operator wants to move, and the target of each. */
import { TidemarkError } from '../../contracts/errors.ts';
import type { MarkTarget } from '../../contracts/mark-move.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import type { Mark } from '../../hwm/mark-store.ts';
import { isoOf } from '../../runtime/clock.ts';
import type { Local } from '../journal/local.ts';
import type { LaneDelivery } from '../replay/delivery.ts';
import type { MarksPlanner } from './mark-plan.ts';

export type Chosen = { lane: Lane; mark: Mark; to: number };

export class MarkChooser {
  readonly #local: Pick<Local, 'journal' | 'marks'>;
  readonly #deliveries: Record<Lane, LaneDelivery>;
  readonly #planner: MarksPlanner;

  constructor(
    {
      local,
      deliveries,
    }: { local: Pick<Local, 'journal' | 'marks'>; deliveries: Record<Lane, LaneDelivery> },
    planner: MarksPlanner,
  ) {
    this.#local = local;
    this.#deliveries = deliveries;
    this.#planner = planner;
  }

  /**
   * The chosen marks, each with its target Seq.
   * @throws TidemarkError INVALID_MESSAGE for an impossible target, NOT_FOUND for an unknown
   * database
   */
  async choose(target: MarkTarget): Promise<Chosen[]> {
    const wanted = target.Lane ? [target.Lane] : lanes;
    const asked = await this.#seqOf(target.To);
    return wanted.flatMap((lane) => {
      const mark = this.#markOf(lane, target);
      if (!mark) return [];
      const { head } = this.#local.journal.counts(lane);
      if (typeof target.To === 'number' && target.Lane && asked > head) {
        throw new TidemarkError(
          'INVALID_MESSAGE',
          `To: ${asked} is beyond the last entry of lane ${lane}, ${head}; there is nothing to skip`,
        );
      }
      return [{ lane, mark, to: this.#planner.lastAt(lane, asked) }];
    });
  }

  async #seqOf(to: number | string): Promise<number> {
    if (typeof to === 'number') return to;
    const ms = Date.parse(to);
    if (Number.isNaN(ms))
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `To: ${JSON.stringify(to)} is neither a Seq nor a time such as 2026-01-31T12:00:00Z`,
      );
    const before = await this.#planner.beforeTime(ms);
    if (before === null)
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `To: nothing was accepted at or after ${isoOf(ms)}`,
      );
    return before;
  }

  #markOf(lane: Lane, { BeaconID, IDBeaconConnection }: MarkTarget): Mark | null {
    if (BeaconID === undefined || IDBeaconConnection === undefined) {
      const mark = this.#deliveries[lane].mark();
      if (!mark)
        throw new TidemarkError(
          'NOT_FOUND',
          `lane ${lane} has no database assigned; name one with --beacon and --connection`,
        );
      return mark;
    }
    const mark = this.#local.marks.find(BeaconID, IDBeaconConnection, lane);
    if (!mark)
      throw new TidemarkError(
        'NOT_FOUND',
        `lane ${lane} has no mark at ${BeaconID}/${IDBeaconConnection}: tidemark hwm show lists them`,
      );
    return mark;
  }
}
