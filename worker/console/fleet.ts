/**
 * All workers on the bus: who answers the ping of micro services, and what each says of itself.
 * Reads only; nobody but a console or an operator asks.
 *
 * Failure: a hub that was seen and is silent stays listed as away. With the bus away our own row is
 * still there, for it does not come over the bus.
 */
import type { FleetRow } from '../../contracts/console-answers.ts';
import { messageOf } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { SeenWorker, WorkerRegistry } from '../operators/worker-registry.ts';

export type FleetOptions = {
  hubId: string;
  workers: WorkerRegistry;
  clock: Clock;
  /** Our own. */
  status: () => WorkerStatus;
};

export class Fleet {
  readonly #parts: FleetOptions;
  /** Where our own console is, once it is anywhere. */
  console = '';
  /** Hubs that are asked again in a moment. */
  readonly #due = new Set<string>();
  readonly #watchers = new Set<() => void>();
  #lookedMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;
  #stopWatching: () => void = () => undefined;

  constructor(parts: FleetOptions) {
    this.#parts = parts;
  }

  /** Who is there now, our own hub first; at most `limits.fleetFreshMs` old. */
  async list(): Promise<FleetRow[]> {
    if (this.#parts.clock.monotonicMs() - this.#lookedMs > limits.fleetFreshMs)
      await (this.#looking ??= this.#look().finally(() => {
        this.#looking = null;
      }));
    return this.rows();
  }

  /** What is known without asking. */
  rows(): FleetRow[] {
    const { hubId, clock, workers } = this.#parts;
    const status = this.#parts.status();
    const known = Math.max(1, workers.find(hubId)?.instances ?? 1);
    const own: FleetRow = {
      HubID: hubId,
      IsSelf: true,
      IsAway: false,
      SeenAt: isoOf(clock.nowMs()),
      Instances: known,
      Version: status.Version,
      Console: this.console,
      Status: status,
      Reason: null,
    };
    const others = this.#others().map(rowOf);
    return [own, ...others.toSorted((a, b) => (a.HubID < b.HubID ? -1 : 1))];
  }

  /** Keeps looking while somebody watches; the returned function ends it. */
  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    if (this.#watchers.size === 1) this.#startWatching();
    return () => {
      this.#watchers.delete(onChange);
      if (this.#watchers.size === 0) this.#stopWatching();
    };
  }

  #startWatching(): void {
    const { workers, clock } = this.#parts;
    const look = () => void this.list().then(() => this.#report());
    const stops = [
      clock.every(limits.fleetEveryMs, look),
      clock.every(limits.fleetTransitMs, () =>
        this.#askThose(({ status, isAway }) => status !== null && !isAway && isInTransit(status)),
      ),
      // A worker says so when its state changes; numbers are asked for.
      workers.listen((worker) => this.#onState(worker)),
    ];
    this.#stopWatching = () => {
      for (const stop of stops) stop();
    };
    look();
  }

  #others(): SeenWorker[] {
    return this.#parts.workers.all().filter(({ hub }) => hub !== this.#parts.hubId);
  }

  /** One of a hub nobody has heard of is a worker that just came. */
  #onState({ hub, version, askedMs }: SeenWorker): void {
    const { clock, hubId, workers } = this.#parts;
    if (hub === hubId || this.#due.has(hub)) return;
    // It says its version when it is pinged.
    if (version === '') return void this.list().then(() => this.#report());
    // What was asked for a moment ago may be of before the change.
    this.#due.add(hub);
    clock.timer(Math.max(0, askedMs + limits.fleetFreshMs - clock.monotonicMs()), () => {
      this.#due.delete(hub);
      void workers.askInTurn(hub).then(() => this.#report());
    });
  }

  #askThose(which: (worker: SeenWorker) => boolean): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const one of this.#others())
      if (which(one) && nowMs - one.askedMs > limits.fleetFreshMs)
        void this.#parts.workers.askInTurn(one.hub).then(() => this.#report());
  }

  async #look(): Promise<void> {
    const { workers, clock } = this.#parts;
    const reason = await workers.ping().then(() => null, messageOf);
    await Promise.all(this.#others().map(({ hub }) => workers.askInTurn(hub, reason)));
    this.#lookedMs = clock.monotonicMs();
  }

  #report(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

/** Whether its numbers move: then they are asked for again soon. */
export function isInTransit({
  Queue,
  Manifest,
}: Pick<WorkerStatus, 'Queue' | 'Manifest'>): boolean {
  return [Queue, Manifest].some(
    ({ State, Pending }) =>
      Pending > 0 ||
      State === 'bootstrapping' ||
      State === 'waiting-for-beacon' ||
      State === 'error',
  );
}

function rowOf(worker: SeenWorker): FleetRow {
  return {
    HubID: worker.hub,
    IsSelf: false,
    IsAway: worker.isAway,
    SeenAt: isoOf(worker.seenMs),
    Instances: worker.instances,
    Version: worker.version,
    Console: worker.console,
    Status: worker.status,
    Reason: worker.reason,
  };
}
