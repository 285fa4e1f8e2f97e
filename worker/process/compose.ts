/** Puts a worker together, starts it, and takes it down again in reverse; decides nothing else. */
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { lanes } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { type Clock, isoOf, newUuid } from '../../runtime/clock.ts';
import type { HttpSettings } from '../../runtime/http/http-access.ts';
import type { HttpListener } from '../../runtime/http/http-listener.ts';
import type { Log } from '../../runtime/log.ts';
import type { MicroService } from '../../runtime/bus/micro-service.ts';
import { Announcer } from '../operators/announcer.ts';
import { ChangePublisher } from '../upkeep/change-publisher.ts';
import { Drill } from '../operators/drill.ts';
import { Housekeeping } from '../upkeep/housekeeping.ts';
import { listen } from '../http/server.ts';
import { Inbound } from './inbound.ts';
import { Lab } from '../operators/lab.ts';
import { importIncumbentFiles } from '../incumbent/incumbent-import.ts';
import { incumbentSummaries } from '../incumbent/incumbent-table.ts';
import type { Local } from '../journal/local.ts';
import { localHealth } from './local-health.ts';
import { Maintenance, type MaintenanceSettings } from '../upkeep/maintenance.ts';
import { MarkMover } from '../operators/mark-mover.ts';
import { Metrics } from '../metrics/metrics.ts';
import { Meter } from '../metrics/meter.ts';
import { Mirrors } from './mirrors.ts';
import { Outbound } from './outbound.ts';
import { Overview } from '../operators/overview.ts';
import type { CapacityBounds } from '../intake/pressure.ts';
import { pulseOf } from './pulse.ts';
import { classOf } from '../state/guard/storage-error.ts';
import type { Finding } from '../state/guard/finding.ts';
import type { Store } from '../state/store.ts';
import { WatchDesk } from './watch-desk.ts';

export type WorkerSettings = {
  hubId: string;
  version: string;
  http: { host: string; port: number };
  /** Tokens, names and certificate of its HTTP. */
  access: HttpSettings;
  isOneWayOn: boolean;
  bounds?: CapacityBounds;
  ops: MaintenanceSettings;
};

export type RunningWorker = {
  httpUrl: string;
  /** Finishes what was taken, settles what is in flight, closes. Twice is the same promise. */
  drain(): Promise<void>;
  /**
   * Nothing is answered, delivered or written any more, but health, which names the fault; for a
   * process that is about to end.
   */
  freeze(fault: TidemarkError): void;
  /** One line on how things are, while a write can be committed; null when it cannot. */
  pulse: () => string | null;
};

export type WorkerOptions = {
  local: Local;
  bus: Bus;
  clock: Clock;
  log: Log;
  /** What the start found wrong with the files, to be told once the bus is there. */
  findings?: readonly Finding[];
  /** An operator's wish that the process end. */
  onDrain: () => void;
  /** The local store can no longer be trusted: freeze, rescue, end. */
  onFault: (error: TidemarkError) => void;
};

