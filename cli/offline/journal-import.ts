/** Entries from JSON lines into a stopped store, as a merge; or only what that would do. */
import { existsSync } from 'node:fs';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../runtime/clock.ts';
import { accepted, assertFile, type Imported, runsOf } from './import-file.ts';
import { notedHere } from './noted-here.ts';
import { type Connection, openReadOnly } from '../../worker/state/connection.ts';
import { emptyMerge, mergeSteps } from '../../worker/state/recover/merge.ts';
import { openStore } from '../../worker/state/open/open-store.ts';
import { pathsOf } from '../../worker/state/paths.ts';

type Say = (line: string) => void;

const sayEvery = 100_000;

/**
 * Takes a file in, as a merge does.
 * @throws TidemarkError NOT_THERE for what is no file, LOCK_HELD while a worker has the store,
 * CONFIG_INVALID for another hub's
 */
export function importLines(
  dataDir: string,
  hubId: string,
  file: string,
  { say, tell = say, ...options }: { say: Say; tell?: Say; isAnyFileSystem?: boolean },
): Imported {
  assertFile(file);
  const boot = runsOf(file);
  const store = openStore(dataDir, ({ What }) => say(What), options);
  try {
    const owner = store.meta('hub');
    if (owner !== undefined && owner !== hubId)
      throw new TidemarkError(
        'CONFIG_INVALID',
        `${dataDir} holds the journal of hub ${owner}; name it with --hub ${owner}`,
      );
    if (owner === undefined) store.setMeta('hub', hubId);
    return notedHere(store.db, { action: 'journal import', detail: { File: file } }, say, () =>
      merge(store.db, boot, file, tell),
    );
  } finally {
    store.close();
  }
}

function merge(db: Connection, boot: ReturnType<typeof runsOf>, file: string, tell: Say): Imported {
  const result: Imported = { ...emptyMerge(), Rejections: [] };
  const steps = mergeSteps(
    db,
    { tables: { boot }, entries: accepted(file, result), isDoubtful: false },
    { nowMs: systemClock.nowMs(), isReplayRunning: false },
  );
  let step = steps.next();
  for (let n = 1; !step.done; n++) {
    if ((n * limits.mergeStepEntries) % sayEvery === 0)
      tell(`${n * limits.mergeStepEntries} lines read`);
    step = steps.next();
  }
  const { Read } = step.value;
  return {
    ...step.value,
    Read: Read + result.Rejected,
    Rejected: result.Rejected,
    Rejections: result.Rejections,
  };
}

/**
 * The same without changing anything; a worker may run.
 * @throws TidemarkError NOT_THERE for what is no file
 */
export function previewImport(dataDir: string, file: string): Imported {
  assertFile(file);
  const path = pathsOf(dataDir).db;
  const db = existsSync(path) ? openReadOnly(path) : null;
  try {
    const known = db?.prepare<[Buffer], number>('select seq from entry where guid = ?').pluck();
    const seen = new Set<string>();
    const result: Imported = { ...emptyMerge(), Rejections: [] };
    for (const entry of accepted(file, result)) {
      const guid = entry.guid.toString('hex');
      if (seen.has(guid) || known?.get(entry.guid) !== undefined) result.Known += 1;
      else result.Imported += 1;
      seen.add(guid);
    }
    return { ...result, Read: result.Imported + result.Known + result.Rejected };
  } finally {
    db?.close();
  }
}
