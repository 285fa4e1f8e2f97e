/**
 * Reads entries through a handle whose file may be damaged or changed, and leaves out every page
 * that cannot be read.
 */
import { limits } from '../../../contracts/limits.ts';
import type { Connection } from '../connection.ts';
import { entryColumns, type StoredEntry } from './entry-lines.ts';
import type { SeqGap } from '../guard/finding.ts';
import { versionOf } from '../schema/migrate.ts';
import { schemaVersion } from '../schema/migrations.ts';

const stepEntries = 500;

/**
 * Yields the entries that can be read, ascending; returns the ranges of Seq where reading failed.
 */
export function* readEntries(db: Connection): Generator<StoredEntry, SeqGap[]> {
  // A start may lose its file before it has brought it to our schema.
  const schema = attempt(() => versionOf(db)) ?? schemaVersion;
  const after = db.prepare<[number, number], StoredEntry>(
    `select ${entryColumns(schema)} from entry where seq > ? order by seq limit ?`,
  );
  const lost: SeqGap[] = [];
  let last = 0;
  for (;;) {
    const rows = attempt(() => after.all(last, stepEntries)) ?? attempt(() => after.all(last, 1));
    if (rows?.length === 0) return lost;
    if (rows) {
      yield* rows;
      last = rows.at(-1)?.seq ?? last;
      continue;
    }
    const next = firstReadable(last, (seq) => attempt(() => after.all(seq, 1)));
    lost.push({ From: last + 1, To: next ?? limits.seqMax });
    if (next === null) return lost;
    last = next;
  }
}

/**
 * The lowest Seq after which reading works again; null when there is none. Looks ahead in steps
 * that double, then halves the last step.
 */
function firstReadable(from: number, read: (seq: number) => StoredEntry[] | null): number | null {
  let [bad, good] = [from, 0];
  for (let step = 1; good === 0; step *= 2) {
    if (bad + step > limits.seqMax) return null;
    if (read(bad + step) === null) bad += step;
    else good = bad + step;
  }
  while (good - bad > 1) {
    const middle = bad + Math.floor((good - bad) / 2);
    if (read(middle) === null) bad = middle;
    else good = middle;
  }
  return good;
}

/** Null when the file cannot be read there. */
function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    // The reason does not matter: this is the last chance to read the file, so the next place is
    // tried.
    return null;
  }
}

/**
 * Yields the rows of a table up to the first that cannot be read. Bytes become `{ hex }`, so that
 * they fit into JSON.
 */
export function* readTable(db: Connection, table: string): Generator<Record<string, unknown>> {
  try {
    for (const row of db.prepare<[], Record<string, unknown>>(`select * from ${table}`).iterate())
      yield Object.fromEntries(
        Object.entries(row).map(([name, value]) => [
          name,
          Buffer.isBuffer(value) ? { hex: value.toString('hex') } : value,
        ]),
      );
  } catch {
    // The rows that were read before the error are kept.
  }
}
