/**
 * Keeps the view for reads up to date while the worker is idle, so that the first read after a long
 * time need not wait for it.
 */
import { messageOf } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Local } from '../journal/local.ts';
import type { Destinations } from '../replay/destinations.ts';

export type ReadyReadsOptions = {
  local: Pick<Local, 'journal' | 'projection'>;
  destinations: Destinations;
  pending: (lane: Lane) => number;
  /** Whether writes are being refused. */
  isRefusing: () => boolean;
  clock: Clock;
  log: Log;
};

export class ReadyReads {
  readonly #parts: ReadyReadsOptions;
  #acceptedSeen = -1;
  #stopLooking: () => void = () => undefined;

  constructor(parts: ReadyReadsOptions) {
    this.#parts = parts;
  }

  start(): void {
    this.#stopLooking = this.#parts.clock.every(limits.projectionIdleMs, () => {
      try {
        this.#look();
      } catch (error) {
        // Those who watch the store report it; reads then just take longer.
        this.#lags(error);
      }
    });
  }

  stop(): void {
    this.#stopLooking();
  }

  /**
   * Catches up fully while nothing is accepted or delivered, and one step at a time while traffic
   * is light. Under load or with a backlog it waits; reads then catch up themselves.
   */
  #look(): void {
    const { local, pending, isRefusing } = this.#parts;
    const accepted = this.#accepted();
    const came = accepted - this.#acceptedSeen;
    this.#acceptedSeen = accepted;
    // The view can grow as large as the backlog, so without free room it would use the room that
    // delivering needs.
    const isQuiet = () =>
      this.#accepted() === accepted &&
      !isRefusing() &&
      !lanes.some((lane) => this.#isDelivering(lane));
    const isMuch =
      came > limits.projectionStepEntries ||
      isRefusing() ||
      lanes.some((lane) => this.#isReady(lane) && pending(lane) > limits.deliverEntriesMax);
    for (const lane of lanes) {
      const working =
        came === 0 && isQuiet()
          ? local.projection.catchUp(lane, isQuiet)
          : isMuch
            ? null
            : local.projection.advance(lane);
      working?.catch((error: unknown) => this.#lags(error, lane));
    }
  }

  #lags(error: unknown, lane?: Lane): void {
    this.#parts.log.warn({ lane, reason: messageOf(error) }, 'the view for reads lags behind');
  }

  #accepted(): number {
    const { journal } = this.#parts.local;
    return lanes.reduce((sum, lane) => sum + journal.counts(lane).accepted, 0);
  }

  #isReady(lane: Lane): boolean {
    const { assignments, isPaused } = this.#parts.destinations;
    return assignments.targetOf(lane)?.isReady === true && !isPaused;
  }

  /** Writes parked behind a dead letter do not count: they wait for a person. */
  #isDelivering(lane: Lane): boolean {
    const { local, destinations } = this.#parts;
    return (
      this.#isReady(lane) &&
      local.journal.counts(lane).head > (destinations.deliveries[lane].mark()?.seq ?? 0)
    );
  }
}
