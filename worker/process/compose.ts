/**
 * Puts a worker together: the core, with HTTP, a console and upkeep around it. Starts it, and stops
 * it in reverse order.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { MicroService } from '../../runtime/bus/micro-service.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import type { HttpSettings } from '../../runtime/http/http-access.ts';
import type { HttpListener } from '../../runtime/http/http-listener.ts';
import type { Log } from '../../runtime/log.ts';
import { listen } from '../http/server.ts';
import { Peers } from '../hub/peers.ts';
import { importIncumbentFiles } from '../incumbent/incumbent-import.ts';
import type { CapacityBounds } from '../intake/pressure.ts';
import type { Local } from '../journal/local.ts';
import { Meter } from '../metrics/meter.ts';
import { Metrics } from '../metrics/metrics.ts';
import { Announcer } from '../operators/announcer.ts';
import type { Control } from '../operators/control.ts';
import { Lab } from '../operators/lab.ts';
import { roomAt } from '../state/guard/disk.ts';
import type { Finding } from '../state/guard/finding.ts';
import { classOf } from '../state/guard/storage-error.ts';
import { ChangePublisher } from '../upkeep/change-publisher.ts';
import { Housekeeping } from '../upkeep/housekeeping.ts';
import type { KeepBounds } from '../upkeep/keep-bounds.ts';
import { Maintenance, type MaintenanceSettings } from '../upkeep/maintenance.ts';
import { type ConsoleSide, consoleUrlOf, makeConsoleSide } from './console-side.ts';
import { Core } from './core.ts';
import { Health } from './health.ts';
import { metadataOf } from './metadata.ts';
import { type Mirrors, mirrorsOf } from './mirrors.ts';
import { passOn } from './pass-on.ts';
import { pulseOf } from './watch.ts';

export type WorkerSettings = {
  hubId: string;
  version: string;
  http: { host: string; port: number };
  /** Tokens, names and certificate of its HTTP. */
  access: HttpSettings;
  /** Also accept beacons that announce themselves on the shared presence subject. */
  acceptsUnscoped?: boolean;
  isOneWayOn: boolean;
  bounds?: CapacityBounds;
  keep?: KeepBounds;
  ops: MaintenanceSettings;
};

export type RunningWorker = {
  httpUrl: string;
  /**
   * Finishes what was taken, settles what is in flight, closes. A second call returns the same
   * promise.
   */
  drain(): Promise<void>;
  /**
   * Stops answering, delivering and writing, except for health, which names the fault. For a
   * process that is about to end.
   */
  freeze(fault: TidemarkError): void;
  /** Leaves the bus and its address, once frozen. */
  leave(): Promise<void>;
  /** A one-line summary while writes can be committed; null when they cannot. */
  pulse: () => string | null;
};

export type WorkerOptions = {
  local: Local;
  bus: Bus;
  clock: Clock;
  log: Log;
  /** Problems that the start found with the files, to be reported once the bus is connected. */
  findings?: readonly Finding[];
  /** An operator asked to drain and end the process. */
  onDrain: () => void;
  /** The local store can no longer be trusted: freeze, rescue, end. */
  onFault: (error: TidemarkError) => void;
};

/** Starts a worker over its open local state and a bus. */
export async function startWorker(
  settings: WorkerSettings,
  options: WorkerOptions,
): Promise<RunningWorker> {
  const { local, bus, clock, log } = options;
  const { store } = local;
  // Import the incumbent's assignments first, because the core reads assignments when it is
  // created.
  const imported = importIncumbentFiles(store, clock.nowMs());
  if (imported.length > 0) log.info({ imported }, "the incumbent's files were read");
  const parts = assemble(settings, options);
  const { core, control, desk, announcer } = parts;
  await parts.maintenance.beforeIntake();
  const http = await listen(settings.http, {
    ...parts,
    ...desk,
    clock,
    version: settings.version,
    settings: settings.access,
    operators: control.operators,
    beacons: () => core.delivery.destinations.directory.list(),
    unready: () => core.unready(),
    health: () => parts.health.view(),
  });
  desk.fleet.console = consoleUrlOf(http.url);
  await parts.mirrors.write();
  core.start();
  parts.lab.start();
  const service = bus.serve({
    name: 'tidemark-worker',
    version: settings.version,
    description: 'store-and-forward persistence bridge',
    metadata: metadataOf(settings.hubId, local, desk.fleet.console, isoOf(clock.nowMs())),
    endpoints: core.endpointsWith(control),
  });
  parts.peers.start();
  parts.maintenance.start();
  parts.housekeeping.start();
  parts.metrics.start();
  parts.changes.start();
  desk.history.start((sample, isNews) => desk.live.sample(sample, isNews));
  announcer.incumbentFiles(imported);
  announcer.findings(options.findings ?? []);
  log.info({ data: store.dataDir, http: http.url, store: store.storeId }, 'worker is up');
  return handleOf({ ...parts, service, http }, options);
}

