/**
 * Strips entries that the assigned database has, once they are too old or too many (I6). GUID, Seq
 * and a digest stay until the dedup horizon, so that a repeat is still a duplicate. Undelivered and
 * blocked entries keep their bodies.
 *
 * Constraint: a step looks only at entries after the cursor of its lane, so that its cost depends
 * on what it strips and not on what is kept. The cursor goes back to the beginning when a blocked
 * entry was settled or dropped, or a merge added entries.
 */
import { limits } from '../../contracts/limits.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { Mark, MarkStore } from '../../hwm/mark-store.ts';
import { type Clock, nextTurn } from '../../runtime/clock.ts';
import type { Assignments } from '../beacons/assignments.ts';
import type { Journal } from '../journal/journal.ts';
import type { Projection } from '../journal/projection.ts';
import { pendingAt } from '../replay/pending.ts';
import type { Store } from '../state/store.ts';
import { StepSize } from './step-size.ts';

export type RetentionOptions = {
  store: Pick<Store, 'wrote'>;
  journal: Journal;
  marks: MarkStore;
  blocked: BlockedStore;
  projection: Projection;
  assignments: Assignments;
  clock: Clock;
};

/**
 * How many bodies are kept after delivery, and how long: an entry is stripped when either bound is
 * exceeded.
 */
export type RetentionBounds = { entries: number; ms: number };

export const usualRetention: RetentionBounds = {
  entries: limits.retainedEntriesMax,
  ms: limits.retainedMs,
};

/** Where the next step of a lane begins, and the lane's `lookedAnew` at that time. */
type Cursor = { seq: number; lookedAnew: number };

/** Consecutive entries of which none is blocked: `after` < Seq <= `through`. */
type Stretch = { after: number; through: number };

/** What one step may strip; `isLast` when everything behind it is kept. */
type Due = { seqs: number[]; stretches: Stretch[]; lookedThrough: number; isLast: boolean };

export class Retention {
  readonly #parts: RetentionOptions;
  readonly #bounds: RetentionBounds;
  readonly #cursors = new Map<Lane, Cursor>();
  readonly #size = new StepSize({
    least: limits.retentionStripLeast,
    most: limits.retentionStripEntries,
    ms: limits.retentionStepMs,
  });
  #running: Promise<number> | null = null;

  constructor(parts: RetentionOptions, bounds: RetentionBounds = usualRetention) {
    this.#parts = parts;
    this.#bounds = bounds;
  }

  /**
   * Sweeps both lanes once, or joins the sweep that is under way. Returns how many entries it
   * stripped.
   * @param goesOn asked between two steps
   */
  sweep(goesOn: () => boolean = () => true): Promise<number> {
    this.#running ??= this.#sweepAll(goesOn).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #sweepAll(goesOn: () => boolean): Promise<number> {
    let count = 0;
    for (const lane of lanes) count += await this.#sweepLane(lane, goesOn);
    return count;
  }

  async #sweepLane(lane: Lane, goesOn: () => boolean): Promise<number> {
    let count = 0;
    while (goesOn()) {
      // Read again after each wait: another database may have been assigned, or the mark moved
      // back.
      const mark = this.#mark(lane);
      if (!mark) return count;
      const cursor = this.#cursor(lane);
      const due = this.#due(lane, mark, cursor.seq);
      const last = due.seqs.at(-1);
      if (last !== undefined && this.#parts.projection.position(lane) < last) {
        await this.#parts.projection.catchUp(lane, goesOn);
        continue;
      }
      if (last !== undefined) this.#giveUp(lane, due);
      cursor.seq = Math.max(cursor.seq, due.lookedThrough);
      count += due.seqs.length;
      if (due.isLast) return count;
      await nextTurn();
    }
    return count;
  }

  #mark(lane: Lane): Mark | null {
    const { assignments, marks } = this.#parts;
    const assignment = assignments.of(lane);
    return assignment ? marks.find(assignment.beacon, assignment.connection, lane) : null;
  }

  #cursor(lane: Lane): Cursor {
    const { lookedAnew } = this.#parts.journal.counts(lane);
    const known = this.#cursors.get(lane);
    if (known?.lookedAnew === lookedAnew) return known;
    const fresh = { seq: 0, lookedAnew };
    this.#cursors.set(lane, fresh);
    return fresh;
  }

  /** How many more delivered entries have bodies than the number that is kept. */
  #excess(lane: Lane, mark: Mark): number {
    const { journal, blocked } = this.#parts;
    const { accepted, stripped } = journal.counts(lane);
    const undelivered =
      pendingAt(this.#parts, lane, mark) + blocked.count(mark.database, lane, 'dead');
    return accepted - stripped - undelivered - this.#bounds.entries;
  }

  #due(lane: Lane, mark: Mark, after: number): Due {
    const { journal, blocked, clock } = this.#parts;
    const excess = this.#excess(lane, mark);
    const beforeMs = clock.nowMs() - this.#bounds.ms;
    const startedMs = clock.monotonicMs();
    const looked = journal.seqsBetween(lane, after, mark.seq, limits.retentionStepEntries);
    const due: Due = {
      seqs: [],
      stretches: [],
      lookedThrough: after,
      isLast: looked.length < limits.retentionStepEntries,
    };
    let isApart = true;
    for (const seq of looked) {
      if (blocked.isHolding(seq)) isApart = true;
      else {
        const acceptedMs = journal.acceptedMs(lane, seq);
        if (acceptedMs >= beforeMs && due.seqs.length >= excess) return { ...due, isLast: true };
        if (isApart) due.stretches.push({ after: due.lookedThrough, through: seq });
        else (due.stretches.at(-1) as Stretch).through = seq;
        due.seqs.push(seq);
        isApart = false;
      }
      due.lookedThrough = seq;
      // The other half of the time is for stripping what was found.
      if (clock.monotonicMs() - startedMs > limits.retentionStepMs / 2)
        return { ...due, isLast: false };
      if (due.seqs.length >= this.#size.entries) return { ...due, isLast: false };
    }
    return due;
  }

  #giveUp(lane: Lane, { seqs, stretches }: Due): void {
    const { store, journal, marks, blocked, projection, clock } = this.#parts;
    journal.together(() => {
      const startedMs = clock.monotonicMs();
      marks.passOver(lane, seqs);
      blocked.forgetDropped(lane, seqs);
      journal.stripSeqs(lane, seqs);
      for (const { after, through } of stretches) projection.forgetBetween(lane, after, through);
      // Without the sync: a slow disk makes a step no longer than it is.
      this.#size.took(clock.monotonicMs() - startedMs);
    });
    store.wrote(0);
  }
}
