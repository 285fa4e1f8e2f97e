/** Runs a databeacon as a process: connects to the bus, starts, and drains on the first signal. */
import { messageOf, processExit, TidemarkError } from '../../contracts/errors.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import type { BusOptions } from '../../runtime/bus/bus-login.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { ServiceManager, type ServiceManagerPlace } from '../../runtime/service-manager.ts';
import { startBeacon } from './compose.ts';
import { type BeaconConfig, checkBeaconConfig } from '../databases/config.ts';

/**
 * The surroundings of the process: a callback for when the beacon is online, the log level, and the
 * service manager.
 */
export type BeaconSurroundings = {
  onReady?: () => void;
  logLevel?: string;
  serviceManager?: ServiceManagerPlace | null;
};

/** Runs until SIGTERM or SIGINT (a second one exits at once); resolves with the exit code. */
export async function runBeacon(
  config: BeaconConfig,
  busOptions: BusOptions,
  { onReady, logLevel, serviceManager = null }: BeaconSurroundings = {},
): Promise<number> {
  const log = createLog('databeacon', logLevel, serviceManager?.journal);
  const manager = new ServiceManager(serviceManager, systemClock, log);
  const signalled = firstSignal();
  void signalled.then(() => manager.stopping());
  manager.status(`waiting for the bus at ${busOptions.servers}`);
  let bus: Bus | null = null;
  try {
    checkBeaconConfig(config);
    bus = await Promise.race([Bus.connect(busOptions, log), signalled.then(() => null)]);
    if (bus === null) return 0;
    const beacon = await startBeacon(config, bus, log, systemClock);
    onReady?.();
    // A databeacon waits for a database that is away, so the watchdog only checks that the event
    // loop runs.
    manager.ready(() => `online as ${config.beaconId}`);
    await signalled;
    await beacon.drain();
    await bus.drain();
    return 0;
  } catch (error) {
    log.error({ reason: messageOf(error) }, 'databeacon stopped');
    await bus?.close();
    const exits: Record<string, number> = processExit;
    return error instanceof TidemarkError ? (exits[error.code] ?? 1) : 1;
  }
}

/**
 * Resolves at the first signal; a second one ends the process, which is safe, because everything
 * answered is on disk.
 */
function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    const onSignal = () => {
      count += 1;
      if (count > 1) process.exit(1);
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
