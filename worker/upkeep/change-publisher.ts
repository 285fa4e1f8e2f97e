/**
 * Reports to listeners on the bus what changed in the store, after the commits and in their order.
 * While the bus is away, the changes wait in the change log.
 *
 * Constraint: never delays a write. A row leaves the log only once the server has the event, so a
 * listener may get an event twice, and sees that by the cursor. When a cursor does not follow the
 * last one, or Store is another one, the listener must read everything again.
 */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import type { Log } from '../../runtime/log.ts';
import { ChangeLog } from '../state/schema/change-log.ts';
import type { Store } from '../state/store.ts';

/** Finds changes for which nobody called `touch`. */
const lookEveryMs = 1_000;
const flushMs = 5_000;
const complainEveryMs = 60_000;

export type ChangePublisherOptions = {
  store: Pick<Store, 'db' | 'storeId'>;
  bus: Pick<Bus, 'isConnected' | 'publish' | 'flush'>;
  hubId: string;
  clock: Clock;
  log: Log;
};

export class ChangePublisher {
  readonly #parts: ChangePublisherOptions;
  readonly #log: ChangeLog;
  #isDue = false;
  #running: Promise<void> | null = null;
  #complainedMs = Number.NEGATIVE_INFINITY;
  #stopLooking: () => void = () => undefined;
  #isStopped = true;

  constructor(parts: ChangePublisherOptions) {
    this.#parts = parts;
    this.#log = new ChangeLog(parts.store.db);
  }

  start(): void {
    this.#isStopped = false;
    this.#stopLooking = this.#parts.clock.every(lookEveryMs, () => this.touch());
  }

  /**
   * Call it when something changed. The change is reported after `limits.changeCollectMs`, together
   * with what else changes until then.
   */
  touch(): void {
    if (this.#isDue || this.#isStopped) return;
    this.#isDue = true;
    this.#parts.clock.timer(limits.changeCollectMs, () => {
      this.#isDue = false;
      if (this.#isStopped) return;
      this.#running ??= this.#publish().finally(() => {
        this.#running = null;
      });
    });
  }

  /** Reports nothing more, and waits for the report that is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopLooking();
    await this.#running;
  }

  async #publish(): Promise<void> {
    const { bus, hubId, store } = this.#parts;
    try {
      this.#log.bound();
      for (
        let change = this.#log.next();
        change && bus.isConnected && !this.#isStopped;
        change = this.#log.next()
      ) {
        bus.publish(subjects.event(hubId, 'store-changed'), { ...change, Store: store.storeId });
        await this.#flush();
        this.#log.forgetThrough(change.cursor);
      }
    } catch (error) {
      this.#complain(error);
    }
  }

  /** Resolves once the server has what was published. */
  async #flush(): Promise<void> {
    const { bus, clock } = this.#parts;
    await withDeadline(bus.flush(), clock, flushMs, () => {
      throw new TidemarkError('UNAVAILABLE', `the bus took no event within ${flushMs} ms`);
    });
    if (!bus.isConnected) throw new TidemarkError('UNAVAILABLE', 'the bus went away');
  }

  #complain(error: unknown): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#complainedMs < complainEveryMs) return;
    this.#complainedMs = nowMs;
    this.#parts.log.warn(
      { reason: messageOf(error) },
      'listeners were not told of changes; they wait in the store',
    );
  }
}
