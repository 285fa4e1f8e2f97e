/**
 * Pushes events to consoles: status, beacons, samples of the history, and the fleet to those that
 * watch it.
 *
 * Constraint: nothing is counted while nobody listens, and only once for all listeners. While
 * nothing changes, only a beat is sent.
 */
import type { HistorySample } from '../../contracts/console-answers.ts';
import { messageOf } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Presence } from '../../contracts/presence.ts';
import type { Balance, WorkerStatus } from '../../contracts/status.ts';
import type { Lane } from '../../contracts/subjects.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { type Fleet, isInTransit } from './fleet.ts';
import type { History } from './history.ts';

export type LiveEvent = 'status' | 'beacons' | 'history' | 'sample' | 'fleet' | 'beat';
/** Receives an event. Only the last event of a name matters, except for samples. */
export type Listener = (name: LiveEvent, data: object) => void;

export type LiveOptions = {
  status: (balance: WorkerStatus['Balance']) => WorkerStatus;
  balance: () => Record<Lane, Balance>;
  beacons: () => Presence[];
  history: History;
  fleet: Fleet;
  clock: Clock;
  log: Log;
};

export class Live {
  readonly #parts: LiveOptions;
  readonly #listeners = new Set<Listener>();
  #isDirty = true;
  #statusMs = Number.NEGATIVE_INFINITY;
  #beatMs = Number.NEGATIVE_INFINITY;
  #balance: { value: Record<Lane, Balance>; dueMs: number } | null = null;
  #status = '';
  #beacons = '';
  #inTransit = false;
  #stop: (() => void) | null = null;

  constructor(parts: LiveOptions) {
    this.#parts = parts;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Marks the status as possibly changed. Costs nothing. */
  touch(): void {
    this.#isDirty = true;
  }

  sample(sample: HistorySample, isNews: boolean): void {
    if (isNews) this.#report('sample', sample);
  }

  /** Sends the current state, then every change; the returned function leaves. */
  join(listener: Listener, isWatchingFleet: boolean): () => void {
    const { clock, fleet, history, beacons } = this.#parts;
    // First of all, because it throws when the store cannot be read.
    listener('status', this.#countStatus());
    listener('beacons', { Beacons: beacons() });
    listener('history', history.view());
    this.#listeners.add(listener);
    this.#stop ??= clock.every(limits.liveGapMs, () => this.#lookAgain());
    const tellFleet = () => listener('fleet', { Workers: fleet.rows() });
    const unwatch = isWatchingFleet ? fleet.watch(tellFleet) : () => undefined;
    if (isWatchingFleet) tellFleet();
    return () => {
      this.#listeners.delete(listener);
      unwatch();
      if (this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = null;
    };
  }

  #lookAgain(): void {
    try {
      this.#look();
    } catch (error) {
      // An unreadable store is reported by the parts that need it.
      this.#parts.log.debug({ reason: messageOf(error) }, 'consoles were not updated');
    }
  }

  #look(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#isDirty || (this.#inTransit && nowMs - this.#statusMs >= limits.liveTransitMs))
      this.#tellStatus();
    const beacons = this.#parts.beacons();
    const text = JSON.stringify(beacons);
    if (text !== this.#beacons) this.#report('beacons', { Beacons: beacons });
    this.#beacons = text;
    if (nowMs - this.#beatMs < limits.liveBeatMs) return;
    this.#beatMs = nowMs;
    this.#report('beat', { At: isoOf(this.#parts.clock.nowMs()) });
  }

  #tellStatus(): void {
    const before = this.#status;
    const status = this.#countStatus();
    if (this.#status !== before) this.#report('status', status);
  }

  #countStatus(): WorkerStatus {
    const { clock, status } = this.#parts;
    this.#isDirty = false;
    this.#statusMs = clock.monotonicMs();
    const value = status(this.#countBalance());
    this.#inTransit = isInTransit(value);
    this.#status = JSON.stringify(value);
    return value;
  }

  /** The balance counts pending entries one by one, which is slow with a large backlog. */
  #countBalance(): Record<Lane, Balance> {
    const { clock, balance } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (this.#balance && nowMs < this.#balance.dueMs) {
      // Stay dirty, so that the postponed balance is reported even if nothing else changes.
      this.#isDirty = true;
      return this.#balance.value;
    }
    const value = balance();
    const endMs = clock.monotonicMs();
    this.#balance = { value, dueMs: endMs + limits.liveCostFactor * (endMs - nowMs) };
    return value;
  }

  #report(name: LiveEvent, data: object): void {
    for (const listener of this.#listeners) listener(name, data);
  }
}
