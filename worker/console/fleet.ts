/**
 * All workers on the bus: who answers the ping of micro services, and what each says of itself.
 * Reads only; nobody but a console or an operator asks.
 *
 * Failure: a hub that was seen and is silent stays listed as away. With the bus away our own row is
 * still there, for it does not come over the bus.
 */
import PQueue from 'p-queue';
import type { FleetRow } from '../../contracts/console-answers.ts';
import { messageOf } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { isSubjectToken, services, subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';

export type FleetOptions = {
  hubId: string;
  bus: Pick<Bus, 'gather' | 'request' | 'subscribe'>;
  clock: Clock;
  /** Our own. */
  status: () => WorkerStatus;
};

type Seen = { row: FleetRow; askedMs: number; isDue: boolean };
type Found = { hub: string; version: string; console: string | null };

export class Fleet {
  readonly #parts: FleetOptions;
  /** Where our own console is, once it is anywhere. */
  console = '';
  readonly #seen = new Map<string, Seen>();
  readonly #asks = new PQueue({ concurrency: limits.fleetAsksMax });
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
    const { hubId, clock } = this.#parts;
    const status = this.#parts.status();
    const known = this.#seen.get(hubId)?.row.Instances ?? 1;
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
    const others = [...this.#seen.values()]
      .map((seen) => seen.row)
      .filter((row) => row.HubID !== hubId);
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
    const { bus, clock } = this.#parts;
    const look = () => void this.list().then(() => this.#tell());
    const stops = [
      clock.every(limits.fleetEveryMs, look),
      clock.every(limits.fleetTransitMs, () =>
        this.#askThose((row) => row.Status !== null && !row.IsAway && isInTransit(row.Status)),
      ),
      // A worker says so when its state changes; numbers are asked for.
      bus.subscribe(subjects.event('*', 'state'), (_, subject) =>
        this.#onState(subject.split('.')[1] ?? ''),
      ),
    ];
    this.#stopWatching = () => {
      for (const stop of stops) stop();
    };
    look();
  }

  /** One of a hub nobody has heard of is a worker that just came. */
  #onState(hub: string): void {
    const { clock, hubId } = this.#parts;
    const seen = this.#seen.get(hub);
    if (hub === hubId) return;
    if (!seen) return void this.list().then(() => this.#tell());
    if (seen.isDue) return;
    // What was asked for a moment ago may be of before the change.
    seen.isDue = true;
    clock.timer(Math.max(0, seen.askedMs + limits.fleetFreshMs - clock.monotonicMs()), () => {
      seen.isDue = false;
      void this.#ask(seen).then(() => this.#tell());
    });
  }

  #askThose(which: (row: FleetRow) => boolean): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const due = [...this.#seen.values()].filter(
      ({ row, askedMs }) =>
        which(row) && row.HubID !== this.#parts.hubId && nowMs - askedMs > limits.fleetFreshMs,
    );
    for (const seen of due) void this.#ask(seen).then(() => this.#tell());
  }

  async #look(): Promise<void> {
    const found = new Map<string, Found[]>();
    const reason = await this.#ping().then((answers) => {
      for (const one of answers) found.set(one.hub, [...(found.get(one.hub) ?? []), one]);
      return null;
    }, messageOf);
    for (const [hub, instances] of found) this.#note(hub, instances);
    await Promise.all(
      [...this.#seen.values()]
        .filter(({ row }) => row.HubID !== this.#parts.hubId)
        .map((seen) => this.#ask(seen, reason)),
    );
    this.#lookedMs = this.#parts.clock.monotonicMs();
  }

  async #ping(): Promise<Found[]> {
    return (
      await this.#parts.bus.gather(
        services.subject('PING', services.worker),
        limits.fleetPingMs,
        limits.fleetHubsMax,
      )
    ).flatMap((answer) => foundIn(answer) ?? []);
  }

  /** The longest silent one makes room for a new hub. */
  #note(hub: string, instances: Found[]): void {
    const [{ version, console } = { version: '', console: null }] = instances;
    const seen = this.#seen.get(hub);
    const facts = { Instances: instances.length, Version: version, Console: console };
    if (seen) {
      seen.row = { ...seen.row, ...facts };
      return;
    }
    if (this.#seen.size >= limits.fleetHubsMax) {
      const away = [...this.#seen.values()]
        .filter(({ row }) => row.IsAway)
        .toSorted((a, b) => (a.row.SeenAt < b.row.SeenAt ? -1 : 1))[0];
      if (!away) return;
      this.#seen.delete(away.row.HubID);
    }
    const row = {
      HubID: hub,
      IsSelf: false,
      IsAway: false,
      SeenAt: isoOf(this.#parts.clock.nowMs()),
      ...facts,
      Status: null,
      Reason: 'not asked yet',
    };
    this.#seen.set(hub, { row, askedMs: Number.NEGATIVE_INFINITY, isDue: false });
  }

  async #ask(seen: Seen, whyNot: string | null = null): Promise<void> {
    const { bus, clock } = this.#parts;
    seen.askedMs = clock.monotonicMs();
    try {
      const status: unknown = await this.#asks.add(() =>
        bus.request(
          subjects.control(seen.row.HubID, 'status'),
          {},
          { timeoutMs: limits.fleetStatusMs },
        ),
      );
      seen.row = {
        ...seen.row,
        IsAway: false,
        SeenAt: isoOf(clock.nowMs()),
        ...(isStatus(status)
          ? { Status: status, Reason: null }
          : { Reason: 'its answer is not a status' }),
      };
    } catch (error) {
      seen.row = { ...seen.row, IsAway: true, Instances: 0, Reason: whyNot ?? messageOf(error) };
    }
  }

  #tell(): void {
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

function foundIn(answer: unknown): Found | null {
  const metadata = isJsonObject(answer) ? answer['metadata'] : null;
  if (!isJsonObject(answer) || !isJsonObject(metadata)) return null;
  const { hub, Console } = metadata;
  if (typeof hub !== 'string' || !isSubjectToken(hub)) return null;
  return {
    hub,
    version: String(answer['version'] ?? ''),
    console: typeof Console === 'string' && /^https?:\/\//.test(Console) ? Console : null,
  };
}

/** Anybody may answer on the bus: what is not a status is not shown as one. */
function isStatus(value: unknown): value is WorkerStatus {
  if (!isJsonObject(value) || typeof value['HubID'] !== 'string') return false;
  return ['Queue', 'Manifest'].every((lane) => {
    const one = value[lane];
    return (
      isJsonObject(one) &&
      typeof one['State'] === 'string' &&
      typeof one['Pending'] === 'number' &&
      typeof one['DeadLetters'] === 'number'
    );
  });
}
