/**
 * Parses the two files of the incumbent bridges into items, and keeps what is rejected word for
 * word.
 */
import { messageOf } from '../../contracts/errors.ts';
import { isJsonObject, type JsonValue } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { isSubjectToken, type Lane, lanes } from '../../contracts/subjects.ts';

export type IncumbentMark = { lane: Lane; beacon: string; at: string };
export type IncumbentAssignment = { lane: Lane; beacon: string; connection: number };
export type Reject = { item: string; reason: string };

/** `failure` says why nothing could be read. */
export type Items<T> = { taken: T[]; rejected: Reject[]; failure: string | null };

const sections: Record<Lane, string> = { queue: 'Queue', manifest: 'Manifest' };
const dayMs = 24 * 3_600_000;

function reject(name: string, value: JsonValue | undefined, reason: string): Reject {
  return {
    item: `${JSON.stringify(name)}: ${JSON.stringify(value)}`.slice(0, limits.legacyItemCharsMax),
    reason,
  };
}

/** Parses the file as JSON; a byte-order mark is allowed. */
export function parseIncumbent(text: string): { value: JsonValue } | { failure: string } {
  if (text.trim() === '') return { failure: 'the file is empty' };
  try {
    return { value: JSON.parse(text.replace(/^\u{feff}/u, '')) as JsonValue };
  } catch (error) {
    return { failure: `not JSON: ${messageOf(error)}` };
  }
}

/** Our own file of that name has Version 2. */
export function isOwnMarksFile(value: JsonValue): boolean {
  return isJsonObject(value) && value['Version'] === 2;
}

/** `{ "Queue": { "<BeaconID>": "<iso>" }, "Manifest": { ... } }` */
export function marksOf(value: JsonValue, nowMs: number): Items<IncumbentMark> {
  const items: Items<IncumbentMark> = { taken: [], rejected: [], failure: null };
  if (!isJsonObject(value)) return { ...items, failure: 'not an object' };
  eachSection(value, items, (lane, name, section) => {
    if (!isJsonObject(section))
      return items.rejected.push(reject(name, section, 'not an object of beacons'));
    for (const [beacon, at] of Object.entries(section)) {
      const problem = problemOfMark(beacon, at, nowMs);
      if (problem) items.rejected.push(reject(`${name}.${beacon}`, at, problem));
      else items.taken.push({ lane, beacon, at: at as string });
    }
  });
  return items;
}

function problemOfMark(beacon: string, at: JsonValue, nowMs: number): string | null {
  if (!isSubjectToken(beacon)) return 'not the ID of a beacon';
  const ms = typeof at === 'string' ? Date.parse(at) : Number.NaN;
  if (Number.isNaN(ms)) return 'not a time';
  return ms > nowMs + dayMs ? 'a time in the future' : null;
}

/**
 * `{ "Queue": { BeaconID, IDBeaconConnection } | null, "Manifest": ... }`. The older, flat shape
 * holds one assignment for both lanes.
 */
export function assignmentsOf(value: JsonValue): Items<IncumbentAssignment> {
  const items: Items<IncumbentAssignment> = { taken: [], rejected: [], failure: null };
  if (!isJsonObject(value)) return { ...items, failure: 'not an object' };
  const isFlat = 'BeaconID' in value;
  const both = isFlat ? Object.fromEntries(lanes.map((lane) => [sections[lane], value])) : value;
  eachSection(both, items, (lane, name, section) => {
    if (section === null) return;
    const problem = problemOfAssignment(section);
    if (problem) return items.rejected.push(reject(name, section, problem));
    const { BeaconID, IDBeaconConnection } = section as {
      BeaconID: string;
      IDBeaconConnection: number;
    };
    items.taken.push({ lane, beacon: BeaconID, connection: IDBeaconConnection });
  });
  return items;
}

function problemOfAssignment(section: JsonValue): string | null {
  if (!isJsonObject(section)) return 'not an assignment';
  const { BeaconID, IDBeaconConnection } = section;
  if (typeof BeaconID !== 'string' || !isSubjectToken(BeaconID))
    return 'BeaconID is not the ID of a beacon';
  const isConnection =
    typeof IDBeaconConnection === 'number' &&
    Number.isSafeInteger(IDBeaconConnection) &&
    IDBeaconConnection > 0;
  return isConnection ? null : 'IDBeaconConnection is not an integer of at least 1';
}

function eachSection(
  value: Record<string, JsonValue>,
  items: { rejected: Reject[] },
  take: (lane: Lane, name: string, section: JsonValue) => unknown,
): void {
  for (const [name, section] of Object.entries(value)) {
    const lane = lanes.find((one) => sections[one] === name);
    if (lane) take(lane, name, section);
    else items.rejected.push(reject(name, section, 'neither Queue nor Manifest'));
  }
}
