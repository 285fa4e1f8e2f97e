/**
 * Rebuilds the view that reads use from the journal. Rows are deleted in steps, and each step also
 * resets the view's position. The view then catches up as usual, when a read needs it or the worker
 * is idle. A read that begins in between is right; one already running may lack writes that are not
 * delivered yet.
 *
 * Where entries were stripped, the rows built from them cannot be rebuilt. Those rows stay, and the
 * remaining entries are applied over them. Each event is one entry, so events are always rebuilt.
 */
import { limits } from '../../../contracts/limits.ts';
import { laneTables } from '../../../contracts/schema.ts';
import { type Lane, laneIndex } from '../../../contracts/subjects.ts';
import type { Connection } from '../../state/connection.ts';
import { lanesArg } from '../arguments.ts';
import { type OperationContext, shippedOperation, type Step } from '../operation.ts';

/** The last row deleted, and how many so far. */
type Position = { table: string; key: string; sub: string; rows: number };

export const rebuildProjection = shippedOperation({
  description: 'rebuild the view that reads use from the journal',
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
        `; rows of ${lane} are kept, because entries up to Seq ${strippedThrough(db, lane)} are stripped`,
    );
  return {
    cursor: null,
    note:
      `${position.rows} rows will be rebuilt${kept.join('')}; the next reads wait until ` +
      'that is done',
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

/** Deletes the next rows of a table; null when there are none after the position. */
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
