/** What a beacon offers by its presence: with which carrier a lane may write, and into which store. */
import { capabilities, legacyCapabilities } from '../../contracts/capability.ts';
import type { Presence } from '../../contracts/presence.ts';
import type { CarrierName } from '../../contracts/status.ts';
import type { Lane } from '../../contracts/subjects.ts';

/** Whether a beacon has no tables of the bridge's to write to. */
export function isLegacy({ Capabilities }: Presence): boolean {
  return !Capabilities.includes(capabilities.batch) && !Capabilities.includes(capabilities.proxy);
}

/** The carrier its capabilities allow a lane; null where there is none. */
export function carrierIn(presence: Presence, lane: Lane): CarrierName | null {
  const { Capabilities } = presence;
  if (isLegacy(presence)) return Capabilities.includes(legacyCapabilities[lane]) ? 'legacy' : null;
  return Capabilities.includes(capabilities.batch) ? 'batch' : 'meadow-proxy';
}

/** The identity of the database behind a connection; empty where it is not known. */
export function storeIn(presence: Presence, connection: number): string {
  const found = presence.Connections.find((one) => one.IDBeaconConnection === connection);
  // A legacy beacon has no databases to choose from: whatever the number, it means its one store.
  return (found ?? (isLegacy(presence) ? presence.Connections[0] : undefined))?.StoreID ?? '';
}
