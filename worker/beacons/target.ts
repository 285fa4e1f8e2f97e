/**
 * One assigned database: brings its schema and endpoints up, and knows whether deliveries may go
 * there.
 *
 * | state              | entered when                             | left when                          |
 * |--------------------|------------------------------------------|------------------------------------|
 * | waiting-for-beacon | the beacon is not there                  | its presence comes                 |
 * | bootstrapping      | it is there, its Nonce or StoreID is new | all steps are done, or one failed  |
 * | bootstrapped       | all steps of `bootstrap.ts` are done     | it leaves, or one of both is new   |
 * | error              | a step failed, or two claim its name     | the back-off is over, one is left  |
 *
 * Both lanes share one target, so nothing is ever bootstrapped twice at once.
 */
import { legacyCapabilities } from '../../contracts/capability.ts';
import { messageOf } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Presence } from '../../contracts/presence.ts';
import type { CarrierName, LaneState } from '../../contracts/status.ts';
import type { Lane } from '../../contracts/subjects.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { bringUp, type BringUpOptions } from './bootstrap.ts';
import type { BeaconDirectory } from './directory.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Grammar } from './meadow-path.ts';
import { carrierIn, storeIn } from './offers.ts';

export type TargetOptions = {
  directory: BeaconDirectory;
  dispatcher: Dispatcher;
  clock: Clock;
  log: Log;
};

export class Target {
  readonly beacon: string;
  readonly connection: number;
  readonly #parts: TargetOptions;
  readonly #listeners: (() => void)[] = [];
  readonly #stop = new AbortController();
  #unwatch: () => void = () => undefined;
  #wake = Promise.withResolvers<void>();
  #state: Exclude<LaneState, 'unassigned'> = 'waiting-for-beacon';
  #lastError: string | null = null;
  #bootstrappedAt: string | null = null;
  #endpoints: ReadonlyMap<string, string> = new Map();
  #storeId = '';
  /**
   * Nonce of the beacon that was bootstrapped; null while it is to be bootstrapped, for a beacon
   * that is not ours may have an empty one.
   */
  #nonce: string | null = null;
  #generation = 0;
  /** The beacon that is being bootstrapped, and how to stop waiting for it. */
  #asked: { nonce: string; giveUp: () => void } | null = null;

  constructor(beacon: string, connection: number, parts: TargetOptions) {
    this.beacon = beacon;
    this.connection = connection;
    this.#parts = parts;
  }

  get state(): Exclude<LaneState, 'unassigned'> {
    // Follows the truth without waiting for the loop: a beacon that left takes no deliveries from
    // this moment on.
    if (!this.#presence()) return 'waiting-for-beacon';
    if (this.#fault() !== null) return 'error';
    return this.#state === 'bootstrapped' && this.#isStale() ? 'bootstrapping' : this.#state;
  }

  get isReady(): boolean {
    return this.state === 'bootstrapped';
  }

  get lastError(): string | null {
    return this.state === 'error' ? (this.#fault() ?? this.#lastError) : null;
  }

  get bootstrappedAt(): string | null {
    return this.#bootstrappedAt;
  }

  /** table -> EndpointBase. */
  get endpoints(): ReadonlyMap<string, string> {
    return this.#endpoints;
  }

  get storeId(): string {
    return this.#storeId;
  }

  /**
   * How its filters are spoken: beacons of ours give their databases an identity, those of others
   * do not.
   */
  get grammar(): Grammar {
    return this.#storeId === '' ? 'theirs' : 'ours';
  }

  /** Counts bootstraps: what was learnt from the database before is to be learnt again. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * The carrier the beacon's capabilities allow a lane, null where there is none and while it is
   * away.
   */
  carrierOf(lane: Lane): CarrierName | null {
    const presence = this.#presence();
    return presence && carrierIn(presence, lane);
  }

  /** The state as one lane sees it: a legacy beacon may be there for the other lane alone. */
  stateOf(lane: Lane): Exclude<LaneState, 'unassigned'> {
    const { state } = this;
    return state === 'bootstrapped' && this.carrierOf(lane) === null ? 'error' : state;
  }

  /** Why the lane is in error, null when it is not. */
  lastErrorOf(lane: Lane): string | null {
    if (this.stateOf(lane) !== 'error') return null;
    return (
      this.lastError ??
      `${this.beacon} does not offer ${legacyCapabilities[lane]}; lane ${lane} needs a beacon that does`
    );
  }

  /** Called after every change of state. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /**
   * A delivery failed although the beacon is there: a table may be gone. The schema is looked at
   * again.
   */
  recheckSchema(): void {
    if (this.#state !== 'bootstrapped') return;
    this.#nonce = null;
    this.#wake.resolve();
  }

  start(): void {
    this.#unwatch = this.#parts.directory.watch(this.beacon, () => {
      this.#wake.resolve();
      if (this.#asked && this.#presence()?.Nonce !== this.#asked.nonce) this.#asked.giveUp();
    });
    void this.#run();
  }

  stop(): void {
    this.#unwatch();
    this.#stop.abort();
    this.#wake.resolve();
  }

  #presence(): Presence | null {
    return this.#parts.directory.find(this.beacon);
  }

  /** Why it cannot be delivered to although it is there. */
  #fault(): string | null {
    return this.#parts.directory.faultOf(this.beacon);
  }

  /**
   * Whether the beacon was restarted, or its database is another one, since it was bootstrapped.
   */
  #isStale(): boolean {
    const presence = this.#presence();
    return (
      !presence ||
      presence.Nonce !== this.#nonce ||
      storeIn(presence, this.connection) !== this.#storeId
    );
  }

