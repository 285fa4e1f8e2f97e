/**
 * Gives up bodies of entries that every assigned database has and whose time is over (I6). GUID,
 * Seq and a digest stay, so that a repeat is still a duplicate. An undelivered entry is never
 * touched.
 */
import { limits } from '../../contracts/limits.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { MarkStore } from '../../hwm/mark-store.ts';
import { type Clock, nextTurn } from '../../runtime/clock.ts';
import type { Assignments } from '../beacons/assignments.ts';
import type { Journal } from '../journal/journal.ts';
import type { Projection } from '../journal/projection.ts';

export type RetentionOptions = {
  journal: Journal;
  marks: MarkStore;
  blocked: BlockedStore;
  projection: Projection;
  assignments: Assignments;
  clock: Clock;
};

/** What is kept after delivery. */
export type RetentionBounds = { entries: number; ms: number };

export class Retention {
  readonly #parts: RetentionOptions;
  readonly #bounds: RetentionBounds;

  constructor(
    parts: RetentionOptions,
    bounds: RetentionBounds = { entries: limits.retainedEntriesMax, ms: limits.retainedMs },
  ) {
    this.#parts = parts;
    this.#bounds = bounds;
  }

  /** The Seq up to which the assigned database has everything; null when none is assigned. */
  floor(lane: Lane): number | null {
    const { assignments, marks, blocked } = this.#parts;
    const assignment = assignments.of(lane);
    if (!assignment) return null;
    const mark = marks.find(assignment.beacon, assignment.connection, lane);
    if (!mark) return null;
    const oldest = blocked.oldest(mark.database, lane);
    return oldest === null ? mark.seq : Math.min(mark.seq, oldest - 1);
  }

  /** One sweep over both lanes; returns how many bodies were given up. */
  async sweep(): Promise<number> {
    let count = 0;
    for (const lane of lanes) count += await this.#sweepLane(lane);
    this.#parts.marks.forgetDeliveriesBefore(this.#parts.clock.nowMs() - 30 * limits.retainedMs);
    return count;
  }

  async #sweepLane(lane: Lane): Promise<number> {
    const { journal, projection, marks, clock } = this.#parts;
    let excess = journal.countAfter(lane, 0) - this.#bounds.entries;
    const before = clock.nowMs() - this.#bounds.ms;
    let count = 0;
    for (;;) {
      // Asked anew after each wait: another database may have been assigned, or the mark moved
      // back.
      const floor = this.floor(lane);
      if (floor === null) return count;
      const step = journal.readAfter(lane, 0, limits.retentionStepEntries, limits.deliverBytesMax);
      const kept = step.findIndex(
        (entry, index) =>
          entry.seq > floor || (Date.parse(entry.acceptedAt) >= before && index >= excess),
      );
      const due = kept === -1 ? step : step.slice(0, kept);
      const last = due.at(-1);
      if (!last) return count;
      if (projection.position(lane) < last.seq) {
        await projection.catchUp(lane);
        continue;
      }
      journal.together(() => {
        marks.passOver(
          lane,
          due.map((entry) => entry.seq),
        );
        journal.strip(lane, due);
        projection.forgetThrough(lane, last.seq);
      });
      excess -= due.length;
      count += due.length;
      await nextTurn();
    }
  }
}
