/** What a core is made of: the environment of a worker, which tests and the simulator replace. */
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { CapacityBounds } from '../intake/pressure.ts';
import type { DedupBounds } from '../journal/horizon.ts';
import type { Local } from '../journal/local.ts';
import type { Meter } from '../metrics/meter.ts';
import type { DiskRoom } from '../state/guard/disk.ts';

export type CoreOptions = {
  hubId: string;
  version: string;
  /** Also accept beacons that announce themselves on the shared presence subject. */
  acceptsUnscoped?: boolean | undefined;
  /** Takes messages from the hub's one-way stream as well. */
  isOneWayOn: boolean;
  bounds?: CapacityBounds | undefined;
  /** How far back repeats are known. */
  dedup?: DedupBounds | undefined;
  local: Local;
  bus: Bus;
  clock: Clock;
  log: Log;
  meter?: Meter;
  /** Free room on the store's disk; null when unknown. */
  room: () => DiskRoom | null;
};
