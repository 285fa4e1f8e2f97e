/**
 * The worker's report on itself: status, marks, balance, and where a write is. Reads the stores,
 * changes nothing.
 */
import type {
  Dedup,
  Balance,
  Capacity,
  DrillView,
  LaneState,
  LaneStatus,
  Location,
  MarksFile,
  MarkView,
  WorkerStatus,
} from '../../contracts/status.ts';
import { aggregateState } from '../../contracts/status.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import { balanceOf } from '../../hwm/balance.ts';
import type { MarkRow } from '../../hwm/mark-row.ts';
import type { Mark, MarkStore } from '../../hwm/mark-store.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { Assignments } from '../beacons/assignments.ts';
import type { LaneDelivery } from '../replay/delivery.ts';
import type { EntryFacts, Journal } from '../journal/journal.ts';
import { guidText } from '../state/entry-identity.ts';
import { pendingAt } from '../replay/pending.ts';
import type { Store } from '../state/store.ts';
import { type DedupBounds, usualDedup } from '../journal/horizon.ts';
import { UndeliveredCount } from '../journal/undelivered-count.ts';

export type OverviewOptions = {
  hubId: string;
  version: string;
  store: Store;
  journal: Journal;
  marks: MarkStore;
  blocked: BlockedStore;
  assignments: Assignments;
  deliveries: Record<Lane, LaneDelivery>;
  clock: Clock;
  isPaused: () => boolean;
  bus: () => { Connected: boolean; Server: string | null; Reconnects: number };
  capacity: () => Capacity;
  /** The bounds of the dedup horizon. */
  dedup?: DedupBounds | undefined;
  /** If left out, there is never a drill. */
  drill?: () => DrillView | null;
};

export class Overview {
  readonly #parts: OverviewOptions;
  readonly #startedAt: string;
  readonly #undelivered: UndeliveredCount;

  constructor(parts: OverviewOptions) {
    this.#parts = parts;
    this.#startedAt = isoOf(parts.clock.nowMs());
    this.#undelivered = new UndeliveredCount(parts.journal, parts.clock);
  }

  /** `balance` may be slightly older, because counting it takes time. */
  status(balance: WorkerStatus['Balance'] = this.balances()): WorkerStatus {
    const { hubId, version, store, journal, bus, capacity } = this.#parts;
    const [queue, manifest] = [this.lane('queue'), this.lane('manifest')];
    return {
      HubID: hubId,
      State: this.state(),
      Queue: queue,
      Manifest: manifest,
      Balance: balance,
      Store: store.storeId,
      Epoch: store.epoch,
      Role: 'active',
      Term: journal.owners.current.term,
      Owner: journal.owners.current.owner,
      Bus: bus(),
      Capacity: capacity(),
      Dedup: this.dedup(),
      Drill: this.#parts.drill?.() ?? null,
      Version: version,
      StartedAt: this.#startedAt,
    };
  }

  dedup(): Dedup {
    const { journal, clock, dedup = usualDedup } = this.#parts;
    return journal.horizon.view(clock.nowMs(), dedup);
  }

