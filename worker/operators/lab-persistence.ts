/**
 * What the lab says of one hub's persistence, in the incumbent's words and by its rule for the
 * state of both lanes.
 */
import type { ConnectionPresence, Presence } from '../../contracts/presence.ts';
import type { LaneState, LaneStatus } from '../../contracts/status.ts';

export type Persistence = {
  /** BeaconID; 0 where there is none, as the incumbent's column says. */
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

/**
 * @param last what was known when it still answered: whom it is assigned to does not change while
 * it is away
 */
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

/** The worst first; lanes that differ otherwise are what the first is. */
export function stateOf(states: readonly LaneState[]): LaneState {
  for (const bad of ['error', 'waiting-for-beacon', 'bootstrapping'] as const)
    if (states.includes(bad)) return bad;
  return states[0] ?? 'unassigned';
}
