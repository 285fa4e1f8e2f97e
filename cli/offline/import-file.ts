/**
 * A file of JSON lines that export or salvage made: its entries, what is wrong with the others, and
 * the runs they came in.
 */
import { statSync } from 'node:fs';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../runtime/clock.ts';
import { entryOfLine, type StoredEntry } from '../../worker/state/recover/entry-lines.ts';
import { readLines } from '../../worker/state/recover/line-reader.ts';
import type { Merged } from '../../worker/state/recover/merge.ts';

/** Lines that were rejected, cut at `limits.findingItemsMax`. */
export type Imported = Merged & { Rejections: { Line: number; Reason: string }[] };

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
export function* accepted(file: string, result: Imported): Generator<StoredEntry> {
  for (const { Line, entry, reason } of parse(file)) {
    if (entry) {
      yield entry;
      continue;
    }
    result.Rejected += 1;
    if (result.Rejections.length < limits.findingItemsMax)
      result.Rejections.push({ Line, Reason: reason });
  }
}

/** A file says nothing of the Seqs between its runs, so that each run begins like a start does. */
export function runsOf(
  file: string,
): { id: string; pid: number; started_ms: number; first_seq: number }[] {
  const firsts: number[] = [];
  let last = 0;
  for (const { entry } of parse(file)) {
    if (!entry) continue;
    if (entry.seq !== last + 1) firsts.push(entry.seq);
    last = entry.seq;
  }
  return firsts.slice(-limits.importRunsMax).map((seq) => ({
    id: `import-${seq}`,
    pid: process.pid,
    started_ms: systemClock.nowMs(),
    first_seq: seq,
  }));
}

/** @throws TidemarkError NOT_THERE for what is no file */
export function assertFile(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  const made = 'a file made by journal export or journal salvage';
  if (!found) throw new TidemarkError('NOT_THERE', `there is no ${file}; give it ${made}`);
  if (!found.isFile()) throw new TidemarkError('NOT_THERE', `${file} is a folder; name ${made}`);
}
