/**
 * Makes ready what reads need while there is time for it, so that the first read after a long time
 * need not wait for all of it.
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
  /** Writes are refused now. */
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
    this.#stopLooking = this.#parts.clock.every(limits.projectionIdleMs, () => this.#look());
  }

  stop(): void {
    this.#stopLooking();
  }

  /**
   * Whole while nothing is accepted or delivered, a step at a time while little is. Under load, and
   * while a backlog is delivered, it waits; reads catch up for themselves then.
   */
  #look(): void {
    const { local, pending, isRefusing, log } = this.#parts;
    const accepted = this.#accepted();
    const came = accepted - this.#acceptedSeen;
    this.#acceptedSeen = accepted;
    // What reads need may be as large as the backlog; without room it would take what delivering
    // needs.
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
      working?.catch((error: unknown) =>
        log.warn({ lane, reason: messageOf(error) }, 'the view for reads lags behind'),
      );
    }
  }

  #accepted(): number {
    const { journal } = this.#parts.local;
    return lanes.reduce((sum, lane) => sum + journal.counts(lane).accepted, 0);
  }

  #isReady(lane: Lane): boolean {
    const { assignments, isPaused } = this.#parts.destinations;
    return assignments.targetOf(lane)?.isReady === true && !isPaused;
  }

  /** What is parked behind a dead letter waits for a person, not for us. */
  #isDelivering(lane: Lane): boolean {
    const { local, destinations } = this.#parts;
    return (
      this.#isReady(lane) &&
      local.journal.counts(lane).head > (destinations.deliveries[lane].mark()?.seq ?? 0)
    );
  }
}
