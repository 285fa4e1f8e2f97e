/**
 * Health of the local state: its files, the last commit, the last faults. Never throws, because it
 * is read when things are broken.
 */
import { messageOf, type TidemarkError } from '../../contracts/errors.ts';
import type { Capacity } from '../../contracts/status.ts';
import { isoOf } from '../../runtime/clock.ts';
import { type FaultView, lastFaults } from '../state/guard/fault-log.ts';
import { classOf, type FaultClass } from '../state/guard/storage-error.ts';
import type { IdentityView } from '../state/guard/file-guard.ts';
import { type RescueView, rescueView } from '../state/recover/set-aside.ts';
import type { Store } from '../state/store.ts';

export type LocalHealth = {
  Db: {
    Status: 'ok' | 'degraded' | 'fault';
    Class: FaultClass | null;
    Identity: IdentityView & { CheckedAt: string };
    LastCommitAt: string | null;
    PreviousStopWasClean: boolean | null;
    SizeBytes: number;
    WalBytes: number;
    FreeBytes: number | null;
  };
  Faults: FaultView[];
  /** What was rescued from files that were lost, and what was set aside; null when unknown. */
  Rescue: RescueView | null;
};

/** @param fault what ends the process, once there is such a fault */
export function localHealth(parts: {
  store: Store;
  fault: TidemarkError | null;
  lastCommitMs: number | null;
  capacity: Pick<Capacity, 'FreeBytes' | 'Refusing'>;
  nowMs: number;
}): LocalHealth {
  const { store, fault, lastCommitMs, capacity, nowMs } = parts;
  const finding = attempt(() => store.lookAtFiles(), null);
  const identity = store.identity();
  const found = fault ? classOf(fault) : (finding?.verdict ?? classOfProbe(store));
  const isDegraded = identity.IsDegraded || capacity.Refusing !== null;
  const Faults = attempt(() => lastFaults(store.db), []);
  if (fault)
    Faults.unshift({
      At: isoOf(nowMs),
      Class: classOf(fault),
      What: messageOf(fault),
      Detail: null,
    });
  return {
    Db: {
      Status: found !== null ? 'fault' : isDegraded ? 'degraded' : 'ok',
      Class: found,
      Identity: { ...identity, CheckedAt: isoOf(nowMs) },
      LastCommitAt: lastCommitMs === null ? null : isoOf(lastCommitMs),
      PreviousStopWasClean: attempt(() => previousStopWasClean(store), null),
      SizeBytes: attempt(() => store.bytes(), 0),
      WalBytes: attempt(() => store.logBytes(), 0),
      FreeBytes: capacity.FreeBytes,
    },
    Faults,
    Rescue: attempt(() => rescueView(store.paths, nowMs), null),
  };
}

/** Reads from a table of ours, to see whether the handle still works. */
function classOfProbe(store: Store): FaultClass | null {
  try {
    return store.meta('store') === store.storeId ? null : 'modified';
  } catch (error) {
    return classOf(error);
  }
}

/** Null at the first start of a store. */
function previousStopWasClean(store: Store): boolean | null {
  const row = store.db
    .prepare<[], { stopped: number | null }>(
      'select stopped_ms as stopped from boot order by rowid desc limit 1 offset 1',
    )
    .get();
  return row ? row.stopped !== null : null;
}

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    // Health must answer for a broken store too; the fault itself is reported above.
    return otherwise;
  }
}
