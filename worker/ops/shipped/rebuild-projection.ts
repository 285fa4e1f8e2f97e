/**
 * Lets what reads know be worked out again from the journal: the view's position goes back, and it catches up as it always does,
 * when a read needs it or the worker is idle, in steps.
 *
 * Where bodies were given up, what was learnt from them cannot be learnt again: those rows stay, and what the journal still has is put
 * over them. Events are one entry each, so they are always made anew.
 */
import { laneTables } from '../../../contracts/schema.ts';
import { type Lane, laneIndex } from '../../../contracts/subjects.ts';
import type { Connection } from '../../state/connection.ts';
import { lanesArg } from '../arguments.ts';
import { shippedOperation } from '../operation.ts';

export const rebuildProjection = shippedOperation({
  description: 'work out from the journal again what reads know of each row',
  args: { lane: 'queue or manifest, instead of both' },
  step: ({ db, args }) => {
    const notes = lanesArg(args).map((lane) => reset(db, lane));
    return { cursor: null, note: `${notes.join('; ')}; the next reads wait until the journal is gone through` };
  },
});

function reset(db: Connection, lane: Lane): string {
  const bareThrough = Number(db.prepare('select bare_through from lane where lane = ?').pluck().get(laneIndex(lane)));
  const tables = laneTables[lane].filter((table) => bareThrough === 0 || table === 'UVQueueWorkItemEvent');
  const forget = db.prepare('delete from projected where tbl = ?');
  const rows = tables.reduce((sum, table) => sum + forget.run(table).changes, 0);
  db.prepare('update projection set seq = ? where lane = ?').run(bareThrough, laneIndex(lane));
  return `${lane}: ${rows} rows to be learnt anew${bareThrough === 0 ? '' : `, the others kept, for bodies up to Seq ${bareThrough} are given up`}`;
}
