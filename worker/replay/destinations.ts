/**
 * Where both lanes deliver to: the beacons that are there, the databases that are assigned, and
 * whether an operator holds delivery back.
 */
import type { Lane } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { Assignments } from '../beacons/assignments.ts';
import { BeaconDirectory } from '../beacons/directory.ts';
import { Dispatcher } from '../beacons/dispatcher.ts';
import type { Local } from '../journal/local.ts';
import { LaneDelivery } from './delivery.ts';

export type DestinationsOptions = {
  hubId: string;
  /** Beacons without a presence subject of their own are heard too. */
  acceptsUnscoped?: boolean | undefined;
  bus: Bus;
  local: Local;
  clock: Clock;
  log: Log;
  /** Something an operator must hear of. */
  onFault: (message: string) => void;
};

const pausedName = 'paused';

export class Destinations {
  readonly directory: BeaconDirectory;
  readonly dispatcher: Dispatcher;
  readonly assignments: Assignments;
  readonly deliveries: Record<Lane, LaneDelivery>;
  readonly #store: Local['store'];
  #isPaused: boolean;

  constructor({
    hubId,
    acceptsUnscoped = false,
    bus,
    local,
    clock,
    log,
    onFault,
  }: DestinationsOptions) {
    const { store, journal, marks, blocked } = local;
    this.#store = store;
    this.#isPaused = store.meta(pausedName) === 'yes';
    const directory = new BeaconDirectory(bus, clock, { hubId, acceptsUnscoped });
    const dispatcher = new Dispatcher(bus, (beacon) => directory.hubFor(beacon));
    const assignments = new Assignments(store.db, { directory, dispatcher, clock, log });
    const isPaused = () => this.#isPaused;
    const shared = { hubId, assignments, dispatcher, journal, marks, blocked, log };
    this.directory = directory;
    this.dispatcher = dispatcher;
    this.assignments = assignments;
    this.deliveries = {
      queue: new LaneDelivery({ lane: 'queue', ...shared, isPaused, onFault }),
      manifest: new LaneDelivery({ lane: 'manifest', ...shared, isPaused, onFault }),
    };
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Holds delivery back, or no longer; kept over restarts. Accepting goes on. */
  setPaused(isPaused: boolean): void {
    this.#store.setMeta(pausedName, isPaused ? 'yes' : 'no');
    this.#isPaused = isPaused;
  }

  start(): void {
    this.directory.start();
    this.assignments.start();
  }

  stop(): void {
    this.assignments.stop();
    this.directory.stop();
  }
}
