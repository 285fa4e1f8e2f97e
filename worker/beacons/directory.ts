/**
 * The beacons that are online, by their presence. A silent beacon is asked, and is away after six
 * seconds of silence.
 *
 * Anybody on the bus may announce beacons. So their number is bounded, a message costs the same
 * however many there are, and a beacon that is assigned to a lane is never evicted.
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
  /** The presence as text, to detect changes. */
  text: string;
  atMs: number;
  isAway: boolean;
  isAsked: boolean;
  /** Announced on the beacon's own presence subject, which permissions reserve for it. */
  isOwn: boolean;
};

export type DirectoryOptions = {
  /** The hub that requests are made for. */
  hubId: string;
  /** Also accept beacons that announce themselves on the shared presence subject. */
  acceptsUnscoped?: boolean;
};

export class BeaconDirectory {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #options: DirectoryOptions;
  readonly #beacons = new Map<string, Seen>();
  /** The beacons that are away, longest first. */
  readonly #away = new Set<string>();
  readonly #listeners = new Set<(beacon: string) => void>();
  /** Watchers by beacon. A watched beacon is assigned to a lane. */
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

  /** Called after every change, with the beacon that changed. */
  onChange(listener: (beacon: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called after every change of one beacon, which is not forgotten while it is watched. */
  watch(beacon: string, listener: () => void): () => void {
    const watchers = this.#watchers.get(beacon) ?? new Set();
    this.#watchers.set(beacon, watchers.add(listener));
    return () => {
      watchers.delete(listener);
      if (watchers.size === 0 && this.#watchers.get(beacon) === watchers)
        this.#watchers.delete(beacon);
    };
  }

  /** The presence of a beacon; null when it is away. */
  find(beacon: string): Presence | null {
    const seen = this.#beacons.get(beacon);
    return seen && this.#isThere(seen) ? seen.presence : null;
  }

  /**
   * The hub to name in the subject of requests to a beacon: ours, if the beacon listens on hub
   * subjects. The answer stays while it is away, because a request under way must not turn into one
   * of an operator's.
   */
  hubFor(beacon: string): string | null {
    return this.#beacons.get(beacon)?.presence.HubSubjects === true ? this.#options.hubId : null;
  }

  /** Why nothing may be delivered to an online beacon (two claim its name); null otherwise. */
  faultOf(beacon: string): string | null {
    return this.#claims.faultOf(beacon, this.#clock.monotonicMs());
  }

  /** Treats one beacon as away, whatever it announces; null hides none. */
  hide(beacon: string | null): void {
    const before = this.#hidden;
    if (before === beacon) return;
    this.#hidden = beacon;
    for (const one of [before, beacon]) if (one !== null) this.#report(one);
  }

  #isThere({ presence, isAway }: Seen): boolean {
    return !isAway && presence.BeaconID !== this.#hidden;
  }

  /** All online beacons, by BeaconID. */
  list(): Presence[] {
    return [...this.#beacons.values()]
      .filter((seen) => this.#isThere(seen))
      .map((seen) => seen.presence)
      .sort((a, b) => (a.BeaconID < b.BeaconID ? -1 : 1));
  }

  /** Marks a beacon as away at once when a request found no responder. */
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
    // Permissions decide who may publish on a subject, so the subject identifies the beacon.
    if (isOwn && beacon !== lastToken(subject)) return;
    const before = this.#beacons.get(beacon);
    if (!isOwn && before?.isOwn === true && !before.isAway) return;
    if (!before && !this.#hasRoomFor(beacon)) return;
    this.#claims.heard(presence, before?.presence ?? null, this.#clock.monotonicMs());
    // A draining beacon takes no new requests, so it counts as away.
    const isAway = presence.Status === 'Draining';
    const text = JSON.stringify(presence);
    const atMs = this.#clock.monotonicMs();
    this.#beacons.set(beacon, { presence, text, atMs, isAway, isAsked: false, isOwn });
    if (!isAway) this.#away.delete(beacon);
    else if (before?.isAway !== true) this.#away.add(beacon);
    if (!before || before.isAway !== isAway || before.text !== text) this.#report(beacon);
  }

  /** A new beacon replaces one that is away and not assigned. */
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
        // Half a second early, so that an outside observer also sees it away within six seconds.
        this.#leaves(beacon, seen);
      } else if (silentMs >= limits.presenceProbeMs && !seen.isAsked && (isWatched || left > 0)) {
        if (!isWatched) left -= 1;
        seen.isAsked = true;
        void this.#ask(seen.presence);
      }
    }
  }

  /** Any answer means that presence decides; only "no responders" marks the beacon as away. */
  async #ask({ BeaconID, Capabilities }: Presence): Promise<void> {
    // A legacy beacon answers for its lanes only. It lacks this action, but a refusal is an answer.
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