function handleOf(running: Running, options: WorkerOptions): RunningWorker {
  const { core, health, housekeeping, desk, changes, maintenance, announcer, http } = running;
  const { local, clock } = options;
  let draining: Promise<void> | null = null;
  return {
    httpUrl: http.url,
    pulse: pulseOf({
      store: local.store,
      clock,
      intake: core.hub.intake,
      summary: () => health.summary(),
    }),
    freeze: (fault) => {
      health.fault = fault;
      running.peers.stop();
      core.freeze(fault);
      void housekeeping.stop();
      desk.history.stop();
      void changes.stop();
      void maintenance.stop();
      announcer.fault(fault.message, classOf(fault));
    },
    leave: async () => {
      await options.bus.close();
      await http.close();
    },
    drain: () =>
      (draining ??= withDeadline(takeDown(running, options), clock, limits.drainMs, drainedLate)),
  };
}

type Parts = {
  core: Core;
  control: Control;
  desk: ConsoleSide;
  announcer: Announcer;
  changes: ChangePublisher;
  maintenance: Maintenance;
  mirrors: Mirrors;
  housekeeping: Housekeeping;
  metrics: Metrics;
  lab: Lab;
  peers: Peers;
  health: Health;
};

type Running = Parts & { service: MicroService; http: HttpListener };

/** Creates all parts, each after those it depends on; nothing is started. */
function assemble(settings: WorkerSettings, options: WorkerOptions): Parts {
  const { local, bus, clock, log } = options;
  const { store } = local;
  const { hubId, version } = settings;
  const announcer = new Announcer(bus, hubId, clock);
  const meter = new Meter();
  const changes = new ChangePublisher({ store, bus, hubId, clock, log });
  const outside = { local, bus, clock, log, meter, room: () => roomAt(store.dataDir) };
  const core = new Core({ ...settings, ...outside, dedup: settings.keep?.dedup });
  const { overview } = core.operators;
  const { destinations, pressure } = core.delivery;
  const maintenance = new Maintenance(settings.ops, {
    store,
    hubId,
    version,
    clock,
    log,
    backend: (lane, query) => core.hub.view(lane).fromBackend(query),
    wake: () => core.wakeAll(),
  });
  const control = core.controlWith({
    ops: (body) => maintenance.control.handle(body),
    drain: options.onDrain,
  });
  const mirrors = mirrorsOf(core, options);
  const housekeeping = new Housekeeping({
    local,
    assignments: destinations.assignments,
    pressure,
    clock,
    log,
    keep: settings.keep,
    onFault: options.onFault,
    onRescued: (findings) => {
      for (const { Class, Detail, What } of findings)
        log.warn({ class: Class, detail: Detail }, What);
      announcer.findings(findings);
      core.events.changed();
      core.wakeAll();
    },
  });
  const metrics = new Metrics(meter, {
    overview,
    local,
    clock,
    version,
    capacity: () => pressure.capacity(),
    process: () => ({ waiting: core.hub.intake.waiting, isBusConnected: bus.isConnected }),
  });
  const desk = makeConsoleSide({ ...settings, ...outside }, core);
  const lab = new Lab({
    workers: desk.workers,
    clock,
    beacons: () => destinations.directory.list(),
  });
  const peers = new Peers({
    hubId,
    bus,
    owners: local.journal.owners,
    clock,
    onLater: ({ term, owner }) =>
      destinations.ownership.deposedBy({ term, owner, where: 'the bus' }),
  });
  const health = new Health({ core, maintenance, store, clock });
  const heard = { core, desk, announcer, changes, mirrors };
  passOn(heard, meter, options);
  return { ...heard, control, maintenance, housekeeping, metrics, lab, peers, health };
}

/** In this order: accept nothing new, finish what was taken, settle what is in flight, close. */
async function takeDown(running: Running, { local, bus, log }: WorkerOptions): Promise<void> {
  running.peers.stop();
  await running.housekeeping.stop();
  running.metrics.stop();
  running.desk.history.stop();
  await running.maintenance.stop();
  await running.service.stop();
  await running.core.drain();
  await running.mirrors.close();
  await running.changes.stop();
  await bus.drain();
  await running.http.close();
  running.control.operators.flush();
  // Closing does not save a store whose files were replaced, and only our handle has their content.
  local.store.assertSameFiles();
  local.store.close();
  log.info({}, 'worker is down, everything taken is on disk');
}

/** Whatever was accepted is on disk in any case. */
function drainedLate(): never {
  throw new TidemarkError(
    'UNAVAILABLE',
    `draining took longer than ${limits.drainMs} ms; leaving, what was accepted is on disk`,
  );
}
