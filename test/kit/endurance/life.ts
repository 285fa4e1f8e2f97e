/**
 * One life of the worker: the core of the real one with its upkeep, over a real store, from opening
 * to an orderly stop.
 */
import type { Refusal } from '../../../contracts/errors.ts';
import type { BatchReply, WriteReply } from '../../../contracts/reply.ts';
import { type Lane, lanes, subjects } from '../../../contracts/subjects.ts';
import type { EndpointSpec } from '../../../runtime/bus/micro-service.ts';
import { type Local, openLocal } from '../../../worker/journal/local.ts';
import { Meter } from '../../../worker/metrics/meter.ts';
import { Metrics } from '../../../worker/metrics/metrics.ts';
import type { Control } from '../../../worker/operators/control.ts';
import { Core } from '../../../worker/process/core.ts';
import { watchFiles } from '../../../worker/process/watch.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { ChangePublisher } from '../../../worker/upkeep/change-publisher.ts';
import { Housekeeping } from '../../../worker/upkeep/housekeeping.ts';
import type { KeepBounds } from '../../../worker/upkeep/keep-bounds.ts';
import { hubId, silent } from '../worker/fixture.ts';
import type { CompressedClock } from './compressed-clock.ts';
import { beaconId, type ModelBus } from './model-bus.ts';
import type { Item } from './traffic.ts';
import type { Turns } from './turns.ts';

export type LifeOptions = {
  dataDir: string;
  bus: ModelBus;
  clock: CompressedClock;
  keep: KeepBounds;
  turns: Turns;
  onFault: (what: string) => void;
};

export type Answer = WriteReply | Refusal;

export class Life {
  readonly local: Local;
  readonly core: Core;
  readonly control: Control;
  readonly #metrics: Metrics;
  readonly #housekeeping: Housekeeping;
  readonly #changes: ChangePublisher;
  readonly #endpoints: EndpointSpec[];
  readonly #stopWatching: () => void;

  constructor(options: LifeOptions) {
    const { dataDir, bus, clock, keep, onFault } = options;
    const store = openStore(dataDir);
    options.turns.watchTransactions(store.db);
    this.local = openLocal(store, hubId);
    const meter = new Meter();
    const outside = { local: this.local, bus: bus.asBus(), clock, log: silent };
    const room = () => null;
    const names = { hubId, version: 'endure', isOneWayOn: false };
    this.core = new Core({ ...names, ...outside, dedup: keep.dedup, meter, room });
    this.core.events.listen({
      deliveryFault: onFault,
      storeFault: (error) => onFault(String(error)),
    });
    this.control = this.core.controlWith({ ops: () => null, drain: () => undefined });
    const { destinations, pressure } = this.core.delivery;
    this.#housekeeping = new Housekeeping({
      ...outside,
      assignments: destinations.assignments,
      pressure,
      keep,
      onFault: (error) => onFault(String(error)),
      onRescued: () => undefined,
    });
    this.#changes = new ChangePublisher({ ...outside, store, hubId });
    this.#metrics = new Metrics(meter, {
      ...outside,
      overview: this.core.operators.overview,
      version: names.version,
      capacity: () => pressure.capacity(),
      process: () => ({ waiting: this.core.hub.intake.waiting, isBusConnected: true }),
    });
    this.core.events.listen({ changed: () => this.#changes.touch() });
    this.#watchSteps(options.turns);
    this.#endpoints = this.core.endpointsWith(this.control);
    this.#stopWatching = watchFiles({
      store,
      clock,
      log: silent,
      onFault: (error) => onFault(String(error)),
    });
  }

  #watchSteps(turns: Turns): void {
    const { store, journal, marks } = this.local;
    const { overview } = this.core.operators;
    const { pressure } = this.core.delivery;
    turns.watch(journal, 'readSlice', 'reading');
    turns.watch(store, 'checkpoint', 'checkpoint');
    turns.watch(overview, 'balance', 'balance');
    turns.watch(pressure, 'look', 'look at the room');
    turns.watch(marks, 'forgetDeliveriesBefore', 'forget times');
    turns.watch(journal, 'seqsBetween', 'look for what is due');
  }

  start(): void {
    this.core.start();
    this.#housekeeping.start();
    this.#changes.start();
    const { assignments } = this.core.delivery.destinations;
    if (!assignments.of('queue')) assignments.assign(beaconId, 1);
  }

  /** What a batch of a hub is answered, item by item. */
  async batch(lane: Lane, items: readonly Item[]): Promise<Answer[]> {
    const { Results } = (await this.#ask(lane, 'batch', { Items: items })) as BatchReply;
    return Results;
  }

  ask(lane: Lane, action: string, settings: object): Promise<unknown> {
    return this.#ask(lane, action, { Settings: settings });
  }

  async #ask(lane: Lane, action: string, body: object): Promise<unknown> {
    return this.#endpoints[lanes.indexOf(lane)]?.handle({
      subject: subjects.action(hubId, lane, action),
      decode: () => body,
      respond: () => undefined,
      refuse: () => undefined,
    });
  }

  /** A scrape, as Prometheus makes it. */
  scrape(): Promise<string> {
    return this.#metrics.text();
  }

  /** Writes that were accepted and not settled. */
  get pending(): number {
    return lanes.reduce((sum, lane) => sum + this.core.delivery.pending(lane), 0);
  }

  /** Writes parked behind dead letters. */
  get parked(): number {
    return this.#held('parked');
  }

  get dead(): number {
    return this.#held('dead');
  }

  #held(state: 'parked' | 'dead'): number {
    const { marks, blocked } = this.local;
    return lanes.reduce((sum, lane) => {
      const mark = marks.find(beaconId, 1, lane);
      return sum + (mark ? blocked.count(mark.database, lane, state) : 0);
    }, 0);
  }

  async stop(): Promise<void> {
    this.#stopWatching();
    await this.#housekeeping.stop();
    await this.core.drain();
    await this.#changes.stop();
    this.local.store.close();
  }
}
