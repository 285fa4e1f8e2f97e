/** Announces this beacon on the bus: on start, on every change, and every two seconds. */
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
  /** The Nonces of its latest announcements. */
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

  /** Resolves once the first presence is published. */
  start(): Promise<void> {
    this.#cancel ??= this.#clock.every(limits.presenceEveryMs, () => void this.announce());
    return this.announce();
  }

  /** Publishes soon; calls during an announcement are merged into one more. */
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

  /** Whether this beacon announced that Nonce; if not, another beacon uses its name. */
  isOwn(nonce: string): boolean {
    return this.#nonces.has(nonce);
  }

  /** Announces `status` from now on. */
  become(status: BeaconStatus): Promise<void> {
    this.#status = status;
    return this.announce();
  }

  /** Stops announcing. */
  async stop(): Promise<void> {
    this.#cancel?.();
    this.#cancel = null;
    await this.#running;
  }
}
