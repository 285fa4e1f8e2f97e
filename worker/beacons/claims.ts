/**
 * Detects two databeacons with the same name. After a restart only the new Nonce is announced; two
 * databeacons announce theirs in turns. Deliveries would be spread over both databases, and each
 * would seem to go back in time.
 */
import { limits } from '../../contracts/limits.ts';
import type { Presence } from '../../contracts/presence.ts';

/** How often an earlier Nonce must come back; a single return may be a late message. */
const returnsMin = 2;

/** Nonces seen for a name since the first change, and how often an earlier one came back. */
type Claim = { nonces: Set<string>; returns: number; lastMs: number };

export class Claims {
  readonly #byBeacon = new Map<string, Claim>();

  /** @param before the previous presence of the same beacon */
  heard(presence: Presence, before: Presence | null, nowMs: number): void {
    const { BeaconID: beacon, Nonce: nonce } = presence;
    // A draining beacon still announces itself beside its successor.
    if (!before || before.Nonce === nonce) return;
    if (presence.Status === 'Draining' || before.Status === 'Draining') return;
    // Without a Nonce a beacon cannot be distinguished from its successor.
    if (nonce === '' || before.Nonce === '') return;
    this.#forgetOld(nowMs);
    const claim = this.#byBeacon.get(beacon) ?? { nonces: new Set(), returns: 0, lastMs: nowMs };
    if (claim.nonces.has(nonce)) claim.returns += 1;
    if (claim.nonces.size < limits.claimsMax) claim.nonces.add(before.Nonce).add(nonce);
    claim.lastMs = nowMs;
    if (this.#byBeacon.size < limits.claimsMax) this.#byBeacon.set(beacon, claim);
  }

  /** Why nothing may be delivered to the beacon; null while only one claims the name. */
  faultOf(beacon: string, nowMs: number): string | null {
    const claim = this.#byBeacon.get(beacon);
    if (!claim || claim.returns < returnsMin || isOld(claim, nowMs)) return null;
    return (
      `two databeacons call themselves ${beacon}; nothing is delivered until one of them has ` +
      'stopped (tidemark doctor says where they are)'
    );
  }

  /** Names that two beacons claimed and only one claims now. */
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

/** Two running beacons would both have announced themselves within this time. */
function isOld({ lastMs }: Claim, nowMs: number): boolean {
  return nowMs - lastMs >= limits.presenceAwayMs;
}
