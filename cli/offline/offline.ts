/**
 * What a data directory says of itself without its worker: status and marks as its files have them,
 * read-only, beside a writer or without one.
 */
import type { Balance, LaneStatus, MarksFile, MarkView } from '../../contracts/status.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import { isoOf } from '../../runtime/clock.ts';
import { guidText } from '../../worker/journal/journal.ts';
import type { FaultView } from '../../worker/state/guard/fault-log.ts';
import { lockHolder } from '../../worker/state/open/lock-holder.ts';
import { pathsOf } from '../../worker/state/paths.ts';
import { openForReading, type ReadStore } from '../../worker/state/open/read-store.ts';

/**
 * `State` is only what the files know: whether there is an assignment. `Carrier` is the one of the
 * last delivery.
 */
export type OfflineLane = Omit<
  LaneStatus,
  'State' | 'LastError' | 'BootstrappedAt' | 'AssignedBy' | 'Carrier'
> & { State: 'unassigned' | 'assigned'; Carrier: string | null };

/** The last start; `StoppedAt` is null while it runs, and for good when it ended without a stop. */
export type LastStart = { Pid: number; StartedAt: string; StoppedAt: string | null };

/**
 * `LastStart` and `Faults` are null where the schema keeps none; `LockHeldBy` is a pid, null when
 * nobody that this process can see holds the lock.
 */
export type OfflineStatus = {
  Offline: true;
  HubID: string;
  Data: string;
  Queue: OfflineLane;
  Manifest: OfflineLane;
  Balance: Record<Lane, Balance>;
  Store: string;
  Epoch: string;
  SchemaVersion: number;
  Bytes: number;
  LastStart: LastStart | null;
  LockHeldBy: number | null;
  Faults: FaultView[] | null;
};

export type OfflineMarks = MarksFile & { Offline: true };

type Row = {
  database: number;
  beacon: string;
  connection: number;
  seq: number;
  guid: Buffer | null;
  recordedMs: number | null;
  appliedMs: number | null;
  applied: number;
  present: number;
  skipped: number;
  carrier: string | null;
};
type Counts = { accepted: number; head: number; stripped: number };

const markSql = `select m.database, d.beacon, d.connection, m.seq, m.guid, m.recorded_ms as recordedMs, m.applied_ms as appliedMs, m.applied, m.present, m.skipped, m.carrier
  from mark m join database d on d.id = m.database`;

/** @throws TidemarkError as `openForReading`, STORAGE_FAILED for a page that is damaged */
export function offlineStatus(dataDir: string, nowMs: number): OfflineStatus {
  return atOnce(dataDir, (store) => {
    const [queue, manifest] = lanes.map((_, index) => laneOf(store, index, nowMs)) as [
      LaneFacts,
      LaneFacts,
    ];
    return {
      Offline: true,
      HubID: meta(store, 'hub'),
      Data: dataDir,
      Queue: queue.status,
      Manifest: manifest.status,
      Balance: { queue: queue.balance, manifest: manifest.balance },
      Store: meta(store, 'store'),
      Epoch: meta(store, 'epoch'),
      SchemaVersion: store.version,
      Bytes: Number(
        store.value('select page_count * page_size from pragma_page_count, pragma_page_size'),
      ),
      LastStart: lastStart(store),
      LockHeldBy: lockHolder(pathsOf(dataDir).lock),
      Faults: store.faults(),
    };
  });
}

/** The marks of all databases. @throws TidemarkError as `offlineStatus` */
export function offlineMarks(dataDir: string, nowMs: number): OfflineMarks {
  return atOnce(dataDir, (store) => ({
    Offline: true,
    Version: 2,
    Store: meta(store, 'store'),
    WrittenAt: isoOf(nowMs),
    Queue: marksOf(store, 0),
    Manifest: marksOf(store, 1),
  }));
}

/** One view of all of it, whatever a worker writes meanwhile. */
function atOnce<T>(dataDir: string, look: (store: ReadStore) => T): T {
  const store = openForReading(dataDir);
  try {
    return store.atOnce(() => look(store));
  } finally {
    store.close();
  }
}

function meta(store: ReadStore, name: string): string {
  return String(store.value('select value from meta where name = ?', name) ?? '');
}

type LaneFacts = { status: OfflineLane; balance: Balance };