  state(): LaneState {
    return aggregateState(lanes.map((lane) => this.#laneState(lane)));
  }

  #laneState(lane: Lane): LaneState {
    if (this.#parts.deliveries[lane].halted !== null) return 'error';
    return this.#parts.assignments.of(lane)
      ? (this.#parts.assignments.targetOf(lane)?.stateOf(lane) ?? 'waiting-for-beacon')
      : 'unassigned';
  }

  lane(lane: Lane): LaneStatus {
    const { assignments, journal, blocked, clock, deliveries, isPaused } = this.#parts;
    const assignment = assignments.of(lane);
    const target = assignments.targetOf(lane);
    const mark = deliveries[lane].mark();
    const oldest = this.#oldestPendingMs(lane, mark);
    return {
      State: this.#laneState(lane),
      AssignedBeaconID: assignment?.beacon ?? null,
      IDBeaconConnection: assignment?.connection ?? 0,
      LastError: deliveries[lane].halted ?? target?.lastErrorOf(lane) ?? null,
      BootstrappedAt: target?.bootstrappedAt ?? null,
      AssignedAt: assignment ? isoOf(assignment.assignedMs) : null,
      AssignedBy: assignment?.by ?? null,
      Seq: { Head: journal.counts(lane).head, Mark: mark?.seq ?? 0 },
      Pending: this.pending(lane, mark),
      OldestPendingMs: oldest === null ? 0 : Math.max(0, clock.nowMs() - oldest),
      DeadLetters: mark ? blocked.count(mark.database, lane, 'dead') : 0,
      Carrier: target?.carrierOf(lane) ?? null,
      IsPaused: isPaused(),
    };
  }

  /** When the oldest pending entry, parked or above the mark, was accepted. */
  #oldestPendingMs(lane: Lane, mark: Mark | null): number | null {
    const { journal, blocked } = this.#parts;
    const parked = mark ? blocked.oldestParked(mark.database, lane) : null;
    const entry = parked === null ? null : journal.facts(parked);
    const above = journal.oldestAfter(lane, mark?.seq ?? 0);
    if (!entry) return above;
    return Math.min(entry.acceptedMs, above ?? Infinity);
  }

  /** Accepted and not settled, by the counters: cheap enough to call for every write. */
  pending(lane: Lane, mark: Mark | null = this.#parts.deliveries[lane].mark()): number {
    return pendingAt(this.#parts, lane, mark);
  }

  #givenUp(lane: Lane, mark: Mark | null): number {
    return mark ? this.#parts.blocked.countGivenUp(mark.database, lane) : 0;
  }

  /**
   * The counts of I10. Pending is counted entry by entry here, so that the difference must be zero.
   */
  balance(lane: Lane): Balance {
    const { journal, blocked, deliveries } = this.#parts;
    const mark = deliveries[lane].mark();
    const parked = mark ? blocked.count(mark.database, lane, 'parked') : 0;
    return balanceOf(journal.counts(lane), mark, {
      pending: this.#undelivered.above(lane, mark?.seq ?? 0) + parked,
      givenUp: this.#givenUp(lane, mark),
    });
  }

  balances(): Record<Lane, Balance> {
    return { queue: this.balance('queue'), manifest: this.balance('manifest') };
  }

  marksFile(): MarksFile {
    return {
      Version: 2,
      Store: this.#parts.store.storeId,
      WrittenAt: isoOf(this.#parts.clock.nowMs()),
      Queue: this.#marks('queue'),
      Manifest: this.#marks('manifest'),
    };
  }

  #marks(lane: Lane): Record<string, Record<string, MarkView>> {
    // No prototype, because an old BeaconID may be the name of an Object member.
    const views = Object.create(null) as Record<string, Record<string, MarkView>>;
    for (const mark of this.#parts.marks.list(lane))
      (views[mark.beacon] ??= {})[String(mark.connection)] = markView(
        mark,
        this.pending(lane, mark),
      );
    return views;
  }

  /** Where one write is; `applied` once the mark of the assigned database has passed it. */
  locate(guid: string): Location {
    const found = this.#parts.journal.find(guid);
    return found ? this.where({ ...found, guid }) : { EventGUID: guid, State: 'unknown' };
  }

  /** Where an entry is. */
  where(found: EntryFacts): Location {
    const { deliveries, blocked, marks } = this.#parts;
    const { seq, lane, action, key } = found;
    const about = {
      EventGUID: found.guid,
      Seq: seq,
      Lane: lane,
      ...(action === null ? {} : { Action: action }),
      ...(key === null ? {} : { Key: key }),
      AcceptedAt: isoOf(found.acceptedMs),
    };
    const mark = deliveries[lane].mark();
    if (!mark) return { ...about, State: 'accepted' };
    const holding = blocked.get(mark.database, seq);
    if (holding?.state === 'dead' || holding?.state === 'dropped') {
      return {
        ...about,
        State: holding.reason?.startsWith('conflict') ? 'conflict' : 'dead-lettered',
        ...(holding.reason ? { Reason: holding.reason } : {}),
      };
    }
    if (holding)
      return { ...about, State: 'buffered', Reason: 'parked behind a dead letter of its key' };
    if (found.isGivenUp)
      return { ...about, State: 'dead-lettered', Reason: 'it was given up by an operator' };
    if (seq > mark.seq) return { ...about, State: 'buffered' };
    const superseded = marks.superseded.get(mark.database, seq);
    if (superseded)
      return {
        ...about,
        State: 'superseded',
        Reason: 'an earlier owner accepted it, and a later one wrote the row since',
      };
    const appliedMs = marks.settledAt(mark.database, lane, seq);
    return {
      ...about,
      State: 'applied',
      ...(appliedMs === null ? {} : { AppliedAt: isoOf(appliedMs) }),
    };
  }
}

/** A mark as operators see it. */
export function markView(mark: MarkRow, pending: number): MarkView {
  const isoOrNull = (ms: number | null) => (ms === null ? null : isoOf(ms));
  return {
    Seq: mark.seq,
    EventGUID: mark.guid ? guidText(mark.guid) : null,
    RecordedAt: isoOrNull(mark.recordedMs),
    AppliedAt: isoOrNull(mark.appliedMs),
    Pending: pending,
  };
}