/** Starts a worker over its open local state and a bus. */
export async function startWorker(
  settings: WorkerSettings,
  parts: WorkerOptions,
): Promise<RunningWorker> {
  const { bus, clock, log } = parts;
  const { store } = parts.local;
  const { hubId, version } = settings;
  // Assignments are read when the parts are made, so the incumbent's come first.
  const imported = importIncumbentFiles(store, clock.nowMs());
  if (imported.length > 0) log.info({ imported }, 'files of the incumbent were looked at');
  const {
    announcer,
    changes,
    outbound,
    overview,
    drill,
    mirrors,
    maintenance,
    inbound,
    metrics,
    housekeeping,
    desk,
  } = assemble(settings, parts);
  let fault: TidemarkError | null = null;

  await maintenance.beforeIntake();
  const nonce = newUuid();
  const lab = new Lab({ workers: desk.workers, clock, beacons: () => outbound.directory.list() });
  const http = await listen(settings.http, {
    ...desk.routes(),
    control: inbound.control,
    metrics,
    lab,
    version,
    settings: settings.access,
    operators: inbound.control.operators,
    beacons: () => outbound.directory.list(),
    unready: () => inbound.unready(),
    health: () => ({
      Nonce: nonce,
      Pid: process.pid,
      At: isoOf(clock.nowMs()),
      ...facts(() => ({ Ready: inbound.unready() === null, Reason: inbound.unready() })),
      ...facts(() => overview.status()),
      ...facts(() => ({ Ops: maintenance.summary(), Legacy: incumbentSummaries(store.db) })),
      ...localHealth({
        store,
        fault,
        lastCommitMs: inbound.intake.lastCommitMs,
        capacity: housekeeping.pressure.capacity(),
        nowMs: clock.nowMs(),
      }),
    }),
  });
  await mirrors.write();
  outbound.start();
  lab.start();
  const service = bus.serve({
    name: 'tidemark-worker',
    version,
    description: 'store-and-forward persistence bridge',
    metadata: { hub: hubId, Console: desk.consoleUrl(http.url) },
    endpoints: inbound.endpoints(),
  });
  inbound.start();
  maintenance.start();
  housekeeping.start();
  changes.start();
  desk.start();
  announcer.incumbentFiles(imported);
  announcer.findings(parts.findings ?? []);
  log.info({ data: store.dataDir, http: http.url, store: store.storeId }, 'worker is up');

  let draining: Promise<void> | null = null;
  const freeze = (error: TidemarkError) => {
    fault = error;
    inbound.intake.freeze(error);
    housekeeping.stop();
    desk.stop();
    void changes.stop();
    void maintenance.stop();
    drill.cancel();
    outbound.freeze();
    announcer.fault(error.message, classOf(error));
  };
  const pulse = pulseOf({
    store,
    clock,
    intake: inbound.intake,
    summary: () =>
      fault
        ? fault.message
        : `${overview.status().State}, ${overview.pending('queue') + overview.pending('manifest')} pending`,
  });
  return {
    httpUrl: http.url,
    freeze,
    pulse,
    drain: () =>
      (draining ??= withDeadline(
        takeDown({
          drill,
          maintenance,
          housekeeping,
          desk,
          changes,
          service,
          inbound,
          outbound,
          mirrors,
          bus,
          http,
          store,
          log,
        }),
        clock,
        limits.drainMs,
      )),
  };
}

/** Makes everything and connects it; nothing runs yet. */
function assemble(settings: WorkerSettings, parts: WorkerOptions) {
  const { local, bus, clock, log } = parts;
  const { store } = local;
  const { hubId, version } = settings;
  const announcer = new Announcer(bus, hubId, clock);
  const meter = new Meter();
  const changes = new ChangePublisher({ store, bus, hubId, clock, log });
  const changed = () => {
    changes.touch();
    mirrors.touch();
    desk.live.touch();
  };

  const outbound: Outbound = new Outbound({
    hubId,
    bus,
    local,
    clock,
    log,
    meter,
    onSettled: (lane) => {
      inbound.applied.check(lane);
      changed();
    },
    onChange: () => {
      announcer.state(overview.status());
      changed();
    },
    onFault: (message) => told(message, { log, announcer, meter }),
    onFull: () => housekeeping.pressure.full(),
    isOut: () => housekeeping.pressure.isOut,
    onStoreFault: parts.onFault,
  });
  const { drill, markMover } = byHand(outbound, parts, version, changed);
  const overview: Overview = new Overview({
    hubId,
    version,
    ...local,
    assignments: outbound.assignments,
    deliveries: outbound.deliveries,
    clock,
    isPaused: () => outbound.isPaused,
    drill: () => drill.view(),
    capacity: () => housekeeping.pressure.capacity(),
    bus: () => ({ Connected: bus.isConnected, Server: bus.server, Reconnects: bus.reconnects }),
  });
  const housekeeping = new Housekeeping({
    local,
    assignments: outbound.assignments,
    clock,
    log,
    bounds: settings.bounds,
    pending: () => overview.pending('queue') + overview.pending('manifest'),
    onPressure: (...told) => {
      announcer.pressure(...told);
      desk.live.touch();
    },
    onFault: parts.onFault,
    onRescued: (findings) => {
      for (const { Class, Detail, What } of findings)
        log.warn({ class: Class, detail: Detail }, What);
      announcer.findings(findings);
      lanes.forEach(changed);
      outbound.wakeAll();
    },
  });
  const mirrors: Mirrors = new Mirrors(
    store.dataDir,
    {
      marks: () => overview.marksFile(),
      assignment: () => outbound.assignments.file(),
      identity: () => store.note(),
    },
    clock,
    log,
  );
  const maintenance = new Maintenance(settings.ops, {
    store,
    hubId,
    version,
    clock,
    log,
    backend: (lane, query) => outbound.view(lane).fromBackend(query),
    wake: () => outbound.wakeAll(),
  });
  const inbound: Inbound = new Inbound({
    ops: (body) => maintenance.control.handle(body),
    hubId,
    bus,
    local,
    outbound,
    overview,
    pressure: housekeeping.pressure,
    markMover,
    drill,
    clock,
    log,
    meter,
    isOneWayOn: settings.isOneWayOn,
    onDrain: parts.onDrain,
    onAccepted: (lane) => {
      outbound.wake(lane);
      changed();
    },
    onFault: parts.onFault,
  });
  const desk: WatchDesk = new WatchDesk({ hubId, bus, local, outbound, overview, clock, log });
  const metrics = new Metrics(meter, {
    overview,
    local,
    clock,
    version,
    capacity: () => housekeeping.pressure.capacity(),
    process: () => ({ waiting: inbound.intake.waiting, isBusConnected: bus.isConnected }),
  });
  return {
    announcer,
    changes,
    outbound,
    overview,
    drill,
    mirrors,
    maintenance,
    inbound,
    metrics,
    housekeeping,
    desk,
  };
}

