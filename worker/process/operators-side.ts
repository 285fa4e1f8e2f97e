/** The operators' part of the core: what they read, and what they change by hand. */
import { Drill } from '../operators/drill.ts';
import { MarkMover } from '../operators/mark-mover.ts';
import { Overview } from '../operators/overview.ts';
import type { CoreEvents } from './core-events.ts';
import type { CoreOptions } from './core-options.ts';
import type { DeliverySide } from './delivery-side.ts';

export type OperatorsSide = { overview: Overview; drill: Drill; markMover: MarkMover };

export function makeOperatorsSide(
  { hubId, version, local, bus, clock, log, dedup }: CoreOptions,
  { destinations, pressure, replays }: DeliverySide,
  events: CoreEvents,
): OperatorsSide {
  const { directory, assignments, deliveries } = destinations;
  const { journal } = local;
  const isPaused = () => destinations.isPaused;
  const drill = new Drill({ directory, assignments, deliveries, journal, clock, log, isPaused });
  const overview = new Overview({
    hubId,
    version,
    ...local,
    assignments,
    deliveries,
    clock,
    isPaused,
    drill: () => drill.view(),
    capacity: () => pressure.capacity(),
    dedup,
    bus: () => ({ Connected: bus.isConnected, Server: bus.server, Reconnects: bus.reconnects }),
  });
  const markMover = new MarkMover({
    local,
    deliveries,
    clock,
    version,
    isPaused,
    isBusy: (lane) => replays[lane].isBusy,
    onMoved: (moved) => {
      log.warn({ moved }, 'marks were moved by hand');
      events.changed();
    },
  });
  return { overview, drill, markMover };
}
