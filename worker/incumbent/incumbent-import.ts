/**
 * Imports the two JSON files of the incumbent bridges, once per content: adopts its assignment and
 * records its marks.
 *
 * Constraint: an incumbent mark is a time and does not prove what was sent, so it never moves one
 * of our marks. Failure: the rows and the record of the import are one transaction, before the file
 * is renamed; an import interrupted anywhere is finished at the next start.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../contracts/errors.ts';
import type { JsonValue } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { laneIndex } from '../../contracts/subjects.ts';
import { assignmentFileName, marksFileName } from '../state/file-names.ts';
import { syncFolder } from '../state/guard/identity-file.ts';
import type { Store } from '../state/store.ts';
import {
  assignmentsOf,
  isOwnMarksFile,
  marksOf,
  parseIncumbent,
  type Reject,
} from './incumbent-items.ts';
import { isImported, lastStatus, type IncumbentSummary, noteImport } from './incumbent-table.ts';

type IncumbentFile = {
  source: string;
  path: string;
  sha256: string;
  value: JsonValue | undefined;
  failure: string | null;
};

/** The outcome of one file: how many items were imported, and which were rejected. */
type Outcome = { imported: number; rejected: Reject[]; failure: string | null };

const doneName = 'legacy_imported';

/** Imports files that are new; returns one summary per file. Throws only what the store throws. */
export function importIncumbentFiles(store: Store, nowMs: number): IncumbentSummary[] {
  const marks = readFile(store, marksFileName);
  const isOldMarks = marks !== null && !(marks.value !== undefined && isOwnMarksFile(marks.value));
  // Our own assignment file has the same shape. The file is the incumbent's if this store has not
  // written one yet, if the incumbent's marks are beside it, or if its last import failed and an
  // operator repaired the file.
  const mayBeTheirs =
    store.meta(doneName) === undefined ||
    isOldMarks ||
    lastStatus(store.db, assignmentFileName) === 'failed';
  const assignment = mayBeTheirs ? readFile(store, assignmentFileName) : null;
  // The assignment first: while the incumbent's marks are still there, an interrupted start can
  // tell that the assignment is the incumbent's.
  const assigned = assignment ? take(store, assignment, nowMs, takeAssignments) : [];
  const summaries = [...(isOldMarks ? take(store, marks, nowMs, takeMarks) : []), ...assigned];
  if (store.meta(doneName) === undefined) store.setMeta(doneName, 'done');
  return summaries;
}

function readFile(store: Store, source: string): IncumbentFile | null {
  const path = join(store.dataDir, source);
  if (!existsSync(path)) return null;
  try {
    const { size } = statSync(path);
    if (size > limits.legacyBytesMax)
      return {
        source,
        path,
        sha256: `size ${size}`,
        value: undefined,
        failure: `the file has ${size} bytes, at most ${limits.legacyBytesMax}`,
      };
    const bytes = readFileSync(path);
    const parsed = parseIncumbent(bytes.toString('utf8'));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return 'failure' in parsed
      ? { source, path, sha256, value: undefined, failure: parsed.failure }
      : { source, path, sha256, value: parsed.value, failure: null };
  } catch (error) {
    return { source, path, sha256: 'unread', value: undefined, failure: messageOf(error) };
  }
}

function take(
  store: Store,
  file: IncumbentFile,
  nowMs: number,
  takeItems: (store: Store, value: JsonValue, nowMs: number) => Outcome,
): IncumbentSummary[] {
  if (isImported(store.db, file.source, file.sha256)) {
    // Imported before, and either the rename was interrupted or the file was put back: only rename
    // it.
    keepBeside(store, file.path, 'imported');
    return [];
  }
  const summary = store.db
    .transaction(() => {
      const outcome =
        file.value === undefined
          ? { imported: 0, rejected: [], failure: file.failure }
          : takeItems(store, file.value, nowMs);
      return noteImport(store.db, { source: file.source, sha256: file.sha256, nowMs, ...outcome });
    })
    .immediate();
  keepBeside(store, file.path, summary.Status === 'failed' ? 'unreadable' : 'imported');
  return [summary];
}

function takeMarks(store: Store, value: JsonValue, nowMs: number): Outcome {
  const { taken, rejected, failure } = marksOf(value, nowMs);
  const note = store.db.prepare(
    'insert into legacy_mark values (?, ?, ?) on conflict (lane, beacon) do update set at = excluded.at',
  );
  for (const { lane, beacon, at } of taken) note.run(laneIndex(lane), beacon, at);
  return { imported: taken.length, rejected, failure };
}

function takeAssignments(store: Store, value: JsonValue, nowMs: number): Outcome {
  const { taken, rejected, failure } = assignmentsOf(value);
  const assign = store.db.prepare(
    'insert into assignment (lane, beacon, connection, assigned_ms) values (?, ?, ?, ?) on conflict (lane) do nothing',
  );
  const kept = taken
    .filter(
      ({ lane, beacon, connection }) =>
        assign.run(laneIndex(lane), beacon, connection, nowMs).changes === 0,
    )
    .map((one): Reject => ({
      item: JSON.stringify(one),
      reason: 'the store already has an assignment',
    }));
  return { imported: taken.length - kept.length, rejected: [...rejected, ...kept], failure };
}

/** Our own file needs the name. The content stays as it is, byte for byte. */
function keepBeside(store: Store, path: string, as: 'imported' | 'unreadable'): void {
  let beside = `${path}.${as}`;
  for (let n = 2; existsSync(beside); n++) beside = `${path}.${as}-${n}`;
  renameSync(path, beside);
  syncFolder(store.dataDir);
}
