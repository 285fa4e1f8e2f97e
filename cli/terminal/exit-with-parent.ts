/**
 * Ties a child process to the `up` or `demo` that started it: if the parent is killed, no child may
 * stay on its data.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

/** Exits at once when the parent is gone. Accepted writes are on disk, so nothing is lost. */
export function exitWithParent(): void {
  const leave = () => process.exit(137);
  // Read before the check below: if the parent dies in between, the channel is closed.
  const parent = process.ppid;
  if (process.channel === undefined || !process.connected) return leave();
  process.once('disconnect', leave);
  // Listening for the disconnect must not keep a finished command alive.
  process.channel.unref();
  watchFromThread(parent);
}

/** A hung event loop does not see the closed channel; a separate thread still runs. */
function watchFromThread(parent: number): void {
  const entry = new URL(`parent-watch${extname(import.meta.url)}`, import.meta.url);
  const thread = new Worker(entry, {
    workerData: parent,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  });
  thread.unref();
  // Without the thread, the closed channel still ends a process that does not hang.
  thread.once('error', () => undefined);
}