  async #run(): Promise<void> {
    const backoff = new Backoff(this.#parts.clock, {
      firstMs: limits.backoffFirstMs,
      longestMs: limits.backoffLongestMs,
    });
    while (!this.#stop.signal.aborted) {
      const woken = this.#wake.promise;
      const presence = this.#presence();
      if (!presence) this.#left();
      else if (this.#fault() !== null) this.#claimed();
      else if (this.#isStale() || this.#state === 'error') {
        await this.#bootstrap(presence, backoff);
        continue;
      } else this.#become('bootstrapped');
      await woken;
      this.#wake = Promise.withResolvers<void>();
    }
  }

  /** Without a Nonce nobody can tell whether it is the same when it comes back. */
  #left(): void {
    if (this.#nonce === '') this.#nonce = null;
    this.#become('waiting-for-beacon');
  }

  /** It is bootstrapped again once one alone has the name: rows may have gone to the other. */
  #claimed(): void {
    this.#nonce = null;
    this.#lastError = this.#fault();
    if (this.#state !== 'error')
      this.#parts.log.error({ beacon: this.beacon, reason: this.#lastError }, 'target');
    this.#become('error');
  }

  async #bootstrap(presence: Presence, backoff: Backoff): Promise<void> {
    this.#become('bootstrapping');
    const { promise: gone, resolve } = Promise.withResolvers<null>();
    this.#asked = { nonce: presence.Nonce, giveUp: () => resolve(null) };
    try {
      // A beacon that died with a request will not answer it, and its successor has not heard of
      // it.
      const done = await Promise.race([bringUp(this.#bringUpOptions(), presence), gone]);
      if (done === null) return;
      this.#storeId = done.storeId;
      this.#endpoints = done.endpoints;
      this.#nonce = presence.Nonce;
      this.#bootstrappedAt = isoOf(this.#parts.clock.nowMs());
      this.#generation += 1;
      backoff.reset();
      await this.#untilPresent();
      this.#become('bootstrapped');
    } catch (thrown) {
      this.#lastError = messageOf(thrown);
      this.#parts.directory.markAwayIfUnreachable(this.beacon, thrown);
      this.#parts.log.warn(
        { beacon: this.beacon, connection: this.connection, reason: this.#lastError },
        'bootstrap failed, trying again',
      );
      this.#become('error');
      await backoff.wait(this.#stop.signal);
    } finally {
      this.#asked = null;
    }
  }

  #bringUpOptions(): BringUpOptions {
    const { dispatcher, log } = this.#parts;
    const { beacon, connection } = this;
    return { beacon, connection, dispatcher, log, presence: () => this.#presence() };
  }

  /** EnsureSchema may have given the database its identity; presence says so a moment later. */
  async #untilPresent(): Promise<void> {
    const until = this.#parts.clock.monotonicMs() + limits.presenceAwayMs;
    while (this.#parts.clock.monotonicMs() < until && !this.#stop.signal.aborted) {
      const presence = this.#presence();
      if (
        !presence ||
        presence.Nonce !== this.#nonce ||
        storeIn(presence, this.connection) === this.#storeId
      )
        return;
      await this.#parts.clock.sleep(10, this.#stop.signal);
    }
  }

  #become(state: Exclude<LaneState, 'unassigned'>): void {
    const isNew = this.#state !== state;
    this.#state = state;
    if (isNew)
      this.#parts.log.info({ beacon: this.beacon, connection: this.connection, state }, 'target');
    for (const listener of this.#listeners) listener();
  }
}
