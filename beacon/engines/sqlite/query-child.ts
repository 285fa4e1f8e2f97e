/**
 * Process of one foreign query: a thread runs it, while this one watches memory and exits with the
 * parent. SQLite cannot be interrupted from JavaScript, so a runaway query is stopped by ending the
 * process, which only reads.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../../runtime/clock.ts';
import { bounds } from '../../bounds.ts';
import type { QueryJob, QueryReply } from './query.ts';

function leave(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('killed');
}

function answer(reply: QueryReply): void {
  process.send?.(reply, () => leave());
}

process.once('disconnect', leave);
process.once('message', (job: QueryJob) => {
  const worker = new Worker(new URL(`query-thread${extname(import.meta.url)}`, import.meta.url), {
    workerData: job,
    execArgv: [],
  });
  let isLarge = false;
  systemClock.every(bounds.queryLookMs, () => {
    if (isLarge || process.memoryUsage.rss() < bounds.queryMemoryBytesMax) return;
    isLarge = true;
    answer({ tooLarge: `the query takes more than ${bounds.queryMemoryBytesMax} bytes of memory` });
  });
  worker.once('message', answer);
  worker.once('error', (error) =>
    answer({ fault: { code: 'SQLITE_ERROR', message: error.message } }),
  );
});
