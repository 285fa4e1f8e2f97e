/**
 * All workers on the bus: who answers the ping of micro services, and the status of each. Reads
 * only, and only for consoles and operators.
 *
 * Failure: a hub that was seen and stops answering stays listed as away. Our own row does not come
 * over the bus, so it is shown without one too.
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
  /** Our own status. */
  status: () => WorkerStatus;
};

export class Fleet {
  readonly #parts: FleetOptions;
  /** The address of our own console, once it is known. */
  console = '';
  /** Hubs that will be asked again shortly. */
  readonly #due = new Set<string>();
  readonly #watchers = new Set<() => void>();
  #lookedMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;
  #stopWatching: () => void = () => undefined;

  constructor(parts: FleetOptions) {
    this.#parts = parts;
  }

  /** The workers now, our own hub first; at most `limits.fleetFreshMs` old. */
  async list(): Promise<FleetRow[]> {
    if (this.#parts.clock.monotonicMs() - this.#lookedMs > limits.fleetFreshMs)
      await (this.#looking ??= this.#look().finally(() => {
        this.#looking = null;
      }));
    return this.rows();
  }

  /** What is known, without asking. */
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

  /** Polls while somebody watches; the returned function stops watching. */
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
      // A worker announces state changes; numbers must be asked for.
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

  /** A state from an unknown hub means that a worker has just started. */
  #onState({ hub, version, askedMs }: SeenWorker): void {
    const { clock, hubId, workers } = this.#parts;
    if (hub === hubId || this.#due.has(hub)) return;
    // The version is in the answer to a ping.
    if (version === '') return void this.list().then(() => this.#report());
    // An answer from a moment ago may be older than the change.
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

/** Whether its numbers are moving, so that they should be asked for again soon. */
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
