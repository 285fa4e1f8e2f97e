/**
 * The journal out of its file, as JSON lines: of a live one, and of what is left of a damaged one.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import {
  entryColumns,
  lineOfEntry,
  type StoredEntry,
  wrongWith,
} from '../../worker/state/recover/entry-lines.ts';
import { drained, writeOut } from '../terminal/writer.ts';
import { openForReading } from '../../worker/state/open/read-store.ts';
import { openDatabase, openFolder, type OpenedSource } from '../../worker/state/recover/salvage.ts';

type Say = (line: string) => void;

const sayEvery = 100_000;

/**
 * Entries above a Seq, in short reads, so that the writer's log is never held up.
 * @throws TidemarkError as `openForReading`
 */
export function* exportLines(dataDir: string, afterSeq: number, say: Say): Generator<string> {
  const db = openForReading(dataDir);
  try {
    const sql = `select ${entryColumns(db.version)} from entry where seq > ? order by seq limit ?`;
    let count = 0;
    for (let last = afterSeq; ;) {
      const rows = db.all<StoredEntry>(sql, last, limits.deliverStepEntries);
      for (const row of rows) {
        yield `${JSON.stringify(lineOfEntry(row))}\n`;
        last = row.seq;
        if (++count % sayEvery === 0) say(`${count} entries, up to Seq ${last}`);
      }
      if (rows.length === 0) return;
    }
  } finally {
    db.close();
  }
}

/** Writes lines to a file, or to stdout for `-`, waiting for a slow reader. @returns how many */
export async function writeLines(out: string, lines: Iterable<string>): Promise<number> {
  if (out !== '-') return writeFile(out, lines);
  let count = 0;
  for (const line of lines) {
    count += 1;
    if (!writeOut(line)) await drained();
  }
  return count;
}

function writeFile(out: string, lines: Iterable<string>): number {
  const file = openSync(out, 'w', 0o600);
  try {
    let count = 0;
    for (const line of lines) {
      writeSync(file, line);
      count += 1;
    }
    return count;
  } finally {
    closeSync(file);
  }
}

/**
 * Writes every entry that can be read from a file in whatever state, each EventGUID once, with its
 * body if one was found. Works on a copy beside the output.
 * @throws TidemarkError NOT_THERE
 */
export function salvageTo(
  path: string,
  out: string,
  say: Say,
): { Written: number; Rejected: number; Source: string; Out: string } {
  const db = [join(path, 'state', 'state.db'), join(path, 'state.db'), path].find((one) =>
    statSync(one, { throwIfNoEntry: false })?.isFile(),
  );
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  if (
    db === undefined &&
    !(
      isFolder &&
      (existsSync(join(path, 'entries.jsonl')) || existsSync(join(path, 'state.db-wal')))
    )
  ) {
    throw new TidemarkError(
      'NOT_THERE',
      `there is nothing to read at ${path}; name a state.db or the folder it lies in`,
    );
  }
  const work = mkdtempSync(`${out}.work-`);
  try {
    const source = db === undefined ? openFolder(path) : openCopy(db, work);
    if (!source) throw new TidemarkError('NOT_THERE', `there is nothing to read at ${path}`);
    try {
      return { ...writeBest(source, out, say), Source: source.kind, Out: out };
    } finally {
      source.close();
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function openCopy(db: string, work: string): OpenedSource {
  copyFileSync(db, join(work, 'state.db'));
  const hasLog = existsSync(`${db}-wal`);
  if (hasLog) copyFileSync(`${db}-wal`, join(work, 'state.db-wal'));
  return openDatabase(join(work, 'state.db'), hasLog ? join(work, 'state.db-wal') : null);
}

function writeBest(
  source: OpenedSource,
  out: string,
  say: Say,
): { Written: number; Rejected: number } {
  const hasBody = new Map<string, boolean>();
  let Rejected = 0;
  for (const entry of source.entries) {
    if (wrongWith(entry) !== null) Rejected += 1;
    else
      hasBody.set(
        entry.guid.toString('hex'),
        entry.body !== null || hasBody.get(entry.guid.toString('hex')) === true,
      );
  }
  say(`${hasBody.size} entries found`);
  const Written = writeFile(out, best(source, hasBody));
  return { Written, Rejected };
}

function* best(source: OpenedSource, hasBody: Map<string, boolean>): Generator<string> {
  for (const entry of source.entries) {
    const guid = entry.guid.toString('hex');
    if (hasBody.get(guid) !== (entry.body !== null) || wrongWith(entry) !== null) continue;
    hasBody.delete(guid);
    yield `${JSON.stringify(lineOfEntry(entry))}\n`;
  }
}
