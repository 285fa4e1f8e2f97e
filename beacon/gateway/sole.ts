/**
 * One databeacon of a name: whoever comes second does not start, and two that run all the same say
 * so. Two would take each other's requests, and the rows would be spread over both databases.
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

/** What its micro service says of a databeacon: who it is, and where it is found. */
export function serviceMetadata(beaconId: string): Record<string, string> {
  return { BeaconID: beaconId, Host: hostname(), Pid: String(process.pid) };
}

/**
 * Asks whether a databeacon of that name is there. One that is just ending is waited for.
 * @throws TidemarkError LOCK_HELD that names its place
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
        `a databeacon that calls itself ${beaconId} is on this bus already: ${place}; ` +
          'stop it, or take another name (--id, up --beacon-id)',
      );
    await clock.sleep(bounds.predecessorLookMs);
  }
}

/** Where databeacons of that name are. A bus that does not answer says that there is none. */
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

/** Tells the log, once and as a reminder, of another that speaks in this one's name. */
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
