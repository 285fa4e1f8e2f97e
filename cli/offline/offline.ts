/**
 * What a data directory says of itself without its worker: status and marks as its files have them,
 * read-only, beside a writer or without one.
 */
import type { Balance, LaneStatus, MarksFile, MarkView } from '../../contracts/status.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import { balanceOf, type EntryCounts, pendingOf } from '../../hwm/balance.ts';
import { blockedCount } from '../../hwm/blocked-store.ts';
import type { BlockedState } from '../../hwm/held-body.ts';
import { assignedMark, type MarkRow, marksOfLane } from '../../hwm/mark-row.ts';
import { isoOf } from '../../runtime/clock.ts';
import { markView } from '../../worker/operators/overview.ts';
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

type Counts = EntryCounts & { head: number };

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
  const mark = store.all<MarkRow>(assignedMark(store.version), lane)[0] ?? null;
  const counts = countsOf(store, lane);
  const givenUp = countGivenUp(store, lane, mark);
  const oldestMs = oldest(store, lane, mark);
  return {
    status: {
      State: assignment ? 'assigned' : 'unassigned',
      AssignedBeaconID: assignment?.beacon ?? null,
      IDBeaconConnection: assignment?.connection ?? 0,
      AssignedAt: assignment ? isoOf(assignment.atMs) : null,
      Seq: { Head: counts.head, Mark: mark?.seq ?? 0 },
      Pending: pendingOf(counts, mark, givenUp),
      OldestPendingMs: oldestMs === null ? 0 : Math.max(0, nowMs - oldestMs),
      DeadLetters: countBlocked(store, lane, mark, 'dead'),
      Carrier: mark?.carrier ?? null,
      IsPaused: meta(store, 'paused') === 'yes',
    },
    balance: balanceOf(counts, mark, { pending: countPending(store, lane, mark), givenUp }),
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

function countBlocked(
  store: ReadStore,
  lane: number,
  mark: MarkRow | null,
  state: BlockedState,
): number {
  return mark ? Number(store.value(blockedCount, { database: mark.database, lane, state })) : 0;
}

function countGivenUp(store: ReadStore, lane: number, mark: MarkRow | null): number {
  const kept = countBlocked(store, lane, mark, 'dead') + countBlocked(store, lane, mark, 'dropped');
  // Given up, and gone from what is held with retention.
  const gone =
    mark && store.version >= 5
      ? store.value('select dropped from mark where database = ? and lane = ?', mark.database, lane)
      : 0;
  return kept + Number(gone);
}

/** What a lane's assigned database does not have yet, from the counts. */
export function pendingIn(store: ReadStore, lane: number): number {
  const mark = store.all<MarkRow>(assignedMark(store.version), lane)[0] ?? null;
  return pendingOf(countsOf(store, lane), mark, countGivenUp(store, lane, mark));
}

/** Pending entries counted one by one: those above the mark, and those parked below it. */
function countPending(store: ReadStore, lane: number, mark: MarkRow | null): number {
  const above = store.value(
    'select count(*) from entry where lane = ? and seq > ? and body is not null',
    lane,
    mark?.seq ?? 0,
  );
  return Number(above) + countBlocked(store, lane, mark, 'parked');
}

/** When the oldest pending entry was accepted, parked or above the mark. */
function oldest(store: ReadStore, lane: number, mark: MarkRow | null): number | null {
  const found = store.value(
    `select min(accepted_ms) from (
      select accepted_ms from (select accepted_ms from entry
        where lane = @lane and seq > @seq and body is not null order by seq limit 1)
      union all
      select e.accepted_ms from held h join entry e on e.seq = h.seq
        where h.database = @database and h.lane = @lane and h.state = 'parked')`,
    { lane, seq: mark?.seq ?? 0, database: mark?.database ?? 0 },
  );
  return typeof found === 'number' ? found : null;
}

function marksOf(store: ReadStore, lane: number): Record<string, Record<string, MarkView>> {
  // A BeaconID of before may be a name that every object has.
  const views = Object.create(null) as Record<string, Record<string, MarkView>>;
  const counts = countsOf(store, lane);
  for (const mark of store.all<MarkRow>(marksOfLane(store.version), lane))
    (views[mark.beacon] ??= {})[String(mark.connection)] = markView(
      mark,
      pendingOf(counts, mark, countGivenUp(store, lane, mark)),
    );
  return views;
}

function lastStart(store: ReadStore): LastStart | null {
  if (store.version < 2) return null;
  const row = store.all<{ pid: number; startedMs: number; stoppedMs: number | null }>(
    'select pid, started_ms as startedMs, stopped_ms as stoppedMs from boot order by rowid desc limit 1',
  )[0];
  return row
    ? {
        Pid: row.pid,
        StartedAt: isoOf(row.startedMs),
        StoppedAt: row.stoppedMs === null ? null : isoOf(row.stoppedMs),
      }
    : null;
}
