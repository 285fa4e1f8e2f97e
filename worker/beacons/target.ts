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
   * Nonce of the bootstrapped beacon; null when it must be bootstrapped. A foreign beacon's Nonce
   * may be empty, so the empty string cannot stand for that.
   */
  #nonce: string | null = null;
  #generation = 0;
  /** The beacon that is being bootstrapped, and a function that stops waiting for it. */
  #asked: { nonce: string; giveUp: () => void } | null = null;

  constructor(beacon: string, connection: number, parts: TargetOptions) {
    this.beacon = beacon;
    this.connection = connection;
    this.#parts = parts;
  }

  get state(): Exclude<LaneState, 'unassigned'> {
    // Read presence directly instead of waiting for the loop, so that no delivery goes to a beacon
    // that has just left.
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

  /** The filter grammar the beacon uses. Only our own beacons give their databases a StoreID. */
  get grammar(): Grammar {
    return this.#storeId === '' ? 'theirs' : 'ours';
  }

  /** Counts bootstraps. Whatever was learnt from the database in an earlier generation is void. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * The carrier for a lane by the beacon's capabilities; null without one, and while the beacon is
   * away.
   */
  carrierOf(lane: Lane): CarrierName | null {
    const presence = this.#presence();
    return presence && carrierIn(presence, lane);
  }

  /** The state for one lane: a legacy beacon may serve only the other one. */
  stateOf(lane: Lane): Exclude<LaneState, 'unassigned'> {
    const { state } = this;
    return state === 'bootstrapped' && this.carrierOf(lane) === null ? 'error' : state;
  }

  /** Why the lane is in error; null when it is not. */
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
   * Called when a delivery failed although the beacon is online. Checks the schema again, because a
   * table may be missing.
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

  /** Why the beacon cannot be delivered to although it is online. */
  #fault(): string | null {
    return this.#parts.directory.faultOf(this.beacon);
  }

  /** Whether the beacon restarted, or its database was replaced, since the bootstrap. */
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

  /** Without a Nonce a returning beacon cannot be recognised, so it must be bootstrapped again. */
  #left(): void {
    if (this.#nonce === '') this.#nonce = null;
    this.#become('waiting-for-beacon');
  }

  /** Rows may have gone to the other beacon, so the remaining one is bootstrapped again. */
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
      // A beacon that crashed will not answer, and its successor does not know the request.
      const done = await Promise.race([bringUp(this.#bringUpOptions(), presence), gone]);
      if (done === null) return;
      this.#storeId = done.storeId;
      this.#endpoints = done.endpoints;
      this.#nonce = presence.Nonce;
      this.#bootstrappedAt = isoOf(this.#parts.clock.nowMs());
      this.#generation += 1;
      this.#lastError = null;
      backoff.reset();
      await this.#untilPresent();
      this.#become('bootstrapped');
    } catch (thrown) {
      const reason = messageOf(thrown);
      this.#parts.directory.markAwayIfUnreachable(this.beacon, thrown);
      if (reason !== this.#lastError)
        this.#parts.log.warn(
          { beacon: this.beacon, connection: this.connection, reason },
          'bootstrap failed, trying again',
        );
      this.#lastError = reason;
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

  /** Waits for presence to report the StoreID that EnsureSchema may have just created. */
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
