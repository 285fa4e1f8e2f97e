/** Thread that ends its process once the parent is gone, whatever the main thread is doing. */
import { workerData } from 'node:worker_threads';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../runtime/clock.ts';

// An orphan is given to another parent.
while (process.ppid === workerData) await systemClock.sleep(limits.parentLookMs);
process.kill(process.pid, 'SIGKILL');
