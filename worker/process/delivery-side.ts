/**
 * The delivering part of the core: the destinations, what is in flight, how full that makes the
 * disk, and one replay per lane that sends.
 */
import { type Lane, lanes } from '../../contracts/subjects.ts';
import { AppliedWaiters, whyNotApplied } from '../intake/applied-waiters.ts';
import { Pressure } from '../intake/pressure.ts';
import { Destinations } from '../replay/destinations.ts';
import { Failures } from '../replay/failures.ts';
import { deposed, pendingAt } from '../replay/pending.ts';
import { Replay } from '../replay/replay.ts';
import { Reserve } from '../state/guard/disk.ts';
import type { CoreEvents } from './core-events.ts';
import type { CoreOptions } from './core-options.ts';

export type DeliverySide = {
  destinations: Destinations;
  /** Writes accepted and not settled. */
  pending: (lane: Lane) => number;
  pressure: Pressure;
  /** Senders that wait until their write is applied. */
  applied: AppliedWaiters;
  replays: Record<Lane, Replay>;
};

export function makeDeliverySide(options: CoreOptions, events: CoreEvents): DeliverySide {
  const { hubId, acceptsUnscoped, bounds, local, bus, clock, log, meter, room } = options;
  const { store, journal, marks, blocked } = local;
  const destinations = new Destinations({
    hubId,
    acceptsUnscoped,
    bus,
    local,
    clock,
    log,
    onFault: (message) => events.deliveryFault(message),
    onDeposed: (met) => events.deposed(deposed(local, met)),
  });
  const { deliveries } = destinations;
  const pending = (lane: Lane) => pendingAt(local, lane, deliveries[lane].mark());
  const pressure = new Pressure({
    bytesInUse: () => store.bytesInUse(),
    pending: () => lanes.reduce((sum, lane) => sum + pending(lane), 0),
    room,
    reserve: new Reserve(store.paths),
    clock,
    log,
    bounds,
    onChange: (reason) => events.pressure(reason),
  });
  const applied = new AppliedWaiters({
    clock,
    whyNot: (lane, seq) => whyNotApplied(blocked, deliveries[lane].mark(), seq),
    markOf: (lane) => deliveries[lane].mark()?.seq ?? 0,
  });
  const failures = new Failures({
    destinations,
    onFull: () => pressure.full(),
    onStoreFault: (error) => events.storeFault(error),
  });
  const replayOf = (lane: Lane) =>
    new Replay({
      lane,
      journal,
      marks,
      blocked,
      clock,
      log,
      meter,
      destination: () => deliveries[lane].destination(),
      listener: {
        settled: () => {
          failures.settled();
          applied.check(lane);
          store.wrote(0);
          events.changed();
        },
        failed: (beacon, error) => {
          deliveries[lane].failed(error);
          failures.failed(lane, beacon, error);
        },
      },
    });
  const replays = { queue: replayOf('queue'), manifest: replayOf('manifest') };
  return { destinations, pending, pressure, applied, replays };
}
