/**
 * A worker process of a simulated world: the core of the real one, on a simulated bus, disk and
 * clock.
 */
import { type Refusal, toRefusal } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import type { BatchReply } from '../../../contracts/reply.ts';
import { type Lane, lanes } from '../../../contracts/subjects.ts';
import type { EndpointSpec } from '../../../runtime/bus/micro-service.ts';
import type { Control } from '../../../worker/operators/control.ts';
import { Core } from '../../../worker/process/core.ts';
import { type Local, openLocal } from '../../../worker/journal/local.ts';
import { Retention } from '../../../worker/upkeep/retention.ts';
import type { Store } from '../../../worker/state/store.ts';
import { watchFiles } from '../../../worker/process/watch.ts';
import { hubId, silent } from '../worker/fixture.ts';
import type { Witness } from './beacon.ts';
import type { Message } from './hub.ts';
import type { Answer } from './ledger.ts';
import type { SimBus } from './sim-bus.ts';
import type { ProcessClock } from './sim-clock.ts';

/** Undelivered entries a simulated worker takes before it refuses. */
export const pendingMax = 30;

export type SimWorkerOptions = {
  store: Store;
  bus: SimBus;
  clock: ProcessClock;
  witness: Witness;
  /** The process ends because its store cannot be trusted. */
  onFault: (error: Error) => void;
  /** Another store owns the hub: the process ends. */
  onDeposed: () => void;
  /** An operator says that this store takes the hub over. */
  takesOver: boolean;
  /** Called when the local state is open, before anything uses it. */
  prepare: (local: Local) => void;
};

export class SimWorker {
  readonly local: Local;
  readonly core: Core;
  readonly retention: Retention;
  readonly #parts: SimWorkerOptions;
  readonly #control: Control;
  readonly #endpoints: EndpointSpec[];
  #stopWatching: () => void = () => undefined;
  #isDead = false;

  constructor(parts: SimWorkerOptions) {
    const { store, clock, bus, witness } = parts;
    this.#parts = parts;
    this.local = openLocal(store, hubId);
    parts.prepare(this.local);
    if (parts.takesOver) this.local.journal.owners.renew();
    this.core = new Core({
      hubId,
      version: 'sim',
      isOneWayOn: false,
      bounds: { journalBytesMax: limits.journalBytesMax, pendingMax, diskFreeMin: null },
      local: this.local,
      bus: bus.asBus(),
      clock,
      log: silent,
      room: () => null,
    });
    this.core.events.listen({
      deliveryFault: (message) => witness.note(`  fault: ${message}`),
      storeFault: (error) => parts.onFault(error),
      deposed: () => parts.onDeposed(),
    });
    this.#control = this.core.controlWith({ ops: () => null, drain: () => undefined });
    const { assignments } = this.core.delivery.destinations;
    this.retention = new Retention(
      { ...this.local, assignments, clock },
      { entries: 6, ms: 30_000 },
    );
    this.#endpoints = this.core.endpointsWith(this.#control);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  start(): void {
    const { clock, store, onFault } = this.#parts;
    this.core.start();
    this.#stopWatching = watchFiles({ store, clock, log: silent, onFault });
  }

  /** The process is gone: it neither answers nor hears nor wakes any more. */
  kill(): void {
    this.#isDead = true;
    this.#parts.clock.kill();
    this.#parts.bus.kill();
  }

  /** An orderly stop; the store is closed at its end. */
  async stop(): Promise<void> {
    await this.core.drain();
    this.#stopWatching();
    if (this.#isDead) return;
    this.local.store.close();
    this.kill();
  }

  /** What the process answers to a message, item by item; null when it died before. */
  async answers(message: Message): Promise<Answer[] | null> {
    const spec = this.#endpoints[lanes.indexOf(message.lane)];
    let answer: unknown;
    try {
      answer = spec?.handle({
        subject: message.subject,
        decode: () => structuredClone(message.body),
        respond: () => undefined,
        refuse: () => undefined,
      });
      this.#boundIntake();
      answer = await answer;
    } catch (thrown) {
      answer = toRefusal(thrown);
    }
    if (this.#isDead) return null;
    const { Results } = answer as Partial<BatchReply>;
    return Results ?? [answer as Answer | Refusal];
  }

  #boundIntake(): void {
    const { waiting } = this.core.hub.intake;
    if (waiting > limits.intakeQueueMax)
      this.#parts.witness.violate(
        `I9: ${waiting} writes wait for a commit, at most ${limits.intakeQueueMax}`,
      );
  }

  /** One sweep of retention; a full disk puts it off. */
  sweep(): void {
    void this.retention.sweep().catch(() => undefined);
  }

  /** An operator's verb. Refused ones are the operator's own affair. */
  operate(verb: string, body: object): unknown {
    try {
      return this.#control.run(verb, body);
    } catch {
      return null;
    }
  }

  assigned(lane: Lane): string | null {
    return this.core.delivery.destinations.assignments.of(lane)?.beacon ?? null;
  }
}