/** What operators do to delivery by hand. */
function byHand(
  outbound: Outbound,
  { local, clock, log }: WorkerOptions,
  version: string,
  changed: () => void,
) {
  const { directory, assignments, deliveries } = outbound;
  const isPaused = () => outbound.isPaused;
  const drill = new Drill({
    directory,
    assignments,
    deliveries,
    journal: local.journal,
    clock,
    log,
    isPaused,
  });
  const markMover = new MarkMover({
    local,
    deliveries,
    clock,
    version,
    isPaused,
    isBusy: (lane) => outbound.isBusy(lane),
    onMoved: (moved) => {
      log.warn({ moved }, 'marks were moved by hand');
      changed();
    },
  });
  return { drill, markMover };
}

/** What an operator must hear of. */
function told(
  message: string,
  { log, announcer, meter }: { log: Log; announcer: Announcer; meter: Meter },
): void {
  log.error({}, message);
  announcer.fault(message);
  meter.fault();
}

type Parts = {
  drill: Drill;
  maintenance: Maintenance;
  housekeeping: Housekeeping;
  desk: WatchDesk;
  changes: ChangePublisher;
  service: MicroService;
  inbound: Inbound;
  outbound: Outbound;
  mirrors: Mirrors;
  bus: Bus;
  http: HttpListener;
  store: Store;
  log: Log;
};

/** In reverse: take nothing new, finish what was taken, settle what is in flight, close. */
async function takeDown({
  drill,
  maintenance,
  housekeeping,
  desk,
  changes,
  service,
  inbound,
  outbound,
  mirrors,
  bus,
  http,
  store,
  log,
}: Parts): Promise<void> {
  housekeeping.stop();
  desk.stop();
  await maintenance.stop();
  await service.stop();
  await inbound.drain();
  drill.cancel();
  await outbound.stop();
  await mirrors.close();
  await changes.stop();
  await bus.drain();
  await http.close();
  // A close leaves files alone that are not ours; what only the handle still has is to be saved
  // first.
  store.assertSameFiles();
  store.close();
  log.info({}, 'worker is down, everything taken is on disk');
}

/**
 * A part of health that a broken store cannot give is left out: what broke it is told beside it.
 */
function facts<T extends object>(read: () => T): Partial<T> {
  try {
    return read();
  } catch {
    return {};
  }
}

/** An orderly stop has a deadline: what was accepted is on disk in any case. */
async function withDeadline(work: Promise<void>, clock: Clock, ms: number): Promise<void> {
  const done = new AbortController();
  const late = clock.sleep(ms, done.signal).then(() => {
    if (!done.signal.aborted)
      throw new TidemarkError(
        'UNAVAILABLE',
        `draining took longer than ${ms} ms; leaving, what was accepted is on disk`,
      );
  });
  try {
    await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}
