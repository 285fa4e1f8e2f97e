/**
 * The workers of this bus: who answers the ping of micro services, who said that its state changed,
 * and what each answered last when it was asked for its status.
 *
 * Failure: one that was seen and is silent stays, as away. Constraint: anybody may answer on the
 * bus, so what is no status is not taken for one.
 */
import PQueue from 'p-queue';
import { messageOf } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { isSubjectToken, services, subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';

export type SeenWorker = {
  readonly hub: string;
  /** When anything was last heard of it. */
  seenMs: number;
  /** When it was last asked, on the monotonic clock. */
  askedMs: number;
  /** Processes of this hub that answered the last ping. */
  instances: number;
  version: string;
  console: string | null;
  /** As it last answered. */
  status: WorkerStatus | null;
  isAway: boolean;
  /** Why there is no newer status; null when the last answer was one. */
  reason: string | null;
};

/** What became of a question for the status. */
export type Asked = { status: WorkerStatus } | { isStranger: true } | { error: unknown };

type Found = Pick<SeenWorker, 'hub' | 'version' | 'console'>;

export class WorkerRegistry {
  readonly #bus: Pick<Bus, 'gather' | 'request' | 'subscribe'>;
  readonly #clock: Clock;
  readonly #seen = new Map<string, SeenWorker>();
  readonly #asks = new PQueue({ concurrency: limits.fleetAsksMax });

  constructor({
    bus,
    clock,
  }: {
    bus: Pick<Bus, 'gather' | 'request' | 'subscribe'>;
    clock: Clock;
  }) {
    this.#bus = bus;
    this.#clock = clock;
  }

  all(): SeenWorker[] {
    return [...this.#seen.values()];
  }

  find(hub: string): SeenWorker | null {
    return this.#seen.get(hub) ?? null;
  }

  /** Hears of workers that say that their state changed; the returned function ends it. */
  listen(onState: (worker: SeenWorker) => void = () => undefined): () => void {
    return this.#bus.subscribe(subjects.event('*', 'state'), (_, subject) => {
      const hub = subject.split('.')[1] ?? '';
      if (isSubjectToken(hub)) onState(this.#hear(hub));
    });
  }

  /** Asks who is there. Throws what the bus throws. */
  async ping(): Promise<void> {
    const answers = await this.#bus.gather(
      services.subject('PING', services.worker),
      limits.fleetPingMs,
      limits.fleetHubsMax,
    );
    const found = Map.groupBy(
      answers.flatMap((answer) => foundIn(answer) ?? []),
      ({ hub }) => hub,
    );
    for (const [hub, instances] of found) {
      const { version, console } = instances[0] as Found;
      Object.assign(this.#hear(hub), { instances: instances.length, version, console });
    }
  }

  /**
   * Asks a worker for its status; one that does not answer is away.
   * @param whyNot said of one that does not answer, where more is known than its error
   */
  async ask(hub: string, whyNot: string | null = null): Promise<Asked> {
    const before = this.#seen.get(hub);
    if (before) before.askedMs = this.#clock.monotonicMs();
    try {
      const status = await this.request<unknown>(hub, 'status', {});
      const seen = this.#seen.get(hub);
      if (!isStatus(status)) {
        if (seen) Object.assign(seen, { isAway: false, reason: 'its answer is not a status' });
        return { isStranger: true };
      }
      Object.assign(this.#hear(hub), { status, isAway: false, reason: null });
      return { status };
    } catch (error) {
      const seen = this.#seen.get(hub);
      if (seen)
        Object.assign(seen, { isAway: true, instances: 0, reason: whyNot ?? messageOf(error) });
      return { error };
    }
  }

  /** The same, with no more than `limits.fleetAsksMax` under way. */
  askInTurn(hub: string, whyNot: string | null = null): Promise<Asked> {
    return this.#asks.add(() => this.ask(hub, whyNot));
  }

  /** A verb of a worker's control. */
  request<T>(hub: string, verb: string, body: object): Promise<T> {
    return this.#bus.request<T>(subjects.control(hub, verb), body, {
      timeoutMs: limits.fleetStatusMs,
    });
  }

  /** The one that was silent longest makes room for a new one, before all one that is away. */
  #hear(hub: string): SeenWorker {
    const known = this.#seen.get(hub);
    const nowMs = this.#clock.nowMs();
    if (known) {
      known.seenMs = nowMs;
      return known;
    }
    if (this.#seen.size >= limits.fleetHubsMax) {
      const [silent] = this.all().toSorted(
        (a, b) => Number(b.isAway) - Number(a.isAway) || a.seenMs - b.seenMs,
      );
      if (silent) this.#seen.delete(silent.hub);
    }
    const made: SeenWorker = {
      hub,
      seenMs: nowMs,
      askedMs: Number.NEGATIVE_INFINITY,
      instances: 1,
      version: '',
      console: null,
      status: null,
      isAway: false,
      reason: 'not asked yet',
    };
    this.#seen.set(hub, made);
    return made;
  }
}

function foundIn(answer: unknown): Found | null {
  const metadata = isJsonObject(answer) ? answer['metadata'] : null;
  if (!isJsonObject(answer) || !isJsonObject(metadata)) return null;
  const { hub, Console } = metadata;
  if (typeof hub !== 'string' || !isSubjectToken(hub)) return null;
  return {
    hub,
    version: textOf(answer['version']).slice(0, limits.remoteUserCharsMax),
    console: pageAt(textOf(Console)),
  };
}

/** Anybody may answer, with anything. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A page is all that a link to it may open. */
function pageAt(address: string): string | null {
  if (address.length > limits.consoleUrlCharsMax || !URL.canParse(address)) return null;
  const { protocol, username, password } = new URL(address);
  return /^https?:$/.test(protocol) && username === '' && password === '' ? address : null;
}

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
