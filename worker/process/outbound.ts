/**
 * The outward half of the worker: who is there, who is assigned, and one replay a lane that
 * delivers.
 */
import { messageOf, type TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { Assignments } from '../beacons/assignments.ts';
import { LaneDelivery } from '../replay/delivery.ts';
import { BeaconDirectory } from '../beacons/directory.ts';
import { Dispatcher } from '../beacons/dispatcher.ts';
import { LaneView } from '../reads/lane-view.ts';
import type { Local } from '../journal/local.ts';
import type { Meter } from '../metrics/meter.ts';
import { Replay } from '../replay/replay.ts';
import { classOf, endsTheProcess, isOfStore, toStoreFault } from '../state/guard/storage-error.ts';

export type OutboundOptions = {
  hubId: string;
  bus: Bus;
  local: Local;
  clock: Clock;
  log: Log;
  meter?: Meter;
  /** A lane's mark moved, or what is held behind it. */
  onSettled: (lane: Lane) => void;
  /** A state that people look at may have changed. */
  onChange: () => void;
  onFault: (message: string) => void;
  /** A delivery could not be settled because the disk is full. */
  onFull: () => void;
  /** What room is left on the disk is for delivering alone. Without it: there always is some. */
  isOut?: () => boolean;
  /** The local store failed while settling; the process must end. */
  onStoreFault: (error: TidemarkError) => void;
};

const pausedName = 'paused';

export class Outbound {
  readonly directory: BeaconDirectory;
  readonly assignments: Assignments;
  readonly deliveries: Record<Lane, LaneDelivery>;
  readonly #parts: OutboundOptions;
  readonly #dispatcher: Dispatcher;
  readonly #replays: Record<Lane, Replay>;
  #isPaused: boolean;
  /** Failures of our own store in a row that fit no class. */
  #strikes = 0;

  constructor(parts: OutboundOptions) {
    const { bus, local, clock, log } = parts;
    this.#parts = parts;
    this.#isPaused = local.store.meta(pausedName) === 'yes';
    this.directory = new BeaconDirectory(bus, clock);
    this.#dispatcher = new Dispatcher(bus);
    this.assignments = new Assignments(local.store.db, {
      directory: this.directory,
      dispatcher: this.#dispatcher,
      clock,
      log,
    });
    this.deliveries = { queue: this.#delivery('queue'), manifest: this.#delivery('manifest') };
    this.#replays = { queue: this.#replay('queue'), manifest: this.#replay('manifest') };
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Holds delivery; kept over restarts. Accepting goes on. */
  setPaused(isPaused: boolean): void {
    this.#parts.local.store.setMeta(pausedName, isPaused ? 'yes' : 'no');
    this.#isPaused = isPaused;
    this.#parts.onChange();
    this.wakeAll();
  }

  #delivery(lane: Lane): LaneDelivery {
    const { hubId, local, log, onFault } = this.#parts;
    return new LaneDelivery({
      lane,
      hubId,
      assignments: this.assignments,
      dispatcher: this.#dispatcher,
      journal: local.journal,
      marks: local.marks,
      blocked: local.blocked,
      log,
      isPaused: () => this.#isPaused,
      onFault,
    });
  }

  #replay(lane: Lane): Replay {
    const { local, clock, log, meter, onSettled, onFull, onStoreFault } = this.#parts;
    return new Replay(
      {
        lane,
        journal: local.journal,
        marks: local.marks,
        blocked: local.blocked,
        clock,
        log,
        ...(meter ? { meter } : {}),
      },
      {
        destination: () => this.deliveries[lane].destination(),
        onSettled: () => {
          this.#strikes = 0;
          onSettled(lane);
        },
        onFailure: (beacon, error) => {
          // Our own disk says nothing about the beacon.
          const found = classOf(error);
          if (found === 'capacity') return onFull();
          if (found === 'transient') return;
          if (endsTheProcess(found)) return onStoreFault(toStoreFault(error));
          if (isOfStore(error))
            return void (
              ++this.#strikes >= limits.storeStrikesMax && onStoreFault(toStoreFault(error))
            );
          this.directory.markAwayIfUnreachable(beacon, error);
          this.assignments.targetOf(lane)?.recheckSchema();
        },
      },
    );
  }

  start(): void {
    this.assignments.onChange(() => {
      this.wakeAll();
      this.#parts.onChange();
    });
    this.directory.start();
    this.assignments.start();
    for (const lane of lanes) this.#replays[lane].start();
  }

  /** Ends after the batches in flight are settled or given up. */
  async stop(): Promise<void> {
    await Promise.all(lanes.map((lane) => this.#replays[lane].stop()));
    this.assignments.stop();
    this.directory.stop();
  }

  /** A lane's delivery is under way. */
  isBusy(lane: Lane): boolean {
    return this.#replays[lane].isBusy;
  }

  /**
   * Begins no delivery any more; the one in flight is left to itself, for the process is about to
   * end.
   */
  freeze(): void {
    void Promise.allSettled(lanes.map((lane) => this.#replays[lane].stop()));
  }

  wake(lane: Lane): void {
    this.#replays[lane].wake();
  }

  wakeAll(): void {
    for (const lane of lanes) this.wake(lane);
  }

  /** What a read may ask of a lane, as things are now. */
  view(lane: Lane): LaneView {
    const { local, log } = this.#parts;
    return new LaneView({
      lane,
      assignments: this.assignments,
      delivery: this.deliveries[lane],
      dispatcher: this.#dispatcher,
      blocked: local.blocked,
      journal: local.journal,
      projection: local.projection,
      isOut: this.#parts.isOut ?? (() => false),
      onFailure: (beacon, error) => {
        log.warn({ lane, beacon, reason: messageOf(error) }, 'read fell back to the journal');
        this.directory.markAwayIfUnreachable(beacon, error);
      },
    });
  }
}
