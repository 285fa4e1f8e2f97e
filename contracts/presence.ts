/** `mesh.presence`: what a beacon says of itself every two seconds and on change. */
import { isJsonObject } from './json-value.ts';
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
  Capabilities: string[];
  Tags: Record<string, string>;
  Connections: ConnectionPresence[];
};

/** A presence message, or null when it is not one: anybody may publish on the mesh. */
export function decodePresence(body: unknown): Presence | null {
  if (!isJsonObject(body)) return null;
  const { BeaconID, Status, Nonce, Capabilities, Tags, Connections } = body;
  if (typeof BeaconID !== 'string' || !isSubjectToken(BeaconID)) return null;
  if (Status !== 'Online' && Status !== 'Busy' && Status !== 'Draining') return null;
  const tags: Record<string, string> = {};
  if (isJsonObject(Tags))
    for (const [name, value] of Object.entries(Tags)) tags[name] = String(value);
  return {
    BeaconID,
    Status,
    Nonce: typeof Nonce === 'string' ? Nonce : '',
    Capabilities: Array.isArray(Capabilities)
      ? Capabilities.filter((name) => typeof name === 'string')
      : [],
    Tags: tags,
    Connections: Array.isArray(Connections)
      ? Connections.flatMap((one) => decodeConnection(one) ?? [])
      : [],
  };
}

function decodeConnection(body: unknown): ConnectionPresence | null {
  if (!isJsonObject(body)) return null;
  const id = body['IDBeaconConnection'];
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) return null;
  return {
    IDBeaconConnection: id,
    Name: String(body['Name'] ?? ''),
    Engine: String(body['Engine'] ?? ''),
    Connected: body['Connected'] === true,
    StoreID: String(body['StoreID'] ?? ''),
  };
}
