/**
 * The status of a lane and of the whole worker, as shown by control, HTTP, command line and
 * console.
 */
import type { Lane } from './subjects.ts';

export type LaneState =
  | 'unassigned'
  | 'waiting-for-beacon'
  | 'bootstrapping'
  | 'bootstrapped'
  | 'error';
export type CarrierName = 'batch' | 'meadow-proxy' | 'legacy';

export type LaneStatus = {
  State: LaneState;
  AssignedBeaconID: string | null;
  IDBeaconConnection: number;
  LastError: string | null;
  BootstrappedAt: string | null;
  AssignedAt: string | null;
  AssignedBy: 'operator' | 'tag' | null;
  Seq: { Head: number; Mark: number };
  /** Entries accepted and not settled: above the mark, or blocked by a dead letter. */
  Pending: number;
  OldestPendingMs: number;
  DeadLetters: number;
  Carrier: CarrierName | null;
  IsPaused: boolean;
};

/** The counts of I10; `Difference` must be zero. */
export type Balance = {
  Accepted: number;
  Applied: number;
  AlreadyPresent: number;
  /** Accepted by an earlier owner, and a later one's row stands in their place. */
  Superseded: number;
  Pending: number;
  DeadLettered: number;
  Skipped: number;
  Difference: number;
};

/**
 * How full the worker is. Free bytes are null where the file system does not report them;
 * `Refusing` is the reason while writes are refused for lack of room.
 */
export type Capacity = {
  UsedBytes: number;
  BytesMax: number;
  FreeBytes: number | null;
  FreeBytesMin: number | null;
  Pending: number;
  PendingMax: number;
  ReserveBytes: number;
  Refusing: string | null;
  /** When the first bound will be reached at the rate of the last minutes; null for never. */
  TimeToFullSeconds: number | null;
};

/**
 * How far back a repeat of an accepted write is known by its EventGUID: the horizon in effect. What
 * was accepted before it is a new write, or EXPIRED under a version 7 EventGUID.
 */
export type Dedup = { ForMs: number; Entries: number; Known: number };

export type WorkerStatus = {
  HubID: string;
  State: LaneState;
  Queue: LaneStatus;
  Manifest: LaneStatus;
  Balance: Record<Lane, Balance>;
  Store: string;
  Epoch: string;
  Role: 'active';
  /** The Term of this store, null until it has met its first database, and its random id. */
  Term: number | null;
  Owner: string;
  Bus: { Connected: boolean; Server: string | null; Reconnects: number };
  Capacity: Capacity;
  Dedup: Dedup;
  /** The outage being rehearsed: the beacon is reachable, but counts as away. */
  Drill: DrillView | null;
  Version: string;
  StartedAt: string;
};

export type DrillView = { BeaconID: string; Until: string };

/**
 * One lane during a drill: writes accepted, most undelivered at one time, and its head at the end.
 */
export type DrillLane = { Accepted: number; PeakPending: number; Head: number };
export type DrillReport = {
  BeaconID: string;
  StartedAt: string;
  EndedAt: string;
  EndedBy: 'deadline' | 'stop';
  Lanes: Partial<Record<Lane, DrillLane>>;
};

/**
 * Answer of control `drill`: the running drill, and the last one that ended since the worker's
 * start.
 */
export type DrillReply = { Success: true; Drill: DrillView | null; Last: DrillReport | null };

/** The state of all lanes in one word. */
export function aggregateState(states: readonly LaneState[]): LaneState {
  if (states.includes('error')) return 'error';
  if (states.includes('waiting-for-beacon')) return 'waiting-for-beacon';
  if (states.includes('bootstrapping')) return 'bootstrapping';
  return states.length > 0 && states.every((state) => state === 'bootstrapped')
    ? 'bootstrapped'
    : 'unassigned';
}

/** The mark of one database and lane in `persistence-bridge-hwm.json`. */
export type MarkView = {
  Seq: number;
  EventGUID: string | null;
  RecordedAt: string | null;
  AppliedAt: string | null;
  Pending: number;
};
type LaneMarks = Record<string, Record<string, MarkView>>;

/** `persistence-bridge-hwm.json`: a copy for people; the marks that count are in the journal. */
export type MarksFile = {
  Version: 2;
  Store: string;
  WrittenAt: string;
  Queue: LaneMarks;
  Manifest: LaneMarks;
};

export type AssignmentView = {
  BeaconID: string;
  IDBeaconConnection: number;
  AssignedAt: string;
} | null;
/** `persistence-assignment.json`. */
export type AssignmentFile = { Queue: AssignmentView; Manifest: AssignmentView };

/** Where one write is. */
export type Location = {
  EventGUID: string;
  State:
    | 'accepted'
    | 'buffered'
    | 'applied'
    | 'superseded'
    | 'duplicate'
    | 'conflict'
    | 'dead-lettered'
    | 'unknown';
  Seq?: number;
  Lane?: Lane;
  Action?: string;
  Key?: string;
  AcceptedAt?: string;
  AppliedAt?: string;
  Reason?: string;
};
