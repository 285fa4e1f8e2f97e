/** Verbs that run until they are told to stop: everything at once, and its parts alone. */
import { Option } from 'commander';
import { runWorker } from '../command.ts';
import { runUp } from '../up/up.ts';
import { exitWithParent as exitWithParentProcess } from './exit-with-parent.ts';
import { print, say } from './output.ts';
import { settingOptions } from './setting-options.ts';
import { onStopSignals } from './signals.ts';
import { startBeacon } from './start-beacon.ts';
import { beaconAuditVerb, beaconFolder, beaconIdOf, beaconPlanVerb } from './verbs-beacon.ts';
import { packageVersion } from './version.ts';
import { collect, type VerbCall, type VerbSpec } from './verb.ts';

const databases = new Option('--db <url>', 'database; may be repeated, the n-th is connection n').argParser(collect);
const exitWithParent = new Option('--exit-with-parent').hideHelp();
const beaconId = new Option('--id <id>', 'BeaconID, the same over restarts');
const tags = new Option('--tag <name=value>', 'tag of the databeacon; may be repeated').argParser(collect);

export const runVerbs: readonly VerbSpec[] = [
  {
    name: 'up', summary: 'everything on one machine: bus, databeacon, worker and console', topic: 'run', run: up,
    options: [...settingOptions, databases, tags, new Option('--nats-server <path>', 'nats-server binary to start')],
    examples: ['up', 'up --data /var/lib/tidemark --db postgres://ann:secret@db.local/hub', 'up --nats nats://bus.local:4222   # a bus that is there already'],
    notes: 'Without --db the database is a SQLite file in the data directory. Stops in order at SIGTERM or Ctrl-C, at once at a second one.',
  },
  {
    name: 'worker', summary: 'the worker of a hub alone', topic: 'run', run: worker, options: [...settingOptions, exitWithParent],
    examples: ['worker --hub hub1 --data /var/lib/tidemark --nats nats://bus.local:4222'],
    notes: 'Then tidemark assign <beacon> <connection> says where it delivers to.',
  },
  {
    name: 'beacon', summary: 'a databeacon alone', topic: 'run', run: beacon,
    examples: ['beacon --id db-1 --db sqlite:./backend.sqlite', 'beacon --id db-1 --db postgres://ann:secret@db.local/hub --http 127.0.0.1:8391'],
    options: [
      beaconId, databases, tags, exitWithParent,
      new Option('--http <address>', 'answer the table endpoints over HTTP too, as on 127.0.0.1:8391 (default: not at all)'),
      new Option('--front <url>', 'put a running retold-databeacon on the bus, in place of databases (docs/BEACONS.md)'),
      new Option('--provider <kind>', 'offer the legacy capabilities over rows kept in memory, or in a SQLite file of the data directory, in place of databases').choices(['memory', 'sqlite']),
      new Option('--no-batch', 'do not offer DataBeaconBatch'), new Option('--read-only', 'refuse writes through MeadowProxy'),
    ],
    notes: 'Database URLs: sqlite:<path>, postgres://, mysql://, mssql://. The data directory is ./tidemark-data/<id> unless --data names it.',
    verbs: [beaconAuditVerb, beaconPlanVerb],
  },
];

async function up({ config, flags }: VerbCall): Promise<never> {
  const code = await runUp({
    config, databases: listOf(flags['db']), tags: listOf(flags['tag']), say: (line) => say(`up: ${line}`), onReady: print, ...onStopSignals(),
  });
  // A connect that still waits for a bus would hold the process.
  return process.exit(code);
}

async function worker({ config, flags }: VerbCall): Promise<never> {
  if (flags['exitWithParent'] === true) exitWithParentProcess();
  const { hub, data, http: address, token, intake: kind, bus, logLevel, bounds: capacity, ops, isAnyFileSystem } = config;
  return process.exit(await runWorker({ hub, data, http: address, token, intake: kind, bus, logLevel, bounds: capacity, ops, isAnyFileSystem, version: packageVersion() }));
}

async function beacon({ config, flags }: VerbCall): Promise<never> {
  if (flags['exitWithParent'] === true) exitWithParentProcess();
  const id = beaconIdOf(flags);
  const address = typeof flags['http'] === 'string' ? flags['http'] : config.beaconHttp;
  const code = await startBeacon({
    beaconId: id,
    databases: listOf(flags['db']),
    dataDir: beaconFolder(config, flags),
    isBatchOn: flags['batch'] !== false,
    allowWrites: flags['readOnly'] !== true,
    tags: listOf(flags['tag']),
    token: config.token,
    ...(address === undefined ? {} : { http: address }),
    ...(typeof flags['front'] === 'string' ? { front: flags['front'] } : {}),
    ...(flags['provider'] === 'memory' || flags['provider'] === 'sqlite' ? { provider: flags['provider'] } : {}),
  }, { ...config.bus, name: `databeacon ${id}` });
  return process.exit(code);
}

function listOf(flag: unknown): string[] {
  return Array.isArray(flag) ? (flag as string[]) : [];
}
