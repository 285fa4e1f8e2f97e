/**
 * Lets what reads know be worked out again from the journal: rows are forgotten in steps, each of
 * which puts the view's position back. The view then catches up as it always does, when a read
 * needs it or the worker is idle, so a read that begins in between is right; one under way may
 * answer without what is not delivered yet.
 *
 * Where bodies were given up, what was learnt from them cannot be learnt again: those rows stay,
 * and what the journal still has is put over them. Events are one entry each, so they are always
 * made anew.
 */
import { limits } from '../../../contracts/limits.ts';
import { laneTables } from '../../../contracts/schema.ts';
import { type Lane, laneIndex } from '../../../contracts/subjects.ts';
import type { Connection } from '../../state/connection.ts';
import { lanesArg } from '../arguments.ts';
import { type OperationContext, shippedOperation, type Step } from '../operation.ts';

/** The last row that was forgotten, and how many were. */
type Position = { table: string; key: string; sub: string; rows: number };

export const rebuildProjection = shippedOperation({
  description: 'work out from the journal again what reads know of each row',
  args: { lane: 'queue or manifest, instead of both' },
  step,
});

function step({ db, args }: OperationContext, cursor: string | null): Step {
  const wanted = lanesArg(args);
  const tables = wanted.flatMap((lane) => forgettable(db, lane));
  const position: Position =
    cursor === null
      ? { table: tables[0] ?? '', key: '', sub: '', rows: 0 }
      : (JSON.parse(cursor) as Position);
  for (const lane of wanted)
    db.prepare('update projection set seq = ? where lane = ?').run(
      strippedThrough(db, lane),
      laneIndex(lane),
    );
  const last = forget(db, position);
  if (last) return { cursor: JSON.stringify(last) };
  const next = tables[tables.indexOf(position.table) + 1];
  if (next !== undefined)
    return { cursor: JSON.stringify({ table: next, key: '', sub: '', rows: position.rows }) };
  const kept = wanted
    .filter((lane) => strippedThrough(db, lane) > 0)
    .map(
      (lane) =>
        `; rows of ${lane} are kept, for bodies up to Seq ${strippedThrough(db, lane)} are given up`,
    );
  return {
    cursor: null,
    note:
      `${position.rows} rows are learnt anew${kept.join('')}; the next reads wait until ` +
      'the journal is gone through',
  };
}

function strippedThrough(db: Connection, lane: Lane): number {
  return Number(
    db.prepare('select bare_through from lane where lane = ?').pluck().get(laneIndex(lane)),
  );
}

function forgettable(db: Connection, lane: Lane): string[] {
  return laneTables[lane].filter(
    (table) => table === 'UVQueueWorkItemEvent' || strippedThrough(db, lane) === 0,
  );
}

/** Forgets the next rows of a table; null when there are none behind the position. */
function forget(db: Connection, { table, key, sub, rows }: Position): Position | null {
  const found = db
    .prepare(
      'select key, sub from projected where tbl = ? and (key, sub) > (?, ?) order by key, sub limit ?',
    )
    .all(table, key, sub, limits.rebuildStepRows) as { key: string; sub: string }[];
  const last = found.at(-1);
  if (!last) return null;
  db.prepare(
    'delete from projected where tbl = ? and (key, sub) > (?, ?) and (key, sub) <= (?, ?)',
  ).run(table, key, sub, last.key, last.sub);
  return { table, ...last, rows: rows + found.length };
}
