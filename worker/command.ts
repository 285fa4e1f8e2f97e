/** Runs a worker as a process: opens its store, joins the bus, serves until told to stop, and says how it ended. */
import { messageOf, processExit, TidemarkError } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';
import { Bus, type BusOptions } from '../runtime/bus.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLog, type Log } from '../runtime/log.ts';
import { startWorker } from './compose.ts';
import { openWhenPossible } from './frozen.ts';
import { decodeAddress } from './http.ts';
import { openLocal } from './local.ts';
import type { MaintenanceSettings } from './maintenance.ts';
import type { CapacityBounds } from './pressure.ts';
import type { Finding } from './state/finding.ts';
import { openStore } from './state/open-store.ts';
import { rescue } from './state/rescue.ts';
import { classOf } from './state/storage-error.ts';
import type { Store } from './state/store.ts';
import { tokenIn } from './token.ts';
import { watchFiles } from './watchdog.ts';

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
  const stop = new AbortController();
  const release = onSignals(() => stop.abort());
  const findings: Finding[] = [];
  const tell = (finding: Finding) => {
    log.error({ class: finding.Class, detail: finding.Detail }, finding.What);
    findings.push(finding);
  };
  const local = await openWhenPossible(() => openLocal(openStore(config.data, tell), config.hub), { http, clock: systemClock, log, signal: stop.signal });
  if (!local) return 0;
  const fault = Promise.withResolvers<TidemarkError>();
  // From here on: a store may be lost while the bus is still waited for.
  const stopWatching = watchFiles({ store: local.store, clock: systemClock, log, onFault: fault.resolve });
  const stopped = untilAborted(stop.signal);
  const connecting = Bus.connect({ ...config.bus, name: `tidemark-worker ${config.hub}` }, log);
  const bus = await Promise.race([connecting, stopped, fault.promise]);
  if (bus instanceof TidemarkError) return saveAndLeave(local.store, bus, log);
  if (bus === 'stop') {
    stopWatching();
    local.store.close();
    return 0;
  }
  const worker = await startWorker({
    hubId: config.hub, version: config.version, http, token: config.token ?? tokenIn(config.data), isOneWayOn: config.intake === 'jetstream', bounds: config.bounds,
    ops: config.ops,
  }, { local, findings, bus, clock: systemClock, log, onDrain: () => stop.abort(), onFault: fault.resolve });
  const ended = await Promise.race([stopped, fault.promise]);
  if (ended instanceof TidemarkError) {
    worker.freeze(ended);
    // The refusals of the last batch are on their way, and somebody may ask for health: they get a moment.
    await Promise.all([Promise.race([bus.flush(), systemClock.sleep(limits.frozenFirstMs)]), systemClock.sleep(limits.frozenFirstMs)]);
    return saveAndLeave(local.store, ended, log);
  }
  stopWatching();
  await worker.drain();
  release();
  return 0;
}

/** The end of a worker whose files are not its own any more. */
function saveAndLeave(store: Store, fault: TidemarkError, log: Log): number {
  log.error({ reason: fault.message }, 'the local store failed; saving what it holds');
  const { folder, note } = rescue(store, { class: classOf(fault), what: fault.message }, systemClock.nowMs());
  log.error({ folder, kind: note.Kind, entries: note.Entries, lost: note.Lost }, 'saved; ending, so that a fresh process puts it together');
  return 1;
}

function untilAborted(signal: AbortSignal): Promise<'stop'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('stop');
    signal.addEventListener('abort', () => resolve('stop'), { once: true });
  });
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
