/** Takes over the two JSON files of the incumbent bridges, once: its assignment is adopted, its time marks are kept beside as `*.imported`. */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, type JsonValue } from '../contracts/json-value.ts';
import { type Lane, lanes } from '../contracts/subjects.ts';
import { messageOf } from '../contracts/errors.ts';
import type { Log } from '../runtime/log.ts';
import type { Assignments } from './assignments.ts';
import type { Store } from './state/store.ts';

export const marksFileName = 'persistence-bridge-hwm.json';
export const assignmentFileName = 'persistence-assignment.json';

const sections: Record<Lane, string> = { queue: 'Queue', manifest: 'Manifest' };

function readJson(path: string, log: Log): JsonValue | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as JsonValue;
  } catch (error) {
    log.warn({ path, reason: messageOf(error) }, 'legacy file is not JSON; kept beside, nothing taken from it');
    return null;
  }
}

/**
 * A mark of the incumbent is a time, and says nothing about what was really sent: nothing is marked as sent because of it.
 * The assignment is taken only by a store that has not yet taken one.
 */
export function importLegacyFiles(store: Store, assignments: Assignments, log: Log): void {
  if (store.meta('legacy_imported') !== undefined) return;
  const marksPath = join(store.dataDir, marksFileName);
  const marks = readJson(marksPath, log);
  if (marks !== undefined && !(isJsonObject(marks) && marks['Version'] === 2)) renameSync(marksPath, `${marksPath}.imported`);
  const path = join(store.dataDir, assignmentFileName);
  const file = readJson(path, log);
  if (isJsonObject(file)) for (const lane of lanes) adopt(file[sections[lane]], lane, assignments, log);
  if (file !== undefined) renameSync(path, `${path}.imported`);
  store.setMeta('legacy_imported', 'done');
}

function adopt(section: JsonValue | undefined, lane: Lane, assignments: Assignments, log: Log): void {
  if (!isJsonObject(section) || assignments.of(lane)) return;
  const { BeaconID, IDBeaconConnection } = section;
  if (typeof BeaconID !== 'string' || typeof IDBeaconConnection !== 'number') return;
  assignments.assign(BeaconID, IDBeaconConnection, [lane]);
  log.info({ lane, beacon: BeaconID, connection: IDBeaconConnection }, 'assignment taken over from the incumbent');
}
