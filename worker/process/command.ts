/**
 * Runs a worker as a process: opens its store, joins the bus, serves until it is stopped, and
 * returns the exit code.
 */
import { messageOf, processExit, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { BusOptions } from '../../runtime/bus/bus-login.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLog, type Log } from '../../runtime/log.ts';
import { ServiceManager, type ServiceManagerPlace } from '../../runtime/service-manager.ts';
import { startWorker } from './compose.ts';
import { joinBus } from './opening/joining.ts';
import { stepDown } from './opening/stepping-down.ts';
import type { MaintenanceSettings } from '../upkeep/maintenance.ts';
import { openAsSoonAsPossible, type Opened, type OpeningSettings } from './opening/opening.ts';
import type { KeepBounds } from '../upkeep/keep-bounds.ts';
import type { CapacityBounds } from '../intake/pressure.ts';
import { saveIfLost, watchFiles } from './watch.ts';

export type WorkerConfig = OpeningSettings & {
  intake: 'none' | 'jetstream';
  bus: Omit<BusOptions, 'name'>;
  logLevel: string;
  /** Also accept beacons that announce themselves on the shared presence subject. */
  acceptsUnscoped: boolean;
  /** Serves the hub whoever served it before. */
  takesOver: boolean;
  /** Where a process that ends is only started again: stays up, not ready, as a later owner's. */
  staysWhenDeposed: boolean;
  bounds: CapacityBounds;
  keep: KeepBounds;
  ops: MaintenanceSettings;
  version: string;
  serviceManager: ServiceManagerPlace | null;
};

/**
 * Resolves with the exit code: 0 after an orderly stop, 1 when the store failed, 2 for a wrong
 * setting, 4 when another worker has the data directory or the hub, 5 when a newer version created it. SIGTERM
 * and SIGINT drain; a second signal ends the process at once.
 */
export async function runWorker(config: WorkerConfig): Promise<number> {
  const log = createLog('tidemark-worker', config.logLevel, config.serviceManager?.journal).child({
    hub: config.hub,
  });
  try {
    return await serve(config, log);
  } catch (error) {
    log.error({ reason: messageOf(error) }, 'worker ended');
    return exitCodeOf(error);
  }
}

async function serve(config: WorkerConfig, log: Log): Promise<number> {
  const stop = new AbortController();
  const manager = new ServiceManager(config.serviceManager, systemClock, log);
  stop.signal.addEventListener('abort', () => manager.stopping());
  manager.status('opening the journal');
  const release = onSignals(() => stop.abort());
  const opened = await openAsSoonAsPossible(config, log, stop.signal);
  if (!opened) return 0;
  try {
    await serveOver(opened, config, { stop, manager, log });
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'DEPOSED')
      return await stepDown(error, opened, {
        stays: config.staysWhenDeposed,
        stopped: untilAborted(stop.signal),
        log,
      });
    if (!saveIfLost(opened.local.store, error, log)) throw error;
    return 1;
  }
  release();
  return 0;
}

/**
 * Serves until stopped.
 * @throws the fault that ends the worker; the store is then still open
 */
async function serveOver(
  { local, findings, http, access }: Opened,
  config: WorkerConfig,
  { stop, manager, log }: { stop: AbortController; manager: ServiceManager; log: Log },
): Promise<void> {
  const fault = Promise.withResolvers<TidemarkError>();
  // Begins here, because the files may be lost while we wait for the bus.
  const stopWatching = watchFiles({
    store: local.store,
    clock: systemClock,
    log,
    onFault: fault.resolve,
  });
  const stopped = untilAborted(stop.signal);
  manager.status(`waiting for the bus at ${config.bus.servers}`);
  const bus = await joinBus(
    { ...config, local, http, access, log },
    Promise.race([stopped, fault.promise]),
  );
  if (bus instanceof TidemarkError) throw bus;
  if (bus === 'stop') {
    stopWatching();
    local.store.assertSameFiles();
    return local.store.close();
  }
  const worker = await startWorker(
    {
      hubId: config.hub,
      version: config.version,
      http,
      access,
      acceptsUnscoped: config.acceptsUnscoped,
      isOneWayOn: config.intake === 'jetstream',
      bounds: config.bounds,
      keep: config.keep,
      ops: config.ops,
    },
    {
      local,
      findings,
      bus,
      clock: systemClock,
      log,
      onDrain: () => stop.abort(),
      onFault: fault.resolve,
    },
  );
  manager.ready(worker.pulse);
  const ended = await Promise.race([stopped, fault.promise]);
  stopWatching();
  if (ended === 'stop') return worker.drain();
  worker.freeze(ended);
  // Give the last refusals, and requests for health, a moment to be answered.
  await Promise.all([
    Promise.race([bus.flush(), systemClock.sleep(limits.frozenFirstMs)]),
    systemClock.sleep(limits.frozenFirstMs),
  ]);
  if (ended.code === 'DEPOSED') await worker.leave();
  throw ended;
}

function untilAborted(signal: AbortSignal): Promise<'stop'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('stop');
    signal.addEventListener('abort', () => resolve('stop'), { once: true });
  });
}

function exitCodeOf(error: unknown): number {
  if (!(error instanceof TidemarkError)) return 1;
  return Object.hasOwn(processExit, error.code)
    ? processExit[error.code as keyof typeof processExit]
    : 1;
}

/**
 * The first signal calls `onFirst`, the second exits at once; that is safe, because accepted writes
 * are in the journal.
 */
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
