/**
 * Who claims the name of a databeacon: a start brings a new Nonce for good, two databeacons of one
 * name bring theirs by turns. Deliveries to them would be spread over two databases, each of which
 * seems to go back in time.
 */
import { limits } from '../../contracts/limits.ts';
import type { Presence } from '../../contracts/presence.ts';

/** Times a Nonce came back that another had followed: one may be a message that was late. */
const returnsMin = 2;

/** Nonces heard of a name since it was first followed by another, and how often one came back. */
type Claim = { nonces: Set<string>; returns: number; lastMs: number };

export class Claims {
  readonly #byBeacon = new Map<string, Claim>();

  /** @param before what the same beacon said last */
  heard(presence: Presence, before: Presence | null, nowMs: number): void {
    const { BeaconID: beacon, Nonce: nonce } = presence;
    // One that drains has left, and says so beside its successor.
    if (!before || before.Nonce === nonce) return;
    if (presence.Status === 'Draining' || before.Status === 'Draining') return;
    // Who has none cannot be told from its successor.
    if (nonce === '' || before.Nonce === '') return;
    this.#forgetOld(nowMs);
    const claim = this.#byBeacon.get(beacon) ?? { nonces: new Set(), returns: 0, lastMs: nowMs };
    if (claim.nonces.has(nonce)) claim.returns += 1;
    if (claim.nonces.size < limits.claimsMax) claim.nonces.add(before.Nonce).add(nonce);
    claim.lastMs = nowMs;
    if (this.#byBeacon.size < limits.claimsMax) this.#byBeacon.set(beacon, claim);
  }

  /** Why nothing may be delivered to it; null while one alone claims the name. */
  faultOf(beacon: string, nowMs: number): string | null {
    const claim = this.#byBeacon.get(beacon);
    if (!claim || claim.returns < returnsMin || isOld(claim, nowMs)) return null;
    return (
      `two databeacons call themselves ${beacon}; nothing is delivered until one of them has ` +
      'stopped (tidemark doctor says where they are)'
    );
  }

  /** Names that were claimed by two until now. */
  settled(nowMs: number): string[] {
    const before = [...this.#byBeacon]
      .filter(([, claim]) => claim.returns >= returnsMin && isOld(claim, nowMs))
      .map(([beacon]) => beacon);
    this.#forgetOld(nowMs);
    return before;
  }

  #forgetOld(nowMs: number): void {
    for (const [beacon, claim] of this.#byBeacon)
      if (isOld(claim, nowMs)) this.#byBeacon.delete(beacon);
  }
}

/** Both speak within this time while they are there. */
function isOld({ lastMs }: Claim, nowMs: number): boolean {
  return nowMs - lastMs >= limits.presenceAwayMs;
}
