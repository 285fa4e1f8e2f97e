/** A thread that ends the process once its parent is gone, whatever the main thread is doing. */
import { workerData } from 'node:worker_threads';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../runtime/clock.ts';

// The parent's pid changes when a process is orphaned.
while (process.ppid === workerData) await systemClock.sleep(limits.parentLookMs);
process.kill(process.pid, 'SIGKILL');
