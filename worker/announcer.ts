/** Events on the bus: state changes, what changed in the store, faults. Never in the way of a write: dropped while the bus is away. */
import type { Capacity, WorkerStatus } from '../contracts/status.ts';
import { type Lane, subjects } from '../contracts/subjects.ts';
import type { Bus } from '../runtime/bus.ts';
import { type Clock, isoOf } from '../runtime/clock.ts';
import type { Finding } from './state/finding.ts';

/** Changes within this time are told of together. */
const collectMs = 200;

export class Announcer {
  readonly #bus: Bus;
  readonly #hubId: string;
  readonly #clock: Clock;
  readonly #changed = new Set<Lane>();
  #cursor = 0;
  #lastState = '';

  constructor(bus: Bus, hubId: string, clock: Clock) {
    this.#bus = bus;
    this.#hubId = hubId;
    this.#clock = clock;
  }

  /** Told once for each change of a lane's state, database or error. */
  state(status: WorkerStatus): void {
    const facts = [status.Queue, status.Manifest].map(({ State, AssignedBeaconID, IDBeaconConnection, LastError, Carrier, IsPaused }) =>
      ({ State, AssignedBeaconID, IDBeaconConnection, LastError, Carrier, IsPaused }));
    const state = JSON.stringify(facts);
    if (state === this.#lastState) return;
    this.#lastState = state;
    this.#bus.publish(subjects.event(this.#hubId, 'state'), { At: isoOf(this.#clock.nowMs()), State: status.State, Queue: facts[0], Manifest: facts[1] });
  }

  /** Entries or marks of a lane changed; listeners read again what they show. */
  storeChanged(lane: Lane): void {
    const isFirst = this.#changed.size === 0;
    this.#changed.add(lane);
    if (!isFirst) return;
    this.#clock.timer(collectMs, () => {
      const changes = [...this.#changed].map((one) => ({ table: 'entry', op: 'update', ids: [one] }));
      this.#changed.clear();
      this.#bus.publish(subjects.event(this.#hubId, 'store-changed'), { cursor: ++this.#cursor, changes });
    });
  }

  /** Writes are refused for room from now on, or, with null, taken again. */
  pressure(reason: string | null, capacity: Capacity): void {
    this.#bus.publish(subjects.event(this.#hubId, 'pressure'), { At: isoOf(this.#clock.nowMs()), Reason: reason, Capacity: capacity });
  }

  findings(findings: readonly Finding[]): void {
    for (const { What, Class } of findings) this.fault(What, Class);
  }

  /** What went wrong, and of which class it is: of the local state, or `unknown`. */
  fault(what: string, found = 'unknown'): void {
    this.#bus.publish(subjects.event(this.#hubId, 'fault'), { At: isoOf(this.#clock.nowMs()), Class: found, What: what });
  }
}
