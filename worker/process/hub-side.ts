/**
 * The hub's part of the core: takes its writes, from the bus and from the one-way stream, and
 * answers its reads.
 */
import { messageOf, type RefusalCode } from '../../contracts/errors.ts';
import type { Lane } from '../../contracts/subjects.ts';
import { isoOf } from '../../runtime/clock.ts';
import { LaneEndpoints } from '../hub/bus-endpoints.ts';
import { OneWay } from '../hub/one-way.ts';
import { Intake } from '../intake/intake.ts';
import { LargeBodies } from '../intake/large-bodies.ts';
import type { Overview } from '../operators/overview.ts';
import { LaneView } from '../reads/lane-view.ts';
import { Reader } from '../reads/reader.ts';
import { ReadyReads } from '../reads/ready-reads.ts';
import type { CoreEvents } from './core-events.ts';
import type { CoreOptions } from './core-options.ts';
import type { DeliverySide } from './delivery-side.ts';

export type HubSide = {
  intake: Intake;
  large: LargeBodies;
  /** What a read needs to know of a lane, at this moment. */
  view: (lane: Lane) => LaneView;
  reader: Reader;
  endpoints: LaneEndpoints;
  /** Null when one-way messages are not taken. */
  oneWay: OneWay | null;
  readyReads: ReadyReads;
};

export function makeHubSide(
  options: CoreOptions,
  delivery: DeliverySide,
  overview: Overview,
  events: CoreEvents,
): HubSide {
  const { hubId, local, bus, clock, log, meter } = options;
  const { destinations, pending, pressure, applied, replays } = delivery;
  const { store, journal, refused } = local;
  const intake = new Intake({
    store,
    journal,
    clock,
    log,
    meter,
    pressure,
    events: {
      onAccepted: (lane) => {
        replays[lane].wake();
        events.changed();
      },
      onFault: (error) => events.storeFault(error),
    },
  });
  const view = viewsOver(options, delivery);
  const reader = new Reader({ hubId, view, now: () => isoOf(clock.nowMs()) });
  const large = new LargeBodies(clock);
  const rejected = (code: RefusalCode) => meter?.rejected(code);
  const endpoints = new LaneEndpoints({
    hubId,
    intake,
    reader,
    applied,
    large,
    nowMs: () => clock.monotonicMs(),
    rejected,
    data: (lane) => {
      const { State, Pending, OldestPendingMs, DeadLetters } = overview.lane(lane);
      return { State, Pending, OldestPendingMs, DeadLetters };
    },
  });
  const oneWay = options.isOneWayOn
    ? new OneWay({ hubId, bus, intake, large, refused, clock, log, rejected })
    : null;
  const readyReads = new ReadyReads({
    local,
    destinations,
    pending,
    isRefusing: () => intake.refusal() !== null,
    clock,
    log,
  });
  return { intake, large, view, reader, endpoints, oneWay, readyReads };
}

function viewsOver(
  { local, log }: CoreOptions,
  { destinations, pressure }: DeliverySide,
): (lane: Lane) => LaneView {
  const { directory, dispatcher, assignments, deliveries } = destinations;
  const { journal, blocked, projection } = local;
  return (lane) =>
    new LaneView({
      lane,
      assignments,
      delivery: deliveries[lane],
      dispatcher,
      blocked,
      journal,
      projection,
      isOut: () => pressure.isOut,
      onFailure: (beacon, error) => {
        log.warn({ lane, beacon, reason: messageOf(error) }, 'read fell back to the journal');
        directory.markAwayIfUnreachable(beacon, error);
      },
    });
}
