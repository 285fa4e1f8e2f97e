/**
 * Publishes events about the worker itself on the bus: state changes, faults, pressure. Kept in
 * memory and best effort: dropped while the bus is away.
 */
import type { Capacity, WorkerStatus } from '../../contracts/status.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { IncumbentSummary } from '../incumbent/incumbent-table.ts';
import type { Finding } from '../state/guard/finding.ts';

export class Announcer {
  readonly #bus: Bus;
  readonly #hubId: string;
  readonly #clock: Clock;
  #lastState = '';

  constructor(bus: Bus, hubId: string, clock: Clock) {
    this.#bus = bus;
    this.#hubId = hubId;
    this.#clock = clock;
  }

  /** Published once for each change of a lane's state, database or error. */
  state(status: WorkerStatus): void {
    const facts = [status.Queue, status.Manifest].map(
      ({ State, AssignedBeaconID, IDBeaconConnection, LastError, Carrier, IsPaused }) => ({
        State,
        AssignedBeaconID,
        IDBeaconConnection,
        LastError,
        Carrier,
        IsPaused,
      }),
    );
    const state = JSON.stringify(facts);
    if (state === this.#lastState) return;
    this.#lastState = state;
    this.#bus.publish(subjects.event(this.#hubId, 'state'), {
      At: isoOf(this.#clock.nowMs()),
      State: status.State,
      Queue: facts[0],
      Manifest: facts[1],
    });
  }

  /** A file of the incumbent was imported, or could not be. */
  incumbentFiles(summaries: readonly IncumbentSummary[]): void {
    for (const summary of summaries) {
      this.#bus.publish(subjects.event(this.#hubId, 'legacy'), summary);
      if (summary.Status === 'failed')
        this.fault(`${summary.Source}: ${summary.Reason ?? ''}`, 'legacy');
    }
  }

  /** Writes are refused from now on for want of room; null when they are accepted again. */
  pressure(reason: string | null, capacity: Capacity): void {
    this.#bus.publish(subjects.event(this.#hubId, 'pressure'), {
      At: isoOf(this.#clock.nowMs()),
      Reason: reason,
      Capacity: capacity,
    });
  }

  findings(findings: readonly Finding[]): void {
    for (const { What, Class } of findings) this.fault(What, Class);
  }

  /** @param found the fault class of the local state, or `unknown` */
  fault(what: string, found = 'unknown'): void {
    this.#bus.publish(subjects.event(this.#hubId, 'fault'), {
      At: isoOf(this.#clock.nowMs()),
      Class: found,
      What: what,
    });
  }
}
