/**
 * Ties a child process to the `up` or `demo` that started it: a killed parent must not leave
 * children on its data.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

/**
 * Leaves at once when the parent is gone. What was accepted is on disk, so nothing is lost by it.
 */
export function exitWithParent(): void {
  const leave = () => process.exit(137);
  // Read first: should it die in between, the channel below is closed.
  const parent = process.ppid;
  if (process.channel === undefined || !process.connected) return leave();
  process.once('disconnect', leave);
  // Listening for its end must not keep a finished command alive.
  process.channel.unref();
  watchFromThread(parent);
}

/** A process that hangs hears of no closed channel; a thread of its own still runs. */
function watchFromThread(parent: number): void {
  const entry = new URL(`parent-watch${extname(import.meta.url)}`, import.meta.url);
  const thread = new Worker(entry, {
    workerData: parent,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  });
  thread.unref();
  // Without it the closed channel still ends a process that is not hung.
  thread.once('error', () => undefined);
}
