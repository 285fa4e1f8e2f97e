/**
 * Runs one foreign query on a read-only handle, in a thread of `query-child.ts`, which stops it
 * from outside.
 */
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { bounds } from '../../bounds.ts';
import type { QueryJob, QueryReply } from './query.ts';

function run({ path, sql, parameters, rowsMax }: QueryJob): QueryReply {
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: bounds.busyMs });
  db.pragma('query_only = ON');
  // Views of a foreign schema must not call functions with effects.
  db.pragma('trusted_schema = OFF');
  const statement = db.prepare(sql);
  if (!statement.readonly || !statement.reader)
    return {
      fault: {
        code: 'SQLITE_READONLY',
        message: 'the statement returns no rows, or changes something',
      },
    };
  const rows: Record<string, unknown>[] = [];
  let chars = 0;
  for (const row of statement.iterate(...parameters) as Iterable<Record<string, unknown>>) {
    for (const name in row)
      chars +=
        typeof row[name] === 'string' || row[name] instanceof Uint8Array ? row[name].length : 8;
    if (chars > bounds.answerBytesMax)
      return { tooLarge: `the rows are over ${bounds.answerBytesMax} bytes; ask for fewer` };
    rows.push(row);
    if (rows.length >= rowsMax) break;
  }
  return { rows };
}

function reply(job: QueryJob): QueryReply {
  try {
    return run(job);
  } catch (error) {
    const { message, code } = error as Error & { code?: unknown };
    return { fault: { code: typeof code === 'string' ? code : 'SQLITE_ERROR', message } };
  }
}

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a thread has no origin.
parentPort?.postMessage(reply(workerData as QueryJob));
