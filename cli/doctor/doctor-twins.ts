/**
 * Looks whether two databeacons of one name are on the bus: each takes a part of the requests, and
 * the rows end up in two databases.
 */
import { isJsonObject } from '../../contracts/body/json-value.ts';
import { services } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { type Check, fail } from './doctor-check.ts';

/** All that are there answer within this time; more than so many are not looked at. */
const answerMs = 2_000;
const answersMax = 1_000;

/** A check for each of these names that more than one databeacon has; none while all is well. */
export async function twinChecks(bus: Bus, beacons: readonly string[]): Promise<Check[]> {
  const answers = await bus
    .gather(services.subject('INFO', services.beacon), answerMs, answersMax)
    .catch(() => []);
  const places = new Map<string, string[]>();
  for (const answer of answers) {
    const metadata = isJsonObject(answer) ? answer['metadata'] : null;
    if (!isJsonObject(metadata)) continue;
    const { BeaconID, Host, Pid } = metadata;
    if (typeof BeaconID !== 'string') continue;
    const place = typeof Host === 'string' ? `${Host}, process ${String(Pid)}` : 'an older one';
    places.set(BeaconID, [...(places.get(BeaconID) ?? []), place]);
  }
  return [...new Set(beacons)].flatMap((beacon) => {
    const found = places.get(beacon) ?? [];
    if (found.length < 2) return [];
    return fail(
      'beacon',
      `${found.length === 2 ? 'two' : found.length} databeacons call themselves ${beacon}: ` +
        found.toSorted().join('; '),
      'stop all but one, or give it another name (--id, up --beacon-id); compare their databases',
    );
  });
}
