/**
 * Counts the entries of a lane above a Seq that have their bodies, one by one in the table: the
 * independent side of the balance (I10). A long backlog is counted whole once in a while. In
 * between, it counts only new entries and those that the Seq moved over.
 */
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Journal, LaneCounts } from './journal.ts';

type Counted = { seq: number; count: number; wholeMs: number; lane: LaneCounts };

/** A backlog of more than `wholeEntries` is counted whole only every `wholeMs`. */
type Bounds = { wholeEntries: number; wholeMs: number };

export class UndeliveredCount {
  readonly #journal: Pick<Journal, 'counts' | 'countAfter' | 'countBetween'>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #bounds: Bounds;
  readonly #last = new Map<Lane, Counted>();

  constructor(
    journal: Pick<Journal, 'counts' | 'countAfter' | 'countBetween'>,
    clock: Pick<Clock, 'monotonicMs'>,
    bounds: Bounds = { wholeEntries: limits.countWholeEntries, wholeMs: limits.countWholeMs },
  ) {
    this.#journal = journal;
    this.#clock = clock;
    this.#bounds = bounds;
  }

  above(lane: Lane, seq: number): number {
    const now = this.#journal.counts(lane);
    const last = this.#last.get(lane);
    const count = last ? this.#since(last, lane, seq, now) : null;
    const wholeMs = count === null || !last ? this.#clock.monotonicMs() : last.wholeMs;
    const counted = {
      seq,
      count: count ?? this.#journal.countAfter(lane, seq),
      wholeMs,
      lane: now,
    };
    this.#last.set(lane, counted);
    return counted.count;
  }

  /**
   * The count, from the last one. Null when that one was small or is too old, or when more has
   * changed than the ends of the slice.
   */
  #since(last: Counted, lane: Lane, seq: number, now: LaneCounts): number | null {
    if (
      last.count <= this.#bounds.wholeEntries ||
      this.#clock.monotonicMs() - last.wholeMs >= this.#bounds.wholeMs
    )
      return null;
    const { head, accepted } = last.lane;
    const came = this.#journal.countBetween(lane, head, now.head);
    // A merge may have added entries among those that were counted, and retention may have stripped
    // some of them.
    if (came !== now.accepted - accepted || now.strippedThrough > Math.min(seq, last.seq))
      return null;
    const [from, to] = seq < last.seq ? [seq, last.seq] : [last.seq, seq];
    const moved = this.#journal.countBetween(lane, from, to);
    return last.count + came + (seq < last.seq ? moved : -moved);
  }
}
