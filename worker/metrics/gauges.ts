/**
 * Prometheus gauges, read from the stores at each scrape. They are never kept by adding and
 * subtracting.
 */
import { Counter, Gauge, type Registry } from '@prometheus-io/client';
import {
  aggregateState,
  type Capacity,
  type Dedup,
  type LaneState,
  type LaneStatus,
} from '../../contracts/status.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import type { Mark } from '../../hwm/mark-store.ts';
import type { Delay } from './loop-delay.ts';

/** Where the values come from; reading each is cheap, whatever the size of the journal. */
export type GaugeSources = {
  lane: (lane: Lane) => LaneStatus;
  accepted: (lane: Lane) => number;
  /** Marks of every database this lane was ever assigned to. */
  marks: (lane: Lane) => readonly Mark[];
  difference: (lane: Lane) => number;
  capacity: () => Capacity;
  store: () => {
    fileBytes: number;
    walBytes: number;
    schemaVersion: number;
    faults: number;
    refused: number;
  };
  process: () => { waiting: number; isBusConnected: boolean };
  dedup: () => Dedup;
  loopDelay: () => Delay;
};

const states = [
  'unassigned',
  'waiting-for-beacon',
  'bootstrapping',
  'bootstrapped',
  'error',
] as const satisfies readonly LaneState[];
const unknown = Number.NaN;

