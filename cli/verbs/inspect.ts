/** The verb that checks everything and says what needs attention. */
import { messageOf, processExit, TidemarkError } from '../../contracts/errors.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { examine } from '../doctor/doctor.ts';
import type { Database } from '../doctor/doctor-beacons.ts';
import { examineBus } from '../doctor/doctor-bus.ts';
import type { Check } from '../doctor/doctor-check.ts';
import { syncCheck } from '../doctor/doctor-disk.ts';
import { offlineStatus } from '../offline/offline.ts';
import type { CliConfig } from '../settings/config.ts';
import { coloured } from '../terminal/colour.ts';
import { print, printJson } from '../terminal/output.ts';
import type { VerbCall, VerbSpec } from '../verb.ts';

export const inspectVerbs: readonly VerbSpec[] = [
  {
    name: 'doctor',
    summary: 'check data directory, disk, bus, worker and databeacon; changes nothing',
    topic: 'look',
    run: doctor,
    examples: ['doctor', 'doctor --data /var/lib/tidemark --json'],
    notes:
      'Each line is ok, warn or fail, with what to do. Exit 6 when something needs ' +
      'attention, 1 when something is broken.',
  },
];

async function doctor({ config, isJson }: VerbCall): Promise<number> {
  const Checks = [
    ...examine(config.data, systemClock.nowMs()),
    syncCheck(config.data, systemClock),
    ...(await onTheBus(config)),
  ];
  if (isJson) printJson({ Data: config.data, Checks });
  else for (const check of Checks) print(linesOf(check));
  if (Checks.some(({ Level }) => Level === 'fail')) return 1;
  return Checks.every(({ Level }) => Level === 'ok') ? 0 : processExit.ATTENTION;
}

/** The advice goes on a line of its own, so that it is never cut. */
function linesOf({ Level, Name, What, Do }: Check): string {
  return (
    `${coloured(Level.padEnd(4))}  ${Name.padEnd(14)}  ` +
    `${What}${Do === '' ? '' : `\n      ${' '.repeat(14)}  -> ${Do}`}`
  );
}

async function onTheBus({ bus: options, hub, intake, data }: CliConfig): Promise<Check[]> {
  let bus: Bus | null = null;
  try {
    bus = await Bus.connect(
      { ...options, name: 'tidemark-cli', waitForServer: false },
      createLog('tidemark', 'error'),
    );
    return await examineBus({
      bus,
      hub,
      servers: options.servers,
      isOneWay: intake === 'jetstream',
      clock: systemClock,
      assigned: assignedIn(data),
    });
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'UNREACHABLE') throw error;
    return [
      {
        Name: 'bus',
        Level: 'warn',
        What: messageOf(error),
        Do: 'start it, or name it with --nats',
      },
    ];
  } finally {
    await bus?.close();
  }
}

/**
 * The assigned databases according to the store. An unreadable store is reported by its own check.
 */
function assignedIn(data: string): Database[] {
  try {
    const { Queue, Manifest } = offlineStatus(data, systemClock.nowMs());
    return [Queue, Manifest]
      .flatMap(({ AssignedBeaconID, IDBeaconConnection }) =>
        AssignedBeaconID === null
          ? []
          : [{ beacon: AssignedBeaconID, connection: IDBeaconConnection }],
      )
      .filter((one, at, all) => all.findIndex(({ beacon }) => beacon === one.beacon) === at);
  } catch {
    return [];
  }
}
