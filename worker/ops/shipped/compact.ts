/**
 * Returns free pages of the store to the file system.
 *
 * A store created with auto_vacuum shrinks in steps. An older one must be rewritten as a whole.
 * SQLite refuses that inside a transaction and it blocks writes meanwhile, so it must be requested.
 */
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import type { Connection } from '../../state/connection.ts';
import { isArgSet } from '../arguments.ts';
import { shippedOperation } from '../operation.ts';

const incremental = 2;

export const compact = shippedOperation({
  description: 'return free pages of the store to the file system',
  args: {
    full: 'yes: rewrite the whole store, for stores created before version 2; writes wait meanwhile',
  },
  isOutside: true,
  step: ({ db, args }, cursor) => {
    const isFull = isArgSet(args, 'full');
    const mode = number(db, 'auto_vacuum');
    if (isFull) return rewrite(db);
    if (mode !== incremental) {
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `this store (${bytesOf(db)} bytes) was created without auto_vacuum and cannot shrink ` +
          'in steps; full=yes rewrites it once, best while no worker runs',
      );
    }
    const before = number(db, 'freelist_count');
    // The pragma frees one page per row it returns, so all rows must be read.
    db.pragma(`incremental_vacuum(${limits.compactStepPages})`);
    const free = number(db, 'freelist_count');
    const given = Number(cursor ?? 0) + before - free;
    return free === 0 || free === before
      ? { cursor: null, note: `${given} pages returned` }
      : { cursor: String(given) };
  },
});

function rewrite(db: Connection): { cursor: null; note: string } {
  const before = bytesOf(db);
  db.pragma('auto_vacuum = incremental');
  db.exec('vacuum');
  return { cursor: null, note: `rewritten: ${before} bytes before, ${bytesOf(db)} after` };
}

function bytesOf(db: Connection): number {
  return number(db, 'page_count') * number(db, 'page_size');
}

function number(db: Connection, pragma: string): number {
  return Number(db.pragma(pragma, { simple: true }));
}