function laneOf(store: ReadStore, lane: number, nowMs: number): LaneFacts {
  const assignment = store.all<{ beacon: string; connection: number; atMs: number }>(
    'select beacon, connection, assigned_ms as atMs from assignment where lane = ?',
    lane,
  )[0];
  const mark =
    assignment &&
    store.all<Row>(
      `${markSql} where m.lane = ? and d.beacon = ? and d.connection = ?`,
      lane,
      assignment.beacon,
      assignment.connection,
    )[0];
  const counts = countsOf(store, lane);
  const oldestMs = oldest(store, lane, mark);
  return {
    status: {
      State: assignment ? 'assigned' : 'unassigned',
      AssignedBeaconID: assignment?.beacon ?? null,
      IDBeaconConnection: assignment?.connection ?? 0,
      AssignedAt: assignment ? isoOf(assignment.atMs) : null,
      Seq: { Head: counts.head, Mark: mark?.seq ?? 0 },
      Pending: pendingAt(store, lane, counts, mark),
      OldestPendingMs: oldestMs === null ? 0 : Math.max(0, nowMs - oldestMs),
      DeadLetters: mark ? held(store, lane, mark, 'dead') : 0,
      Carrier: mark?.carrier ?? null,
      IsPaused: meta(store, 'paused') === 'yes',
    },
    balance: balanceOf(store, lane, counts, mark),
  };
}

function countsOf(store: ReadStore, lane: number): Counts {
  return (
    store.all<Counts>(
      'select accepted, head, bare as stripped from lane where lane = ?',
      lane,
    )[0] ?? {
      accepted: 0,
      head: 0,
      stripped: 0,
    }
  );
}

function held(
  store: ReadStore,
  lane: number,
  { database, seq }: Row,
  state: 'dead' | 'parked' | 'dropped',
): number {
  return Number(
    store.value(
      `select count(*) from held where database = ? and lane = ? and state = ?
    and (seq <= ? or not exists (select 1 from entry e where e.seq = held.seq and e.body is not null))`,
      database,
      lane,
      state,
      seq,
    ),
  );
}

/** From the counts alone. */
function pendingAt(
  store: ReadStore,
  lane: number,
  { accepted, stripped }: Counts,
  mark: Row | undefined,
): number {
  if (!mark) return accepted - stripped;
  return (
    accepted -
    mark.skipped -
    mark.applied -
    mark.present -
    held(store, lane, mark, 'dead') -
    held(store, lane, mark, 'dropped')
  );
}

/**
 * As the worker's own: pending is counted entry by entry, so that the difference says something.
 */
function balanceOf(
  store: ReadStore,
  lane: number,
  { accepted, stripped }: Counts,
  mark: Row | undefined,
): Balance {
  const above = Number(
    store.value(
      'select count(*) from entry where lane = ? and seq > ? and body is not null',
      lane,
      mark?.seq ?? 0,
    ),
  );
  const Pending = above + (mark ? held(store, lane, mark, 'parked') : 0);
  const DeadLettered = mark
    ? held(store, lane, mark, 'dead') + held(store, lane, mark, 'dropped')
    : 0;
  const { applied, present, skipped } = mark ?? { applied: 0, present: 0, skipped: stripped };
  const Difference = accepted - applied - present - skipped - Pending - DeadLettered;
  return {
    Accepted: accepted,
    Applied: applied,
    AlreadyPresent: present,
    Pending,
    DeadLettered,
    Skipped: skipped,
    Difference,
  };
}

/** When the oldest pending entry was accepted, parked or above the mark. */
function oldest(store: ReadStore, lane: number, mark: Row | undefined): number | null {
  const found = store.value(
    `select min(accepted_ms) from (
    select accepted_ms from (select accepted_ms from entry where lane = @lane and seq > @seq and body is not null order by seq limit 1)
    union all select e.accepted_ms from held h join entry e on e.seq = h.seq where h.database = @database and h.lane = @lane and h.state = 'parked')`,
    { lane, seq: mark?.seq ?? 0, database: mark?.database ?? 0 },
  );
  return typeof found === 'number' ? found : null;
}

function marksOf(store: ReadStore, lane: number): Record<string, Record<string, MarkView>> {
  const views: Record<string, Record<string, MarkView>> = {};
  const counts = countsOf(store, lane);
  for (const mark of store.all<Row>(
    `${markSql} where m.lane = ? order by d.beacon, d.connection`,
    lane,
  )) {
    (views[mark.beacon] ??= {})[String(mark.connection)] = {
      Seq: mark.seq,
      EventGUID: mark.guid ? guidText(mark.guid) : null,
      RecordedAt: isoOrNull(mark.recordedMs),
      AppliedAt: isoOrNull(mark.appliedMs),
      Pending: pendingAt(store, lane, counts, mark),
    };
  }
  return views;
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : isoOf(ms);
}

function lastStart(store: ReadStore): LastStart | null {
  if (store.version < 2) return null;
  const row = store.all<{ pid: number; startedMs: number; stoppedMs: number | null }>(
    'select pid, started_ms as startedMs, stopped_ms as stoppedMs from boot order by rowid desc limit 1',
  )[0];
  return row
    ? { Pid: row.pid, StartedAt: isoOf(row.startedMs), StoppedAt: isoOrNull(row.stoppedMs) }
    : null;
}
