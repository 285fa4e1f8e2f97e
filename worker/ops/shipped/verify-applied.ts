/**
 * Compares the newest entries the assigned database should have with its rows, and sends missing
 * ones again.
 */
import { limits } from '../../../contracts/limits.ts';
import { type Lane, laneIndex } from '../../../contracts/subjects.ts';
import { BlockedStore } from '../../../hwm/blocked-store.ts';
import { assignedMark, type MarkRow } from '../../../hwm/mark-row.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import { Journal } from '../../journal/journal.ts';
import type { Connection } from '../../state/connection.ts';
import { countArg, isArgSet, lanesArg } from '../arguments.ts';
import {
  type OperationContext,
  type PrepareContext,
  shippedOperation,
  type Step,
} from '../operation.ts';
import { checkRow, type Finding } from './row-check.ts';

/** Progress: the lane, the last Seq checked, the mark at the start, and the findings so far. */
type Position = {
  lane: Lane;
  seq: number;
  through: number;
  checked: number;
  missing: number;
  older: number;
  changed: number;
  again: number;
};

/** What `prepare` found outside the transaction. */
type Look = {
  database: number;
  through: number;
  entries: number;
  lastSeq: number | null;
  findings: Finding[];
  again: Place[];
};

type Place = { seq: number; key: string };

const parallel = 16;

export const verifyApplied = shippedOperation({
  description: 'compare the last applied entries with the rows of the database',
  uses: ['backend'],
  args: {
    last: 'how many of the newest entries of each lane to check',
    repair: 'yes: send missing and older rows again',
    lane: 'queue or manifest, instead of both',
  },
  prepare: (context, cursor) => look(context, positionOf(context, cursor)),
  step: (context, cursor) =>
    step(context, positionOf(context, cursor), context.prepared as Look | null),
});

function positionOf(
  { args }: { args: Readonly<Record<string, string>> },
  cursor: string | null,
): Position {
  if (cursor !== null) return JSON.parse(cursor) as Position;
  return {
    lane: lanesArg(args)[0] ?? 'queue',
    seq: 0,
    through: 0,
    checked: 0,
    missing: 0,
    older: 0,
    changed: 0,
    again: 0,
  };
}

/** The assigned database's mark; null while the lane is unassigned. */
function markOf(db: Connection, lane: Lane): MarkRow | null {
  return db.prepare<[number], MarkRow>(assignedMark()).get(laneIndex(lane)) ?? null;
}

/** The Seq just before the last `count` entries up to a mark. */
function startOf(db: Connection, lane: Lane, markSeq: number, count: number): number {
  const first = db
    .prepare(`select seq from ${lane}_entry where seq <= ? order by seq desc limit 1 offset ?`)
    .pluck()
    .get(markSeq, count - 1) as number | undefined;
  return first === undefined ? 0 : first - 1;
}

async function look(
  { db, hubId, args, backend }: PrepareContext,
  position: Position,
): Promise<Look | null> {
  const { lane, seq } = position;
  const mark = markOf(db, lane);
  if (!mark) return null;
  // Stop at the first mark: on a busy worker, following new deliveries would never end.
  const through = position.through || mark.seq;
  const from =
    seq || startOf(db, lane, through, countArg(args, 'last', 1, limits.verifyEntriesDefault));
  const isRepair = isArgSet(args, 'repair');
  const entries = new Journal(db, hubId)
    .readAfter(lane, from, limits.verifyStepEntries, limits.deliverBytesMax)
    .filter((entry) => entry.seq <= through);
  const blocked = new BlockedStore(db);
  const due = entries.filter((entry) => blocked.get(mark.database, entry.seq) === null);
  const findings: Finding[] = [];
  for (let at = 0; at < due.length; at += parallel) {
    const found = await Promise.all(
      due.slice(at, at + parallel).map((entry) => checkRow(entry, lane, backend)),
    );
    findings.push(...found.filter((one) => one !== null));
  }
  const again = isRepair
    ? await allOf(
        db,
        lane,
        new Set(findings.filter((one) => one.kind !== 'changed').map((one) => one.entry.key)),
        mark.seq,
      )
    : [];
  return {
    database: mark.database,
    through,
    entries: due.length,
    lastSeq: entries.at(-1)?.seq ?? null,
    findings,
    again,
  };
}

/**
 * All writes of some keys, in order. A row is the sum of all of them, and the database ignores
 * those it already has.
 */
async function allOf(
  db: Connection,
  lane: Lane,
  keys: ReadonlySet<string>,
  markSeq: number,
): Promise<Place[]> {
  const places: Place[] = [];
  if (keys.size === 0) return places;
  const slice = db.prepare(
    `select seq, key from ${lane}_entry where seq > ? and seq <= ? order by seq limit ?`,
  );
  for (let after = 0; ;) {
    const read = slice.all(after, markSeq, limits.retentionStepEntries) as Place[];
    places.push(...read.filter((place) => keys.has(place.key)));
    const last = read.at(-1);
    if (!last) return places;
    after = last.seq;
    await nextTurn();
  }
}

function step(
  { db, nowMs, args, say }: OperationContext,
  position: Position,
  seen: Look | null,
): Step {
  const { lane } = position;
  if (!seen) say(`${lane}: no database is assigned`);
  const findings = seen?.findings ?? [];
  for (const { kind, what } of findings) say(`${kind}: ${what}`);
  const count = (kind: Finding['kind']) => findings.filter((one) => one.kind === kind).length;
  // If the lane was re-assigned meanwhile, the findings are about another database.
  const isSameDatabase = seen !== null && markOf(db, lane)?.database === seen.database;
  const again = isSameDatabase
    ? new BlockedStore(db).sendAgain(seen.database, lane, seen.again, nowMs)
    : 0;
  const next: Position = {
    lane,
    seq: seen?.lastSeq ?? 0,
    through: seen?.through ?? 0,
    checked: position.checked + (seen?.entries ?? 0),
    missing: position.missing + count('missing'),
    older: position.older + count('older'),
    changed: position.changed + count('changed'),
    again: position.again + again,
  };
  if (seen?.lastSeq) return { cursor: JSON.stringify(next) };
  const wanted = lanesArg(args);
  const nextLane = wanted[wanted.indexOf(lane) + 1];
  return nextLane
    ? { cursor: JSON.stringify({ ...next, lane: nextLane, seq: 0, through: 0 }) }
    : { cursor: null, note: summaryOf(next) };
}

function summaryOf({ checked, missing, older, changed, again }: Position): string {
  const bad = missing + older + changed;
  if (bad === 0) return `${checked} entries checked, all are in the database`;
  return (
    `${checked} entries checked: ${missing} missing, ${older} older, ${changed} changed ` +
    `under the same BridgeSeq; ${again} sent again`
  );
}
