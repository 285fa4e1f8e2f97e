/**
 * Which beacons are there, by their presence. A silent one is asked, and after six seconds of
 * silence it is away.
 */
import { capabilities, legacyCapabilities } from '../../contracts/capability.ts';
import { limits } from '../../contracts/limits.ts';
import { decodePresence, type Presence } from '../../contracts/presence.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { isNoResponders } from '../../runtime/bus/bus-answer.ts';
import type { Clock } from '../../runtime/clock.ts';
import { Claims } from './claims.ts';

type Seen = { presence: Presence; atMs: number; isAway: boolean; isAsked: boolean };

export class BeaconDirectory {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #beacons = new Map<string, Seen>();
  readonly #listeners: (() => void)[] = [];
  readonly #stops: (() => void)[] = [];
  readonly #claims = new Claims();
  #hidden: string | null = null;

  constructor(bus: Bus, clock: Clock) {
    this.#bus = bus;
    this.#clock = clock;
  }

  start(): void {
    this.#stops.push(this.#bus.subscribe(subjects.presence, (body) => this.#onPresence(body)));
    this.#stops.push(this.#clock.every(250, () => this.#sweep()));
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** Called after every change of what is there. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** What a beacon says of itself, or null when it is away. */
  find(beacon: string): Presence | null {
    const seen = this.#beacons.get(beacon);
    return seen && this.#isThere(seen) ? seen.presence : null;
  }

  /** Why nothing may be delivered to a beacon that is there: two claim its name; else null. */
  faultOf(beacon: string): string | null {
    return this.#claims.faultOf(beacon, this.#clock.monotonicMs());
  }

  /** One beacon counts as away from now on, whatever it says; null: none does. */
  hide(beacon: string | null): void {
    if (this.#hidden === beacon) return;
    this.#hidden = beacon;
    this.#report();
  }

  #isThere({ presence, isAway }: Seen): boolean {
    return !isAway && presence.BeaconID !== this.#hidden;
  }

  /** All beacons that are there, by BeaconID. */
  list(): Presence[] {
    return [...this.#beacons.values()]
      .filter((seen) => this.#isThere(seen))
      .map((seen) => seen.presence)
      .sort((a, b) => (a.BeaconID < b.BeaconID ? -1 : 1));
  }

  /** Somebody asked it and nobody answered: it is away, without waiting for its silence to grow. */
  markAwayIfUnreachable(beacon: string, error: unknown): void {
    const seen = this.#beacons.get(beacon);
    if (!seen || seen.isAway || !isNoResponders(error)) return;
    seen.isAway = true;
    this.#report();
  }

  #onPresence(body: unknown): void {
    const presence = decodePresence(body);
    if (!presence) return;
    const before = this.#beacons.get(presence.BeaconID);
    this.#claims.heard(presence, before?.presence ?? null, this.#clock.monotonicMs());
    // A draining beacon finishes what it has and takes nothing new: for us it has left.
    const isAway = presence.Status === 'Draining';
    this.#beacons.set(presence.BeaconID, {
      presence,
      atMs: this.#clock.monotonicMs(),
      isAway,
      isAsked: false,
    });
    if (
      !before ||
      before.isAway !== isAway ||
      JSON.stringify(before.presence) !== JSON.stringify(presence)
    )
      this.#report();
  }

  #sweep(): void {
    if (this.#claims.settled(this.#clock.monotonicMs()).length > 0) this.#report();
    for (const seen of this.#beacons.values()) {
      const silentMs = this.#clock.monotonicMs() - seen.atMs;
      if (seen.isAway || silentMs < limits.presenceProbeMs) continue;
      // A hair early, so that "away within six seconds" holds for whoever measures from outside.
      if (silentMs >= limits.presenceAwayMs - 500) {
        seen.isAway = true;
        this.#report();
      } else if (!seen.isAsked) {
        seen.isAsked = true;
        void this.#ask(seen.presence);
      }
    }
  }

  /** An answer of any kind leaves the verdict to presence; only "nobody listens there" is one. */
  async #ask({ BeaconID, Capabilities }: Presence): Promise<void> {
    // A legacy beacon answers for its lanes only; that it has no such action is an answer.
    const legacy = Object.values(legacyCapabilities).find((one) => Capabilities.includes(one));
    const capability = Capabilities.includes(capabilities.access)
      ? capabilities.access
      : (legacy ?? capabilities.access);
    try {
      await this.#bus.request(
        subjects.capability(BeaconID, capability, 'ListConnections'),
        { Settings: {} },
        { timeoutMs: 1_000 },
      );
    } catch (error) {
      this.markAwayIfUnreachable(BeaconID, error);
    }
  }

  #report(): void {
    for (const listener of this.#listeners) listener();
  }
}
