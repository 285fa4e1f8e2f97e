/**
 * Says on the bus what this beacon is: at once on start and on change, and again every two seconds.
 */
import { limits } from '../../contracts/limits.ts';
import type { BeaconStatus, Presence } from '../../contracts/presence.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import { bounds } from '../bounds.ts';

export class PresencePublisher {
  readonly #bus: Pick<Bus, 'publish'>;
  readonly #clock: Clock;
  readonly #describe: (status: BeaconStatus) => Promise<Presence>;
  /** What it said it is, the last ones. */
  readonly #nonces = new Set<string>();
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
      this.#remember(presence.Nonce);
      this.#bus.publish(subjects.presence(presence.BeaconID), presence);
    }
  }

  #remember(nonce: string): void {
    this.#nonces.delete(nonce);
    this.#nonces.add(nonce);
    for (const oldest of this.#nonces) {
      if (this.#nonces.size <= bounds.noncesMax) break;
      this.#nonces.delete(oldest);
    }
  }

  /** Whether this one said so; if not, another speaks in its name. */
  isOwn(nonce: string): boolean {
    return this.#nonces.has(nonce);
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
