/** Runs a worker as a process: opens its store, joins the bus, serves until told to stop, and says how it ended. */
import { messageOf, processExit, TidemarkError } from '../contracts/errors.ts';
import { Bus, type BusOptions } from '../runtime/bus.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLog, type Log } from '../runtime/log.ts';
import { startWorker } from './compose.ts';
import { decodeAddress } from './http.ts';
import { openLocal } from './local.ts';
import type { MaintenanceSettings } from './maintenance.ts';
import type { CapacityBounds } from './pressure.ts';
import { openStore } from './state/open-store.ts';
import { tokenIn } from './token.ts';

export type WorkerConfig = {
  hub: string;
  /** Data directory. */
  data: string;
  /** host:port of the operators' HTTP; port 0 takes a free one. */
  http: string;
  token: string | null;
  intake: 'none' | 'jetstream';
  bus: Omit<BusOptions, 'name'>;
  logLevel: string;
  bounds: CapacityBounds;
  ops: MaintenanceSettings;
  version: string;
};

/**
 * Resolves with the exit code: 0 after an orderly stop, 1 when the store failed, 2 for a wrong setting, 4 when another worker has the
 * data directory, 5 when a newer program made it. SIGTERM and SIGINT drain; a second one leaves at once.
 */
export async function runWorker(config: WorkerConfig): Promise<number> {
  const log = createLog('tidemark-worker', config.logLevel).child({ hub: config.hub });
  try {
    return await serve(config, log);
  } catch (error) {
    log.error({ reason: messageOf(error) }, 'worker ended');
    return exitCodeOf(error);
  }
}

async function serve(config: WorkerConfig, log: Log): Promise<number> {
  const http = decodeAddress(config.http, config.token !== null);
  const store = openStore(config.data);
  const local = openLocal(store, config.hub);
  const stop = Promise.withResolvers<'stop'>();
  const release = onSignals(() => stop.resolve('stop'));
  const connecting = Bus.connect({ ...config.bus, name: `tidemark-worker ${config.hub}` }, log);
  const bus = await Promise.race([connecting, stop.promise]);
  if (bus === 'stop') {
    store.close();
    return 0;
  }
  const worker = await startWorker({
    hubId: config.hub, version: config.version, http, token: config.token ?? tokenIn(config.data), isOneWayOn: config.intake === 'jetstream', bounds: config.bounds,
    ops: config.ops,
  }, { local, bus, clock: systemClock, log, onDrain: () => stop.resolve('stop') });
  const ended = await Promise.race([stop.promise, worker.fault]);
  if (ended instanceof TidemarkError) {
    log.error({ reason: ended.message }, 'the local store failed; ending, so that a fresh process looks at it');
    // The refusals of the last batch are on their way; they get a moment to leave.
    await Promise.race([bus.flush(), systemClock.sleep(500)]);
    return 1;
  }
  await worker.drain();
  release();
  return 0;
}

function exitCodeOf(error: unknown): number {
  if (!(error instanceof TidemarkError)) return 1;
  return Object.hasOwn(processExit, error.code) ? processExit[error.code as keyof typeof processExit] : 1;
}

/** First signal: `onFirst`. Second: out, at once; safe, for accepted means journalled. */
function onSignals(onFirst: () => void): () => void {
  let count = 0;
  const onSignal = () => {
    count += 1;
    if (count > 1) process.exit(1);
    onFirst();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return () => {
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
  };
}
