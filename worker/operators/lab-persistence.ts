/**
 * The persistence of one hub as the lab reports it: with the incumbent's names, and its rule for
 * the combined state of both lanes.
 */
import type { ConnectionPresence, Presence } from '../../contracts/presence.ts';
import type { LaneState, LaneStatus } from '../../contracts/status.ts';

export type Persistence = {
  /** A BeaconID; 0 for none, as in the incumbent's column. */
  IDPersistenceBeacon: string | 0;
  IDPersistenceConnection: number;
  /** As presence reports them; null while the beacon is away. */
  BeaconRecord: Omit<Presence, 'Connections'> | null;
  ConnectionRecord: ConnectionPresence | null;
  Queue: LaneStatus | null;
  Manifest: LaneStatus | null;
  State: LaneState;
  LastError: string | null;
  BootstrappedAt: string | null;
};

type Lanes = { Queue: LaneStatus | null; Manifest: LaneStatus | null };

/** @param last the last answer of a worker that is away: its assignment has not changed since */
export function persistenceOf(
  { Queue, Manifest }: Lanes,
  beacons: readonly Presence[],
  last: Lanes | null = null,
): Persistence {
  const lane = Queue ?? last?.Queue ?? null;
  const found = beacons.find((one) => one.BeaconID === lane?.AssignedBeaconID);
  const { Connections = [], ...record } = found ?? {};
  const both = [Queue, Manifest].filter((one) => one !== null);
  return {
    IDPersistenceBeacon: lane?.AssignedBeaconID ?? 0,
    IDPersistenceConnection: lane?.IDBeaconConnection ?? 0,
    BeaconRecord: found ? (record as Omit<Presence, 'Connections'>) : null,
    ConnectionRecord:
      Connections.find((one) => one.IDBeaconConnection === lane?.IDBeaconConnection) ?? null,
    Queue,
    Manifest,
    State: stateOf(both.map(({ State }) => State)),
    LastError: both.find(({ LastError }) => LastError !== null)?.LastError ?? null,
    BootstrappedAt:
      both.find(({ BootstrappedAt }) => BootstrappedAt !== null)?.BootstrappedAt ?? null,
  };
}

/** The worst state wins; otherwise that of the first lane. */
export function stateOf(states: readonly LaneState[]): LaneState {
  for (const bad of ['error', 'waiting-for-beacon', 'bootstrapping'] as const)
    if (states.includes(bad)) return bad;
  return states[0] ?? 'unassigned';
}
