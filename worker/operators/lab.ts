/**
 * Operators of many hubs at one door: the workers on this bus, their state, and their assignments,
 * by the names and shapes of the incumbent's lab. A worker is asked over the bus. One that was seen
 * and answers no more does not run; one that listens and does not answer in time failed.
 */
import PQueue from 'p-queue';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { Presence } from '../../contracts/presence.ts';
import type { LaneStatus, WorkerStatus } from '../../contracts/status.ts';
import { isSubjectToken, services, subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { isNoResponders } from '../../runtime/bus/bus-answer.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import { type Persistence, persistenceOf } from './lab-persistence.ts';

export type Instance = {
  /** The HubID. */
  ID: string;
  Name: string;
  /** Unresponsive: it listens, and does not answer in time. */
  Status: 'running' | 'stopped' | 'unresponsive';
  Version: string | null;
  StartedAt: string | null;
  SeenAt: string;
  IDPersistenceBeacon: string | 0;
  IDPersistenceConnection: number;
};

export type LabOptions = {
  bus: Pick<Bus, 'gather' | 'request' | 'subscribe'>;
  clock: Clock;
  beacons: () => Presence[];
};

type Seen = { atMs: number; status: WorkerStatus | null };
type Asked = { status: WorkerStatus } | { is: 'stopped' | 'unresponsive'; error: TidemarkError };

export class Lab {
  readonly #parts: LabOptions;
  /** The one seen last is at the end. */
  readonly #seen = new Map<string, Seen>();
  readonly #asks = new PQueue({ concurrency: limits.labAsksMax });
  #stop: () => void = () => undefined;

  constructor(parts: LabOptions) {
    this.#parts = parts;
  }

  /** Hears of workers, so that it knows those that were there before anybody asked. */
  start(): void {
    this.#stop = this.#parts.bus.subscribe(subjects.event('*', 'state'), (_, subject) => {
      const hub = subject.split('.')[1] ?? '';
      if (isSubjectToken(hub)) this.#note(hub, this.#seen.get(hub)?.status ?? null);
    });
  }

  stop(): void {
    this.#stop();
  }

  /** All that answer, and those that were seen. */
  async list(): Promise<Instance[]> {
    for (const hub of await this.#ping()) this.#note(hub, this.#seen.get(hub)?.status ?? null);
    const instances = [...this.#seen.keys()].map(async (hub) =>
      this.#instance(hub, await this.#asks.add(() => this.#ask(hub))),
    );
    return (await Promise.all(instances)).toSorted((a, b) => (a.ID < b.ID ? -1 : 1));
  }

  /** @throws TidemarkError NOT_FOUND for a hub nobody has seen */
  async get(hub: string): Promise<{ Instance: Instance; Persistence: Persistence }> {
    const asked = await this.#ask(this.#known(hub));
    if (!('status' in asked) && !this.#seen.has(hub)) throw notThere(hub);
    const last = this.#seen.get(hub)?.status ?? null;
    const lanes = 'status' in asked ? asked.status : { Queue: null, Manifest: null };
    const found = persistenceOf(lanes, this.#parts.beacons(), last);
    return {
      Instance: this.#instance(hub, asked),
      Persistence: 'status' in asked ? found : { ...found, LastError: asked.error.message },
    };
  }

  /**
   * @throws TidemarkError NOT_FOUND, CONFLICT when it does not run, UNAVAILABLE when it did not
   * answer
   */
  async status(hub: string): Promise<Persistence> {
    return persistenceOf(await this.#running(hub), this.#parts.beacons());
  }

  /**
   * `{IDBeacon|null, IDBeaconConnection}`, where IDBeacon is a BeaconID. `by` is whoever asks, for
   * the log of that worker's operators.
   * @throws TidemarkError as `status`, INVALID_MESSAGE as that worker says; with each of them
   * nothing was changed
   */
  async assign(hub: string, body: JsonObject, by: string): Promise<Persistence> {
    // Who does not answer a question gets no order: it would be carried out once nobody expects it.
    await this.#running(hub);
    const { IDBeacon, IDBeaconConnection } = body;
    const NotAfter = isoOf(this.#parts.clock.nowMs() + limits.labAnswerMs);
    const order = {
      BeaconID: IDBeacon || null,
      IDBeaconConnection: IDBeaconConnection ?? 0,
      RemoteUser: by,
      NotAfter,
    };
    const reply = await this.#request<{ Queue: LaneStatus; Manifest: LaneStatus }>(
      hub,
      'assign',
      order,
    );
    return persistenceOf(reply, this.#parts.beacons());
  }

  #known(hub: string): string {
    if (!isSubjectToken(hub)) throw notThere(hub);
    return hub;
  }

  async #running(hub: string): Promise<WorkerStatus> {
    const asked = await this.#ask(this.#known(hub));
    if ('status' in asked) return asked.status;
    throw asked.error;
  }

  async #ask(hub: string): Promise<Asked> {
    try {
      const status = await this.#request<unknown>(hub, 'status', {});
      if (!isStatus(status))
        throw new TidemarkError('UNAVAILABLE', `hub ${hub}: what answers there is no worker`);
      this.#note(hub, status);
      return { status };
    } catch (thrown) {
      const error =
        thrown instanceof TidemarkError
          ? thrown
          : new TidemarkError('UNAVAILABLE', messageOf(thrown), { cause: thrown });
      return {
        is: error.code === 'CONFLICT' || error.code === 'NOT_FOUND' ? 'stopped' : 'unresponsive',
        error,
      };
    }
  }

  async #request<T>(hub: string, verb: string, body: object): Promise<T> {
    try {
      return await this.#parts.bus.request<T>(subjects.control(hub, verb), body, {
        timeoutMs: limits.labAnswerMs,
      });
    } catch (error) {
      if (!isNoResponders(error)) throw error;
      const seen = this.#seen.get(hub);
      if (!seen) throw notThere(hub);
      throw new TidemarkError(
        'CONFLICT',
        `the worker of hub ${hub} is not running; it was there at ${isoOf(seen.atMs)}`,
        { cause: error },
      );
    }
  }

  async #ping(): Promise<string[]> {
    const answers = await this.#parts.bus
      .gather(services.subject('PING', services.worker), limits.labPingMs, limits.labHubsMax)
      .catch((error: unknown) => {
        // Then there is not even our own: it has just left the bus.
        if (isNoResponders(error)) return [];
        throw error;
      });
    return [...new Set(answers.flatMap((answer) => hubIn(answer) ?? []))];
  }

  #note(hub: string, status: WorkerStatus | null): void {
    this.#seen.delete(hub);
    this.#seen.set(hub, { atMs: this.#parts.clock.nowMs(), status });
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > limits.labHubsMax && oldest !== undefined) this.#seen.delete(oldest);
  }

  #instance(hub: string, asked: Asked): Instance {
    const seen = this.#seen.get(hub);
    const status = seen?.status;
    return {
      ID: hub,
      Name: hub,
      Status: 'status' in asked ? 'running' : asked.is,
      Version: status?.Version ?? null,
      StartedAt: status?.StartedAt ?? null,
      SeenAt: isoOf(seen?.atMs ?? 0),
      IDPersistenceBeacon: status?.Queue.AssignedBeaconID ?? 0,
      IDPersistenceConnection: status?.Queue.IDBeaconConnection ?? 0,
    };
  }
}

function notThere(hub: string): TidemarkError {
  return new TidemarkError(
    'NOT_FOUND',
    `there is no worker of a hub ${JSON.stringify(hub.slice(0, limits.hubIdCharsMax))} on this bus`,
  );
}

function hubIn(answer: unknown): string | null {
  const metadata = isJsonObject(answer) ? answer['metadata'] : null;
  const hub = isJsonObject(metadata) ? metadata['hub'] : null;
  return typeof hub === 'string' && isSubjectToken(hub) ? hub : null;
}

/** Anybody may answer on the bus. */
function isStatus(value: unknown): value is WorkerStatus {
  return (
    isJsonObject(value) &&
    ['Queue', 'Manifest'].every(
      (lane) => isJsonObject(value[lane]) && typeof value[lane]['State'] === 'string',
    )
  );
}
