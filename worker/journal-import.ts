/** Entries from JSON lines into a stopped store, as a merge; or only what that would do. */
import { existsSync, statSync } from 'node:fs';
import { messageOf, TidemarkError } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';
import { systemClock } from '../runtime/clock.ts';
import { openReadOnly } from './state/connection.ts';
import { entryOfLine, type StoredEntry } from './state/entry-lines.ts';
import { readLines } from './state/line-reader.ts';
import { emptyMerge, type Merged, mergeSteps } from './state/merge.ts';
import { openStore } from './state/open-store.ts';
import { pathsOf } from './state/paths.ts';

type Say = (line: string) => void;

/** Lines that were rejected, cut at `limits.findingItemsMax`. */
export type Imported = Merged & { Rejections: { Line: number; Reason: string }[] };

const sayEvery = 100_000;

type Parsed = { Line: number; entry: StoredEntry | null; reason: string };

function* parse(file: string): Generator<Parsed> {
  for (const { number, text } of readLines(file)) {
    try {
      yield { Line: number, entry: entryOfLine(JSON.parse(text)), reason: '' };
    } catch (error) {
      yield { Line: number, entry: null, reason: messageOf(error) };
    }
  }
}

/** Entries of a file; what is rejected goes into the result. */
function* accepted(file: string, result: Imported): Generator<StoredEntry> {
  for (const { Line, entry, reason } of parse(file)) {
    if (entry) {
      yield entry;
      continue;
    }
    result.Rejected += 1;
    if (result.Rejections.length < limits.findingItemsMax) result.Rejections.push({ Line, Reason: reason });
  }
}

/** A file says nothing of the Seqs between its runs, so that each run begins like a start does. */
function runsOf(file: string): { id: string; pid: number; started_ms: number; first_seq: number }[] {
  const firsts: number[] = [];
  let last = 0;
  for (const { entry } of parse(file)) {
    if (!entry) continue;
    if (entry.seq !== last + 1) firsts.push(entry.seq);
    last = entry.seq;
  }
  return firsts.slice(-limits.importRunsMax).map((seq) => ({ id: `import-${seq}`, pid: process.pid, started_ms: systemClock.nowMs(), first_seq: seq }));
}

/** @throws TidemarkError NOT_THERE for what is no file */
export function assertFile(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  const made = 'a file made by journal export or journal salvage';
  if (!found) throw new TidemarkError('NOT_THERE', `there is no ${file}; give it ${made}`);
  if (!found.isFile()) throw new TidemarkError('NOT_THERE', `${file} is a folder; name ${made}`);
}

/** Takes a file in, as a merge does. @throws TidemarkError LOCK_HELD while a worker has the store, CONFIG_INVALID for another hub's */
export function importLines(dataDir: string, hubId: string, file: string, { say, tell = say, ...options }: { say: Say; tell?: Say; isAnyFileSystem?: boolean }): Imported {
  const boot = runsOf(file);
  const store = openStore(dataDir, ({ What }) => say(What), options);
  try {
    const owner = store.meta('hub');
    if (owner !== undefined && owner !== hubId) throw new TidemarkError('CONFIG_INVALID', `${dataDir} holds the journal of hub ${owner}; name it with --hub ${owner}`);
    if (owner === undefined) store.setMeta('hub', hubId);
    const result: Imported = { ...emptyMerge(), Rejections: [] };
    const steps = mergeSteps(store.db, { tables: { boot }, entries: accepted(file, result), isDoubtful: false }, { nowMs: systemClock.nowMs(), isReplayRunning: false });
    let step = steps.next();
    for (let n = 1; !step.done; n++) {
      if ((n * limits.mergeStepEntries) % sayEvery === 0) tell(`${n * limits.mergeStepEntries} lines read`);
      step = steps.next();
    }
    const { Read } = step.value;
    return { ...step.value, Read: Read + result.Rejected, Rejected: result.Rejected, Rejections: result.Rejections };
  } finally {
    store.close();
  }
}

/** The same without changing anything; a worker may run. */
export function previewImport(dataDir: string, file: string): Imported {
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
