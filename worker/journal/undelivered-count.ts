/**
/**
 * Counts the entries of a lane above a Seq that have their bodies, one by one in the table: the
 * independent side of the balance (I10). A long backlog is counted anew now and then, a slice with
 * each look, so that no look takes longer for it. In between, it counts only new entries and those
 * that the Seq moved over.
 */
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Journal, LaneCounts } from './journal.ts';

type Counted = { seq: number; count: number; wholeMs: number; lane: LaneCounts };

/** The count anew, so far: entries with `from` < Seq <= `through`. */
type Recount = { from: number; through: number; count: number };

/** A backlog of more than `wholeEntries` is counted anew only each `wholeMs`, in slices. */
type Bounds = { wholeEntries: number; wholeMs: number; sliceEntries: number };

const usual: Bounds = {
  wholeEntries: limits.countWholeEntries,
  wholeMs: limits.countWholeMs,
  sliceEntries: limits.countSliceEntries,
};

type Counts = Pick<Journal, 'counts' | 'countAfter' | 'countBetween' | 'seqAhead'>;

export class UndeliveredCount {
  readonly #journal: Counts;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #bounds: Bounds;
  readonly #last = new Map<Lane, Counted>();
  readonly #recounts = new Map<Lane, Recount>();

  constructor(journal: Counts, clock: Pick<Clock, 'monotonicMs'>, bounds: Partial<Bounds> = {}) {
    this.#journal = journal;
    this.#clock = clock;
    this.#bounds = { ...usual, ...bounds };
  }

  above(lane: Lane, seq: number): number {
    const nowMs = this.#clock.monotonicMs();
    const now = this.#journal.counts(lane);
    const last = this.#last.get(lane);
    const followed = last ? this.#since(last, lane, seq, now) : null;
    if (!last || followed === null) {
      this.#recounts.delete(lane);
      const count = this.#journal.countAfter(lane, seq);
      return this.#keep(lane, { seq, count, wholeMs: nowMs, lane: now });
    }
    const isDue = nowMs - last.wholeMs >= this.#bounds.wholeMs;
    const anew = isDue ? this.#recount(lane, seq, now) : null;
    const wholeMs = anew === null ? last.wholeMs : nowMs;
    return this.#keep(lane, { seq, count: anew ?? followed, wholeMs, lane: now });
  }

  #keep(lane: Lane, counted: Counted): number {
    this.#last.set(lane, counted);
    return counted.count;
  }

  /** Counts one more slice. Returns the whole count when it was the last slice, else null. */
  #recount(lane: Lane, seq: number, now: LaneCounts): number | null {
    const known = this.#recounts.get(lane);
    // What was counted, and has lost its body since, could not be taken off again.
    const isUsable = known && seq >= known.from && now.strippedThrough <= known.from;
    const { from, ...far } = isUsable ? known : { from: seq, through: seq, count: 0 };
    let { through, count } = far;
    count -= this.#journal.countBetween(lane, from, Math.min(seq, through));
    through = Math.max(through, seq);
    const end = this.#journal.seqAhead(lane, through, this.#bounds.sliceEntries) ?? now.head;
    count += this.#journal.countBetween(lane, through, end);
    if (end < now.head) this.#recounts.set(lane, { from: seq, through: end, count });
    else this.#recounts.delete(lane);
    return end < now.head ? null : count;
  }

  /**
   * The count, from the last one. Null when that one was small, or when more has changed than the
   * ends of the slice.
   */
  #since(last: Counted, lane: Lane, seq: number, now: LaneCounts): number | null {
    if (last.count <= this.#bounds.wholeEntries) return null;
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
