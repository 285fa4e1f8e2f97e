/** Verbs that run until asked to stop: everything at once, or one part. */
import { assertUsable } from '../settings/usable.ts';
import { exitWithParent } from '../terminal/exit-with-parent.ts';
import { print, say } from '../terminal/output.ts';
import {
  beaconIdOption,
  databases,
  exitWithParentOption,
  listOf,
  natsServer,
  settingOptions,
  tags,
} from './setting-options.ts';
import { onStopSignals } from '../terminal/signals.ts';
import { beaconVerb } from './beacon.ts';
import { packageVersion } from '../terminal/version.ts';
import type { VerbCall, VerbSpec } from '../verb.ts';

export const runVerbs: readonly VerbSpec[] = [
  {
    name: 'up',
    summary: 'everything on one machine: bus, databeacon, worker and console',
    topic: 'run',
    run: up,
    options: [...settingOptions, beaconIdOption, databases, tags, natsServer],
    examples: [
      'up',
      'up --data /var/lib/tidemark --db postgres://ann:secret@db.local/hub',
      'up --nats nats://bus.local:4222 --beacon-id db-2   # an existing bus',
    ],
    notes:
      'Without --db the database is a SQLite file in the data directory. Stops in order ' +
      'at SIGTERM or Ctrl-C, at once at a second one.',
  },
  {
    name: 'worker',
    summary: 'the worker of a hub alone',
    topic: 'run',
    run: worker,
    options: [...settingOptions, exitWithParentOption],
    examples: ['worker --hub hub1 --data /var/lib/tidemark --nats nats://bus.local:4222'],
    notes: 'Then say where it delivers with tidemark assign <beacon> <connection>.',
  },
  beaconVerb,
];

// Loaded only by the verbs that need them, because loading takes longer than most other verbs run.
async function up({ config, flags }: VerbCall): Promise<never> {
  const { runUp, upBeacon } = await import('../up/up.ts');
  const { beaconId } = flags;
  const code = await runUp({
    config,
    beaconId: typeof beaconId === 'string' ? beaconId : upBeacon.BeaconID,
    databases: listOf(flags['db']),
    tags: listOf(flags['tag']),
    say: (line) => say(`up: ${line}`),
    onReady: print,
    ...onStopSignals(),
  });
  // A connect that is still retrying would keep the process alive.
  return process.exit(code);
}

async function worker({ config, flags }: VerbCall): Promise<never> {
  if (flags['exitWithParent'] === true) exitWithParent();
  // Checked here for one line on stderr; inside the worker it would only be in the log.
  assertUsable(config);
  const {
    hub,
    data,
    http: address,
    token,
    access,
    intake: kind,
    bus,
    logLevel,
    bounds: capacity,
    keep,
    ops,
    isAnyFileSystem,
    acceptsUnscoped,
    takesOver,
    isInKubernetes,
    serviceManager,
  } = config;
  const { runWorker } = await import('../../worker/process/command.ts');
  return process.exit(
    await runWorker({
      hub,
      data,
      http: address,
      token,
      access,
      intake: kind,
      bus,
      logLevel,
      bounds: capacity,
      keep,
      ops,
      isAnyFileSystem,
      acceptsUnscoped,
      takesOver,
      staysWhenDeposed: isInKubernetes,
      serviceManager,
      version: packageVersion(),
    }),
  );
}