export class Gauges {
  readonly #registry: Registry;
  readonly #all: Gauge<string>[] = [];
  readonly #delivered: Counter<'lane' | 'result'>;
  readonly #storeFaults: Counter;
  /**
   * The highest delivered counts reported so far. A database restored to an older state lowers its
   * count until the writes are sent again, and those are not new.
   */
  readonly #reported = new Map<string, number>();
  readonly #set: (sources: GaugeSources) => void;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#delivered = new Counter({
      name: 'tidemark_delivered_total',
      help: 'Writes settled at databases since this journal began, each once.',
      labelNames: ['lane', 'result'],
      registers: [registry],
    });
    this.#storeFaults = new Counter({
      name: 'tidemark_store_faults_total',
      help: 'Faults of the local store since this journal began.',
      registers: [registry],
    });
    const setters = [this.#buffer(), this.#room(), this.#lanes(), this.#beacons(), this.#itself()];
    this.#set = (sources) => setters.forEach((set) => set(sources));
  }

  /** Reads all values again; a series whose subject is gone disappears. */
  collect(sources: GaugeSources): void {
    for (const gauge of this.#all) gauge.reset();
    this.#set(sources);
    this.#countDelivered(sources);
  }

  #gauge<Label extends string = never>(
    name: string,
    help: string,
    ...labelNames: Label[]
  ): Gauge<Label> {
    const gauge = new Gauge<Label>({
      name: `tidemark_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
    });
    this.#all.push(gauge as unknown as Gauge<string>);
    return gauge;
  }

  #buffer(): (sources: GaugeSources) => void {
    const items = this.#gauge('buffer_size_items', 'Writes accepted and not settled.', 'lane');
    const itemsMax = this.#gauge(
      'buffer_max_size_items',
      'Unsettled writes, over all lanes, at which new ones are refused.',
    );
    const bytes = this.#gauge(
      'buffer_size_bytes',
      'Bytes of the journal in use, including delivered writes that are still kept.',
    );
    const bytesMax = this.#gauge(
      'buffer_max_size_bytes',
      'Bytes in use at which writes are refused.',
    );
    const age = this.#gauge(
      'buffer_oldest_age_seconds',
      'Age of the oldest unsettled write; 0 when there is none.',
      'lane',
    );
    const full = this.#gauge(
      'buffer_time_to_full_seconds',
      'Time until the first bound is reached, at the rate of the last minutes; +Inf for never.',
    );
    return ({ lane, capacity }) => {
      for (const one of lanes) {
        const { Pending, OldestPendingMs } = lane(one);
        items.set({ lane: one }, Pending);
        age.set({ lane: one }, OldestPendingMs / 1000);
      }
      const { PendingMax, UsedBytes, BytesMax, TimeToFullSeconds } = capacity();
      itemsMax.set(PendingMax);
      bytes.set(UsedBytes);
      bytesMax.set(BytesMax);
      full.set(TimeToFullSeconds ?? Number.POSITIVE_INFINITY);
    };
  }

  #room(): (sources: GaugeSources) => void {
    const file = this.#gauge(
      'journal_size_bytes',
      'Bytes of the journal and its log on disk, free pages included.',
    );
    const wal = this.#gauge('wal_size_bytes', 'Bytes of the write-ahead log of the journal.');
    const free = this.#gauge('disk_free_bytes', 'Room on the disk of the journal.');
    const freeMin = this.#gauge(
      'disk_min_free_bytes',
      'Room on the disk below which writes are refused.',
    );
    const reserve = this.#gauge(
      'disk_reserve_bytes',
      'Room reserved for delivering while the disk is full; 0 once it is released.',
    );
    const refusing = this.#gauge('intake_refusing', '1 while writes are refused for lack of room.');
    const horizon = this.#gauge(
      'dedup_horizon_seconds',
      'How far back a repeated write is recognised: as set, or less where the number was met.',
    );
    const known = this.#gauge('dedup_known_items', 'Accepted writes whose EventGUIDs are known.');
    return ({ capacity, store, dedup }) => {
      const { ForMs, Known } = dedup();
      horizon.set(ForMs / 1000);
      known.set(Known);
      const { fileBytes, walBytes } = store();
      file.set(fileBytes);
      wal.set(walBytes);
      const { FreeBytes, FreeBytesMin, ReserveBytes, Refusing } = capacity();
      free.set(FreeBytes ?? unknown);
      freeMin.set(FreeBytesMin ?? unknown);
      reserve.set(ReserveBytes);
      refusing.set(Refusing === null ? 0 : 1);
    };
  }

  #lanes(): (sources: GaugeSources) => void {
    const state = this.#gauge('lane_state', '1 for the state the lane is in.', 'lane', 'state');
    const accepted = this.#gauge(
      'journal_accepted',
      'Writes accepted since this journal began.',
      'lane',
    );
    const dead = this.#gauge('dead_letters', 'Dead letters not retried or dropped yet.', 'lane');
    const difference = this.#gauge(
      'balance_difference',
      'accepted - applied - duplicate - pending - dead-lettered - skipped; must be zero.',
      'lane',
    );
    return (sources) => {
      for (const lane of lanes) {
        const status = sources.lane(lane);
        for (const one of states) state.set({ lane, state: one }, Number(one === status.State));
        accepted.set({ lane }, sources.accepted(lane));
        dead.set({ lane }, status.DeadLetters);
        difference.set({ lane }, sources.difference(lane));
      }
    };
  }

  /**
   * For beacons that a lane is assigned to; the last delivery for every beacon that ever had one.
   */
  #beacons(): (sources: GaugeSources) => void {
    const items = this.#gauge(
      'replay_lag_items',
      'Writes the assigned beacon does not have yet.',
      'beacon',
    );
    const seconds = this.#gauge(
      'replay_lag_seconds',
      'Age of the oldest write the assigned beacon does not have yet.',
      'beacon',
    );
    const last = this.#gauge(
      'last_delivery_timestamp_seconds',
      'When a delivery to the beacon was last settled.',
      'beacon',
    );
    const state = this.#gauge(
      'beacon_state',
      '1 for the state of the lanes assigned to the beacon: the worst of them.',
      'beacon',
      'state',
    );
    return (sources) => {
      const assigned = Map.groupBy(lanes.map(sources.lane), (status) => status.AssignedBeaconID);
      for (const [beacon, statuses] of assigned) {
        if (beacon === null) continue;
        items.set(
          { beacon },
          statuses.reduce((sum, { Pending }) => sum + Pending, 0),
        );
        seconds.set(
          { beacon },
          Math.max(...statuses.map(({ OldestPendingMs }) => OldestPendingMs)) / 1000,
        );
        const worst = aggregateState(statuses.map(({ State }) => State));
        for (const one of states.slice(1)) state.set({ beacon, state: one }, Number(one === worst));
      }
      for (const [beacon, marks] of Map.groupBy(
        lanes.flatMap(sources.marks),
        (mark) => mark.beacon,
      )) {
        const ms = Math.max(...marks.map(({ appliedMs }) => appliedMs ?? 0));
        if (ms > 0) last.set({ beacon }, ms / 1000);
      }
    };
  }

  #itself(): (sources: GaugeSources) => void {
    const waiting = this.#gauge('intake_waiting_items', 'Writes waiting for a commit.');
    const connected = this.#gauge('bus_connected', '1 while the bus is connected.');
    const schema = this.#gauge('schema_version', 'Schema of state.db.');
    const refused = this.#gauge(
      'refused_messages',
      'One-way messages kept because they can never be accepted.',
    );
    const longest = this.#gauge(
      'event_loop_delay_longest_seconds',
      'Longest time the event loop was late in the last one to two minutes.',
    );
    const usual = this.#gauge(
      'event_loop_delay_usual_seconds',
      'Time the event loop was late at most in 99 of 100 turns of that time.',
    );
    return ({ process, store, loopDelay }) => {
      const delay = loopDelay();
      longest.set(delay.longest);
      usual.set(delay.usual);
      const { waiting: count, isBusConnected } = process();
      waiting.set(count);
      connected.set(Number(isBusConnected));
      const { schemaVersion, faults, refused: kept } = store();
      schema.set(schemaVersion);
      refused.set(kept);
      this.#storeFaults.reset();
      this.#storeFaults.inc(faults);
    };
  }

  #countDelivered({ marks }: GaugeSources): void {
    this.#delivered.reset();
    for (const lane of lanes) {
      const sum = (of: (mark: Mark) => number) =>
        marks(lane).reduce((total, mark) => total + of(mark), 0);
      for (const [result, count] of [
        ['applied', sum((mark) => mark.applied)],
        ['duplicate', sum((mark) => mark.present)],
        ['superseded', sum((mark) => mark.superseded)],
      ] as const) {
        const most = Math.max(count, this.#reported.get(`${lane} ${result}`) ?? 0);
        this.#reported.set(`${lane} ${result}`, most);
        this.#delivered.inc({ lane, result }, most);
      }
    }
  }
}
