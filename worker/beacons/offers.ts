/** What a beacon offers by its presence: the carrier for each lane, and the database behind it. */
import { capabilities, legacyCapabilities } from '../../contracts/capability.ts';
import type { Presence } from '../../contracts/presence.ts';
import type { CarrierName } from '../../contracts/status.ts';
import type { Lane } from '../../contracts/subjects.ts';

/** Whether a beacon stores rows in its own way instead of in the bridge's tables. */
export function isLegacy({ Capabilities }: Presence): boolean {
  return !Capabilities.includes(capabilities.batch) && !Capabilities.includes(capabilities.proxy);
}

/** The carrier for a lane by the beacon's capabilities; null without one. */
export function carrierIn(presence: Presence, lane: Lane): CarrierName | null {
  const { Capabilities } = presence;
  if (isLegacy(presence)) return Capabilities.includes(legacyCapabilities[lane]) ? 'legacy' : null;
  return Capabilities.includes(capabilities.batch) ? 'batch' : 'meadow-proxy';
}

/** The StoreID of a connection's database; empty when unknown. */
export function storeIn(presence: Presence, connection: number): string {
  const found = presence.Connections.find((one) => one.IDBeaconConnection === connection);
  // A legacy beacon has a single store, whatever number was assigned.
  return (found ?? (isLegacy(presence) ? presence.Connections[0] : undefined))?.StoreID ?? '';
}
