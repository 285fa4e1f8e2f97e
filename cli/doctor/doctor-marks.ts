/**
 * Checks whether the file of marks, written for people, agrees with the store, which is what
 * counts.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { MarksFile } from '../../contracts/status.ts';
import { type Check, fail, lookAt, ok, warn } from './doctor-check.ts';
import { marksFileName } from '../../worker/state/file-names.ts';
import { offlineMarks } from '../offline/offline.ts';
import { lockHolder } from '../../worker/state/open/lock-holder.ts';
import { pathsOf } from '../../worker/state/paths.ts';

/**
 * How far the file may lag behind while a worker runs: it is written each second, and the machine
 * may be slow.
 */
const marksBehindMs = 10_000;

/**
 * Reads the file before the store, so that what a running worker writes meanwhile cannot put the
 * file ahead.
 * @throws TidemarkError as `offlineMarks`
 */
export function marksFile(dataDir: string, nowMs: number): Check {
  const path = join(dataDir, marksFileName);
  const file = lookAt(() => JSON.parse(readFileSync(path, 'utf8')) as Partial<MarksFile>, null);
  const isThere = lookAt(() => statSync(path, { throwIfNoEntry: false }) !== undefined, true);
  const store = offlineMarks(dataDir, nowMs);
  const truth = marksOf(store);
  const again =
    'start the worker, which writes it again. The store is what counts: tidemark hwm show --offline';
  if (!isThere)
    return truth.size === 0
      ? ok('marks file', 'not written yet')
      : warn('marks file', `there is no ${path}`, again);
  if (file === null || typeof file !== 'object')
    return warn('marks file', `${path} is not JSON`, again);
  if (file.Store !== store.Store)
    return fail(
      'marks file',
      `${path} is of store ${file.Store ?? '(none)'}, state.db is ${store.Store}`,
      'one of them was copied from elsewhere: find out which before a worker starts',
    );
  const said = marksOf(file);
  const ahead = [...said].filter(([where, seq]) => seq > (truth.get(where) ?? 0));
  if (ahead.length > 0)
    return fail(
      'marks file',
      'says more than the store: ' +
        ahead
          .map(([where, seq]) => `${where} at ${seq}, the store at ${truth.get(where) ?? 0}`)
          .join('; '),
      'state.db is an older copy: bring the newer one back (docs/LOCAL-STATE.md)',
    );
  const behind = [...truth].filter(([where, seq]) => seq > (said.get(where) ?? 0));
  const oldMs = nowMs - Date.parse(file.WrittenAt ?? '');
  const isFresh = lockHolder(pathsOf(dataDir).lock) !== null && oldMs < marksBehindMs;
  if (behind.length === 0 || isFresh)
    return ok('marks file', `agrees with the store, written ${file.WrittenAt ?? '-'}`);
  return warn(
    'marks file',
    'is behind the store: ' +
      behind
        .map(([where, seq]) => `${where} at ${said.get(where) ?? 0}, the store at ${seq}`)
        .join('; '),
    again,
  );
}

function marksOf(file: Partial<MarksFile>): Map<string, number> {
  const lanes = [
    ['queue', file.Queue],
    ['manifest', file.Manifest],
  ] as const;
  return new Map(
    lanes.flatMap(([lane, beacons]) =>
      Object.entries(beacons ?? {}).flatMap(([beacon, connections]) =>
        Object.entries(connections ?? {}).map(
          ([connection, mark]) => [`${lane} of ${beacon}/${connection}`, mark?.Seq ?? 0] as const,
        ),
      ),
    ),
  );
}
