/**
 * The working parts of a worker, from a hub's bytes to its database and back, each created after
 * those it depends on. The same in a process, in tests and in the simulator.
 */
import type { TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { lanes } from '../../contracts/subjects.ts';
import type { EndpointSpec } from '../../runtime/bus/micro-service.ts';
import { Control } from '../operators/control.ts';
import { CoreEvents } from './core-events.ts';
import type { CoreOptions } from './core-options.ts';
import { type DeliverySide, makeDeliverySide } from './delivery-side.ts';
import { type HubSide, makeHubSide } from './hub-side.ts';
import { makeOperatorsSide, type OperatorsSide } from './operators-side.ts';

export class Core {
  readonly events = new CoreEvents();
  readonly delivery: DeliverySide;
  readonly operators: OperatorsSide;
  readonly hub: HubSide;
  readonly #options: CoreOptions;

  /** Starts nothing: whoever adds a listener before the start misses no event. */
  constructor(options: CoreOptions) {
    this.#options = options;
    this.delivery = makeDeliverySide(options, this.events);
    this.operators = makeOperatorsSide(options, this.delivery, this.events);
    this.hub = makeHubSide(options, this.delivery, this.operators.overview, this.events);
    this.delivery.destinations.assignments.onChange(() => this.#stateChanged());
  }

  /** The operators' verbs over this core, with the two that reach beyond it. */
  controlWith(beyond: { ops: (body: JsonObject) => unknown; drain: () => void }): Control {
    const { hubId, clock, log, local } = this.#options;
    const { store, blocked, refused, journal } = local;
    const { assignments, deliveries } = this.delivery.destinations;
    return new Control({
      hubId,
      ...this.operators,
      ...beyond,
      assignments,
      deliveries,
      blocked,
      refused,
      journal,
      journalBytes: () => store.bytes(),
      db: store.db,
      clock,
      log,
      setPaused: (isPaused) => this.setPaused(isPaused),
      wake: () => {
        this.wakeAll();
        this.events.changed();
      },
    });
  }

  endpointsWith(control: Control): EndpointSpec[] {
    return [...this.hub.endpoints.specs(), control.spec()];
  }

  /** Why a write sent now would not be accepted; null when it would. */
  unready(): string | null {
    return this.hub.intake.refusal()?.message ?? null;
  }

  /** Pauses or resumes delivery; kept over restarts. Accepting goes on. */
  setPaused(isPaused: boolean): void {
    this.delivery.destinations.setPaused(isPaused);
    this.#stateChanged();
  }

  #stateChanged(): void {
    this.events.stateChanged();
    this.events.changed();
    this.wakeAll();
  }

  /** Wakes delivery: there may be something to send. */
  wakeAll(): void {
    for (const lane of lanes) this.delivery.replays[lane].wake();
  }

  start(): void {
    const { pressure, destinations, replays } = this.delivery;
    pressure.start();
    destinations.start();
    for (const lane of lanes) replays[lane].start();
    this.hub.oneWay?.start();
    this.hub.readyReads.start();
  }

  /** Finishes what was taken; settles what is in flight, or gives up on it. */
  async drain(): Promise<void> {
    const { pressure, destinations } = this.delivery;
    const { readyReads, oneWay, intake, large } = this.hub;
    readyReads.stop();
    await oneWay?.stop();
    await intake.drain();
    large.close();
    this.operators.drill.cancel();
    await this.#stopReplays();
    destinations.stop();
    pressure.stop();
  }

  /**
   * Stops accepting and starts no more deliveries. One in flight is not awaited, because the
   * process is about to end.
   */
  freeze(fault: TidemarkError): void {
    this.hub.intake.freeze(fault);
    this.hub.readyReads.stop();
    this.delivery.pressure.stop();
    this.operators.drill.cancel();
    void this.#stopReplays().catch(() => undefined);
  }

  async #stopReplays(): Promise<void> {
    await Promise.all(lanes.map((lane) => this.delivery.replays[lane].stop()));
  }
}
