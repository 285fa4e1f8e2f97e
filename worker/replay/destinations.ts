/**
 * The destinations of both lanes: the online beacons, the assigned databases, and whether an
 * operator paused delivery.
 */
import type { Lane } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { Assignments } from '../beacons/assignments.ts';
import { BeaconDirectory } from '../beacons/directory.ts';
import { Dispatcher } from '../beacons/dispatcher.ts';
import type { Local } from '../journal/local.ts';
import type { MetOwner } from '../state/owners.ts';
import { LaneDelivery } from './delivery.ts';
import { Ownership } from './ownership.ts';

export type DestinationsOptions = {
  hubId: string;
  /** Also accept beacons that announce themselves on the shared presence subject. */
  acceptsUnscoped?: boolean | undefined;
  bus: Bus;
  local: Local;
  clock: Clock;
  log: Log;
  /** A problem that operators must learn of. */
  onFault: (message: string) => void;
  /** A later owner of the hub was met: this store may not serve any more. */
  onDeposed: (met: MetOwner) => void;
};

const pausedName = 'paused';

export class Destinations {
  readonly directory: BeaconDirectory;
  readonly dispatcher: Dispatcher;
  readonly assignments: Assignments;
  readonly ownership: Ownership;
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
    onDeposed,
  }: DestinationsOptions) {
    const { store, journal, marks, blocked } = local;
    this.#store = store;
    this.#isPaused = store.meta(pausedName) === 'yes';
    const directory = new BeaconDirectory(bus, clock, { hubId, acceptsUnscoped });
    const dispatcher = new Dispatcher(bus, directory);
    const assignments = new Assignments(store.db, { directory, dispatcher, clock, log });
    const isPaused = () => this.#isPaused;
    const ownership = new Ownership({ owners: journal.owners, clock, log, onDeposed });
    const shared = { hubId, assignments, dispatcher, journal, marks, blocked, ownership, log };
    this.directory = directory;
    this.dispatcher = dispatcher;
    this.assignments = assignments;
    this.ownership = ownership;
    this.deliveries = {
      queue: new LaneDelivery({ lane: 'queue', ...shared, isPaused, onFault }),
      manifest: new LaneDelivery({ lane: 'manifest', ...shared, isPaused, onFault }),
    };
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Pauses or resumes delivery; kept over restarts. Accepting goes on. */
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
