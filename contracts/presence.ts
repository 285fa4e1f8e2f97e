/** `mesh.presence.<BeaconID>`: what a beacon says of itself every two seconds and on change. */
import { isJsonObject } from './body/json-value.ts';
import { limits } from './limits.ts';
import { isSubjectToken } from './subjects.ts';

export type BeaconStatus = 'Online' | 'Busy' | 'Draining';

/** `StoreID` is '' until EnsureSchema has given the database an identity. */
export type ConnectionPresence = {
  IDBeaconConnection: number;
  Name: string;
  Engine: string;
  Connected: boolean;
  StoreID: string;
};

export type Presence = {
  BeaconID: string;
  Status: BeaconStatus;
  /** New at every start of the beacon. */
  Nonce: string;
  /** It takes requests for a hub on subjects that name the hub. */
  HubSubjects: boolean;
  Capabilities: string[];
  Tags: Record<string, string>;
  Connections: ConnectionPresence[];
};

/**
 * A presence message, or null when it is not one: anybody may publish on the mesh. What is too much
 * of a list or text is left out.
 */
export function decodePresence(body: unknown): Presence | null {
  if (!isJsonObject(body)) return null;
  const { BeaconID, Status, Nonce, HubSubjects, Capabilities, Connections } = body;
  if (typeof BeaconID !== 'string' || !isSubjectToken(BeaconID)) return null;
  if (Status !== 'Online' && Status !== 'Busy' && Status !== 'Draining') return null;
  return {
    BeaconID,
    Status,
    Nonce: textIn(Nonce),
    HubSubjects: HubSubjects === true,
    Capabilities: listIn(Capabilities).flatMap((name) => textIn(name) || []),
    Tags: tagsIn(body['Tags']),
    Connections: listIn(Connections).flatMap((one) => decodeConnection(one) ?? []),
  };
}

function textIn(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, limits.presenceCharsMax) : '';
}

function listIn(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(0, limits.presenceItemsMax) : [];
}

/** Without a prototype, so that a tag may have any name. Foreign beacons tag with numbers too. */
function tagsIn(given: unknown): Record<string, string> {
  const tags = Object.create(null) as Record<string, string>;
  if (!isJsonObject(given)) return tags;
  for (const [name, value] of Object.entries(given).slice(0, limits.presenceItemsMax)) {
    const isText = ['string', 'number', 'boolean'].includes(typeof value);
    if (isText && name.length <= limits.presenceCharsMax) tags[name] = textIn(String(value));
  }
  return tags;
}

function decodeConnection(body: unknown): ConnectionPresence | null {
  if (!isJsonObject(body)) return null;
  const id = body['IDBeaconConnection'];
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) return null;
  return {
    IDBeaconConnection: id,
    Name: textIn(body['Name']),
    Engine: textIn(body['Engine']),
    Connected: body['Connected'] === true,
    StoreID: textIn(body['StoreID']),
  };
}
