/**
 * Which beacons are there, by their presence. A silent one is asked, and after six seconds of
 * silence it is away.
 *
 * Anybody may say that there is one more: those known are bounded, a message costs the same however
 * many there are, and one that a lane goes to is never pushed out.
 */
import { capabilities, legacyCapabilities } from '../../contracts/capability.ts';
import { limits } from '../../contracts/limits.ts';
import { decodePresence, type Presence } from '../../contracts/presence.ts';
import { lastToken, subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { isNoResponders } from '../../runtime/bus/bus-answer.ts';
import type { Clock } from '../../runtime/clock.ts';
import { Claims } from './claims.ts';

type Seen = {
  presence: Presence;
  /** What it said, to see whether it says something else. */
  text: string;
  atMs: number;
  isAway: boolean;
  isAsked: boolean;
  /** It speaks on the subject of its own, which nobody else may. */
  isOwn: boolean;
};

export type DirectoryOptions = {
  /** For which requests are. */
  hubId: string;
  /** Beacons without a presence subject of their own are heard too. */
  acceptsUnscoped?: boolean;
};

export class BeaconDirectory {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #options: DirectoryOptions;
  readonly #beacons = new Map<string, Seen>();
  /** Those of them that are away, the longest first. */
  readonly #away = new Set<string>();
  readonly #listeners = new Set<(beacon: string) => void>();
  /** Who watches one beacon; it is then one that a lane goes to. */
  readonly #watchers = new Map<string, Set<() => void>>();
  readonly #stops: (() => void)[] = [];
  readonly #claims = new Claims();
  #hidden: string | null = null;

  constructor(bus: Bus, clock: Clock, options: DirectoryOptions) {
    this.#bus = bus;
    this.#clock = clock;
    this.#options = options;
  }

  start(): void {
    const heard = this.#options.acceptsUnscoped
      ? [subjects.presenceAll, subjects.presenceBare]
      : [subjects.presenceAll];
    for (const subject of heard)
      this.#stops.push(this.#bus.subscribe(subject, (body, at) => this.#onPresence(body, at)));
    this.#stops.push(this.#clock.every(250, () => this.#sweep()));
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** Called after every change of what is there, with the beacon that changed. */
  onChange(listener: (beacon: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called after every change of one beacon, which stays known while somebody watches it. */
  watch(beacon: string, listener: () => void): () => void {
    const watchers = this.#watchers.get(beacon) ?? new Set();
    this.#watchers.set(beacon, watchers.add(listener));
    return () => {
      watchers.delete(listener);
      if (watchers.size === 0 && this.#watchers.get(beacon) === watchers)
        this.#watchers.delete(beacon);
    };
  }

  /** What a beacon says of itself, or null when it is away. */
  find(beacon: string): Presence | null {
    const seen = this.#beacons.get(beacon);
    return seen && this.#isThere(seen) ? seen.presence : null;
  }

  /**
   * The hub that requests to a beacon name: ours, where it said that it listens there. Also while it
   * is away: a request on its way must not turn into an operator's.
   */
  hubFor(beacon: string): string | null {
    return this.#beacons.get(beacon)?.presence.HubSubjects === true ? this.#options.hubId : null;
  }

  /** Why nothing may be delivered to a beacon that is there: two claim its name; else null. */
  faultOf(beacon: string): string | null {
    return this.#claims.faultOf(beacon, this.#clock.monotonicMs());
  }

  /** One beacon counts as away from now on, whatever it says; null: none does. */
  hide(beacon: string | null): void {
    const before = this.#hidden;
    if (before === beacon) return;
    this.#hidden = beacon;
    for (const one of [before, beacon]) if (one !== null) this.#report(one);
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
    this.#leaves(beacon, seen);
  }

  #leaves(beacon: string, seen: Seen): void {
    seen.isAway = true;
    this.#away.add(beacon);
    this.#report(beacon);
  }

  #onPresence(body: unknown, subject: string): void {
    const presence = decodePresence(body);
    if (!presence) return;
    const beacon = presence.BeaconID;
    const isOwn = subject !== subjects.presenceBare;
    // Permissions bind who may speak on which subject, so that is who it is.
    if (isOwn && beacon !== lastToken(subject)) return;
    const before = this.#beacons.get(beacon);
    if (!isOwn && before?.isOwn === true && !before.isAway) return;
    if (!before && !this.#hasRoomFor(beacon)) return;
    this.#claims.heard(presence, before?.presence ?? null, this.#clock.monotonicMs());
    // A draining beacon finishes what it has and takes nothing new: for us it has left.
    const isAway = presence.Status === 'Draining';
    const text = JSON.stringify(presence);
    const atMs = this.#clock.monotonicMs();
    this.#beacons.set(beacon, { presence, text, atMs, isAway, isAsked: false, isOwn });
    if (!isAway) this.#away.delete(beacon);
    else if (before?.isAway !== true) this.#away.add(beacon);
    if (!before || before.isAway !== isAway || before.text !== text) this.#report(beacon);
  }

  /** A new one takes the place of one that is away and that no lane goes to. */
  #hasRoomFor(beacon: string): boolean {
    if (this.#beacons.size < limits.beaconsMax || this.#watchers.has(beacon)) return true;
    for (const away of this.#away) {
      if (this.#watchers.has(away)) continue;
      this.#forget(away);
      return true;
    }
    return false;
  }

  #forget(beacon: string): void {
    this.#beacons.delete(beacon);
    this.#away.delete(beacon);
  }

  #sweep(): void {
    for (const beacon of this.#claims.settled(this.#clock.monotonicMs())) this.#report(beacon);
    let left: number = limits.beaconsAskedMax;
    for (const [beacon, seen] of this.#beacons) {
      const silentMs = this.#clock.monotonicMs() - seen.atMs;
      const isWatched = this.#watchers.has(beacon);
      if (seen.isAway) {
        if (silentMs >= limits.beaconForgottenMs && !isWatched) this.#forget(beacon);
      } else if (silentMs >= limits.presenceAwayMs - 500) {
        // A hair early, so that "away within six seconds" holds for whoever measures from outside.
        this.#leaves(beacon, seen);
      } else if (silentMs >= limits.presenceProbeMs && !seen.isAsked && (isWatched || left > 0)) {
        if (!isWatched) left -= 1;
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
        subjects.capability(BeaconID, capability, 'ListConnections', this.hubFor(BeaconID)),
        { Settings: {} },
        { timeoutMs: 1_000 },
      );
    } catch (error) {
      this.markAwayIfUnreachable(BeaconID, error);
    }
  }

  #report(beacon: string): void {
    for (const listener of this.#listeners) listener(beacon);
    for (const watcher of this.#watchers.get(beacon) ?? []) watcher();
  }
}
