/**
 * Ensures that a name is used by one databeacon only: a second does not start, and two that run all
 * the same report it. They would take each other's requests, and the rows would be spread over both
 * databases.
 */
import { hostname } from 'node:os';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { decodePresence } from '../../contracts/presence.ts';
import { services, subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { Reminder } from '../../runtime/reminder.ts';
import { bounds } from '../bounds.ts';

/** Metadata of the micro service: the name of the databeacon, and where it is running. */
export function serviceMetadata(beaconId: string): Record<string, string> {
  return { BeaconID: beaconId, Host: hostname(), Pid: String(process.pid) };
}

/**
 * Checks that no databeacon of that name is running; waits for one that is just ending.
 * @throws TidemarkError LOCK_HELD naming its place
 */
export async function insistOnSole(
  bus: Pick<Bus, 'gather'>,
  beaconId: string,
  clock: Clock,
): Promise<void> {
  const untilMs = clock.monotonicMs() + bounds.predecessorMs;
  for (;;) {
    const [place] = await placesOf(bus, beaconId);
    if (place === undefined) return;
    if (clock.monotonicMs() >= untilMs)
      throw new TidemarkError(
        'LOCK_HELD',
        `a databeacon called ${beaconId} is already on this bus: ${place}; ` +
          'stop it, or choose another name (--id, up --beacon-id)',
      );
    await clock.sleep(bounds.predecessorLookMs);
  }
}

/** Where databeacons of that name are running. A bus that does not answer counts as none. */
async function placesOf(bus: Pick<Bus, 'gather'>, beaconId: string): Promise<string[]> {
  const answers = await bus
    .gather(services.subject('INFO', services.beacon), bounds.infoMs, bounds.infoAnswersMax)
    .catch(() => []);
  return answers.flatMap((answer) => {
    const metadata = isJsonObject(answer) ? answer['metadata'] : null;
    if (!isJsonObject(metadata) || metadata['BeaconID'] !== beaconId) return [];
    const { Host, Pid } = metadata;
    return typeof Host === 'string' && typeof Pid === 'string'
      ? `${Host}, process ${Pid}`
      : 'an older one that does not say where';
  });
}

/** Logs, once and then as a reminder, that another databeacon uses this one's name. */
export function watchForTwin(
  bus: Pick<Bus, 'subscribe'>,
  log: Log,
  { beaconId, isOwn }: { beaconId: string; isOwn: (nonce: string) => boolean },
): () => void {
  const reminder = new Reminder(limits.busReminderMs);
  return bus.subscribe(subjects.presence(beaconId), (body) => {
    const heard = decodePresence(body);
    if (heard?.BeaconID !== beaconId || heard.Status === 'Draining' || isOwn(heard.Nonce)) return;
    if (reminder.isDue(beaconId))
      log.error(
        { beacon: beaconId, nonce: heard.Nonce },
        `two databeacons call themselves ${beaconId}: workers stop delivering to both; stop one, ` +
          'or give it another name (tidemark doctor says where they are)',
      );
  });
}
