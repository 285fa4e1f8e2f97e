/** Verbs that run until they are told to stop: everything at once, and its parts alone. */
import { assertUsable } from '../settings/usable.ts';
import { exitWithParent } from '../terminal/exit-with-parent.ts';
import { print, say } from '../terminal/output.ts';
import {
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
    options: [...settingOptions, databases, tags, natsServer],
    examples: [
      'up',
      'up --data /var/lib/tidemark --db postgres://ann:secret@db.local/hub',
      'up --nats nats://bus.local:4222   # a bus that is there already',
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
    notes: 'Then tidemark assign <beacon> <connection> says where it delivers to.',
  },
  beaconVerb,
];

// What runs is loaded by who runs it: every other verb would wait for it as long as it takes
// itself.
async function up({ config, flags }: VerbCall): Promise<never> {
  const { runUp } = await import('../up/up.ts');
  const code = await runUp({
    config,
    databases: listOf(flags['db']),
    tags: listOf(flags['tag']),
    say: (line) => say(`up: ${line}`),
    onReady: print,
    ...onStopSignals(),
  });
  // A connect that still waits for a bus would hold the process.
  return process.exit(code);
}

async function worker({ config, flags }: VerbCall): Promise<never> {
  if (flags['exitWithParent'] === true) exitWithParent();
  // Said in one line here; as a process it would only be in the log.
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
      serviceManager,
      version: packageVersion(),
    }),
  );
}
