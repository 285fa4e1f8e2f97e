/**
 * A worker process of a simulated world: all of the real parts between the bus and the disk, put
 * together as compose.ts does, without HTTP and mirrors.
 */
import { type Refusal, toRefusal } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import type { BatchReply } from '../../../contracts/reply.ts';
import { type Lane, lanes } from '../../../contracts/subjects.ts';
import type { EndpointSpec } from '../../../runtime/bus/micro-service.ts';
import { Drill } from '../../../worker/operators/drill.ts';
import { Inbound } from '../../../worker/process/inbound.ts';
import { type Local, openLocal } from '../../../worker/journal/local.ts';
import { MarkMover } from '../../../worker/operators/mark-mover.ts';
import { Outbound } from '../../../worker/process/outbound.ts';
import { Overview } from '../../../worker/operators/overview.ts';
import { Pressure } from '../../../worker/intake/pressure.ts';
import { Retention } from '../../../worker/upkeep/retention.ts';
import { Reserve } from '../../../worker/state/guard/disk.ts';
import type { Store } from '../../../worker/state/store.ts';
import { watchFiles } from '../../../worker/process/watchdog.ts';
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
  /** Called when the local state is open, before anything uses it. */
  prepare: (local: Local) => void;
};

export class SimWorker {
  readonly local: Local;
  readonly outbound: Outbound;
  readonly inbound: Inbound;
  readonly overview: Overview;
  readonly retention: Retention;
  readonly #pressure: Pressure;
  readonly #parts: SimWorkerOptions;
  readonly #endpoints: EndpointSpec[];
  #stopWatching: () => void = () => undefined;
  #isDead = false;

  constructor(parts: SimWorkerOptions) {
    const { store, clock } = parts;
    const bus = parts.bus.asBus();
    this.#parts = parts;
    this.local = openLocal(store, hubId);
    parts.prepare(this.local);
    const { local } = this;
    this.outbound = new Outbound({
      hubId,
      bus,
      local,
      clock,
      log: silent,
      onSettled: (lane) => this.inbound.applied.check(lane),
      onChange: () => undefined,
      onFault: (message) => parts.witness.note(`  fault: ${message}`),
      onFull: () => this.#pressure.full(),
      onStoreFault: (error) => parts.onFault(error),
    });
    this.#pressure = new Pressure({
      bytesInUse: () => store.bytesInUse(),
      pending: () => this.overview.pending('queue') + this.overview.pending('manifest'),
      room: () => null,
      reserve: new Reserve(store.paths),
      clock,
      log: silent,
      bounds: { journalBytesMax: limits.journalBytesMax, pendingMax, diskFreeMin: null },
    });
    this.overview = new Overview({
      hubId,
      version: 'sim',
      ...local,
      assignments: this.outbound.assignments,
      deliveries: this.outbound.deliveries,
      clock,
      isPaused: () => this.outbound.isPaused,
      capacity: () => this.#pressure.capacity(),
      bus: () => ({ Connected: true, Server: null, Reconnects: 0 }),
    });
    const markMover = new MarkMover({
      local,
      deliveries: this.outbound.deliveries,
      clock,
      version: 'sim',
      isPaused: () => this.outbound.isPaused,
      isBusy: (lane) => this.outbound.isBusy(lane),
      onMoved: () => undefined,
    });
    const { directory, assignments, deliveries } = this.outbound;
    const drill = new Drill({
      directory,
      assignments,
      deliveries,
      journal: local.journal,
      clock,
      log: silent,
      isPaused: () => this.outbound.isPaused,
    });
    this.inbound = new Inbound({
      markMover,
      drill,
      ops: () => null,
      hubId,
      bus,
      local,
      outbound: this.outbound,
      overview: this.overview,
      pressure: this.#pressure,
      clock,
      log: silent,
      isOneWayOn: false,
      onDrain: () => undefined,
      onAccepted: (lane) => this.outbound.wake(lane),
      onFault: (error) => parts.onFault(error),
    });
    this.retention = new Retention(
      { ...local, assignments: this.outbound.assignments, clock },
      { entries: 6, ms: 30_000 },
    );
    this.#endpoints = this.inbound.endpoints();
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  start(): void {
    const { clock, store, onFault } = this.#parts;
    this.#pressure.start();
    this.#stopWatching = watchFiles({ store, clock, log: silent, onFault });
    this.outbound.start();
    this.inbound.start();
  }

  /** The process is gone: it neither answers nor hears nor wakes any more. */
  kill(): void {
    this.#isDead = true;
    this.#parts.clock.kill();
    this.#parts.bus.kill();
  }

  /** An orderly stop; the store is closed at its end. */
  async stop(): Promise<void> {
    await this.inbound.drain();
    await this.outbound.stop();
    this.#pressure.stop();
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
    const { waiting } = this.inbound.intake;
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
      return this.inbound.control.run(verb, body);
    } catch {
      return null;
    }
  }

  assigned(lane: Lane): string | null {
    return this.outbound.assignments.of(lane)?.beacon ?? null;
  }
}
