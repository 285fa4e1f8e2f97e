/**
 * Gives pages that retention made free back to the file system.
 *
 * A store that was made with auto_vacuum shrinks in steps. One made before it has to be written
 * anew as a whole, which SQLite refuses inside a transaction and which holds up writes for its
 * time, so that has to be asked for.
 */
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import type { Connection } from '../../state/connection.ts';
import { isArgSet } from '../arguments.ts';
import { shippedOperation } from '../operation.ts';

const incremental = 2;

export const compact = shippedOperation({
  description: 'give free pages of the store back to the file system',
  args: {
    full: 'yes: write the whole store anew, for stores made before version 2; writes wait meanwhile',
  },
  isOutside: true,
  step: ({ db, args }, cursor) => {
    const isFull = isArgSet(args, 'full');
    const mode = number(db, 'auto_vacuum');
    if (isFull) return rewrite(db);
    if (mode !== incremental) {
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `this store (${bytesOf(db)} bytes) was made without auto_vacuum and cannot shrink ` +
          'in steps; full=yes writes it anew once, best while no worker runs',
      );
    }
    const before = number(db, 'freelist_count');
    // The pragma frees a page each time it is stepped, so it has to be read to its end.
    db.pragma(`incremental_vacuum(${limits.compactStepPages})`);
    const free = number(db, 'freelist_count');
    const given = Number(cursor ?? 0) + before - free;
    return free === 0 || free === before
      ? { cursor: null, note: `${given} pages given back` }
      : { cursor: String(given) };
  },
});

function rewrite(db: Connection): { cursor: null; note: string } {
  const before = bytesOf(db);
  db.pragma('auto_vacuum = incremental');
  db.exec('vacuum');
  return { cursor: null, note: `written anew: ${before} bytes before, ${bytesOf(db)} after` };
}

function bytesOf(db: Connection): number {
  return number(db, 'page_count') * number(db, 'page_size');
}

function number(db: Connection, pragma: string): number {
  return Number(db.pragma(pragma, { simple: true }));
}
