/**
 * Operators of many hubs at one door: the workers on this bus, their state, and their assignments,
 * by the names and shapes of the incumbent's lab. A worker is asked over the bus. One that was seen
 * and answers no more does not run; one that listens and does not answer in time failed.
 */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { Presence } from '../../contracts/presence.ts';
import type { LaneStatus, WorkerStatus } from '../../contracts/status.ts';
import { isSubjectToken } from '../../contracts/subjects.ts';
import { isNoResponders } from '../../runtime/bus/bus-answer.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import { type Persistence, persistenceOf } from './lab-persistence.ts';
import type { Asked, WorkerRegistry } from './worker-registry.ts';

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
  workers: WorkerRegistry;
  clock: Clock;
  beacons: () => Presence[];
};

type Answered = { status: WorkerStatus } | { is: 'stopped' | 'unresponsive'; error: TidemarkError };

export class Lab {
  readonly #parts: LabOptions;
  #stop: () => void = () => undefined;

  constructor(parts: LabOptions) {
    this.#parts = parts;
  }

  /** Hears of workers, so that it knows those that were there before anybody asked. */
  start(): void {
    this.#stop = this.#parts.workers.listen();
  }

  stop(): void {
    this.#stop();
  }

  /** All that answer, and those that were seen. */
  async list(): Promise<Instance[]> {
    const { workers } = this.#parts;
    // Without any answer there is not even our own: it has just left the bus.
    await workers.ping().catch((error: unknown) => {
      if (!isNoResponders(error)) throw error;
    });
    const instances = workers
      .all()
      .map(async ({ hub }) =>
        this.#instance(hub, this.#answered(hub, await workers.askInTurn(hub))),
      );
    return (await Promise.all(instances)).toSorted((a, b) => (a.ID < b.ID ? -1 : 1));
  }

  /** @throws TidemarkError NOT_FOUND for a hub nobody has seen */
  async get(hub: string): Promise<{ Instance: Instance; Persistence: Persistence }> {
    const asked = await this.#ask(this.#known(hub));
    const seen = this.#parts.workers.find(hub);
    if (!('status' in asked) && !seen) throw notThere(hub);
    const last = seen?.status ?? null;
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
    const reply = await this.#parts.workers
      .request<{ Queue: LaneStatus; Manifest: LaneStatus }>(hub, 'assign', order)
      .catch((error: unknown) => {
        throw isNoResponders(error) ? this.#notRunning(hub, error) : error;
      });
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

  async #ask(hub: string): Promise<Answered> {
    return this.#answered(hub, await this.#parts.workers.ask(hub));
  }

  #answered(hub: string, asked: Asked): Answered {
    if ('status' in asked) return asked;
    if ('isStranger' in asked)
      return {
        is: 'unresponsive',
        error: new TidemarkError('UNAVAILABLE', `hub ${hub}: what answers there is no worker`),
      };
    const { error } = asked;
    if (isNoResponders(error)) return { is: 'stopped', error: this.#notRunning(hub, error) };
    if (!(error instanceof TidemarkError))
      return {
        is: 'unresponsive',
        error: new TidemarkError('UNAVAILABLE', messageOf(error), { cause: error }),
      };
    return {
      is: error.code === 'CONFLICT' || error.code === 'NOT_FOUND' ? 'stopped' : 'unresponsive',
      error,
    };
  }

  #notRunning(hub: string, cause: unknown): TidemarkError {
    const seen = this.#parts.workers.find(hub);
    if (!seen) return notThere(hub);
    return new TidemarkError(
      'CONFLICT',
      `the worker of hub ${hub} is not running; it was there at ${isoOf(seen.seenMs)}`,
      { cause },
    );
  }

  #instance(hub: string, asked: Answered): Instance {
    const seen = this.#parts.workers.find(hub);
    const status = seen?.status;
    return {
      ID: hub,
      Name: hub,
      Status: 'status' in asked ? 'running' : asked.is,
      Version: status?.Version ?? null,
      StartedAt: status?.StartedAt ?? null,
      SeenAt: isoOf(seen?.seenMs ?? 0),
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
