/**
 * Says on the bus what this beacon is: at once on start and on change, and again every two seconds.
 */
import { limits } from '../../contracts/limits.ts';
import type { BeaconStatus, Presence } from '../../contracts/presence.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';

export class PresencePublisher {
  readonly #bus: Pick<Bus, 'publish'>;
  readonly #clock: Clock;
  readonly #describe: (status: BeaconStatus) => Promise<Presence>;
  #status: BeaconStatus = 'Online';
  #running: Promise<void> | null = null;
  #isAskedAgain = false;
  #cancel: (() => void) | null = null;

  constructor(
    bus: Pick<Bus, 'publish'>,
    clock: Clock,
    describe: (status: BeaconStatus) => Promise<Presence>,
  ) {
    this.#bus = bus;
    this.#clock = clock;
    this.#describe = describe;
  }

  /** Resolves when the first one was published. */
  start(): Promise<void> {
    this.#cancel ??= this.#clock.every(limits.presenceEveryMs, () => void this.announce());
    return this.announce();
  }

  /** Publishes soon; calls while one is being made become one more. */
  announce(): Promise<void> {
    this.#isAskedAgain = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      const presence = await this.#describe(this.#status);
      this.#bus.publish(subjects.presence(presence.BeaconID), presence);
    }
  }

  /** From now on it says `status`. */
  become(status: BeaconStatus): Promise<void> {
    this.#status = status;
    return this.announce();
  }

  /** Says nothing more. */
  async stop(): Promise<void> {
    this.#cancel?.();
    this.#cancel = null;
    await this.#running;
  }
}
