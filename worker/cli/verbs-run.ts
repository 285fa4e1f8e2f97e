/** Verbs that run until they are told to stop: everything at once, and its parts alone. */
import { Option } from 'commander';
import { runWorker } from '../command.ts';
import { runUp } from '../up/up.ts';
import { exitWithParent as exitWithParentProcess } from './exit-with-parent.ts';
import { print, say } from './output.ts';
import { onStopSignals } from './signals.ts';
import { startBeacon } from './start-beacon.ts';
import { beaconAuditVerb, beaconFolder, beaconIdOf, beaconPlanVerb, databasesIn } from './verbs-beacon.ts';
import { packageVersion } from './version.ts';
import { anyFileSystem, collect, type VerbCall, type VerbSpec } from './verb.ts';

const http = new Option('--http <address>', 'address of the console and the operators\' API (default: 127.0.0.1:8390)');
const intake = new Option('--intake <kind>', 'jetstream: take one-way messages from a stream as well').choices(['none', 'jetstream']);
const bounds = [
  new Option('--journal-bytes-max <size>', 'refuse writes when the journal has this many bytes in use (default: 16G)'),
  new Option('--pending-max <n>', 'refuse writes when this many are undelivered (default: 5000000)'),
  new Option('--disk-free-min <size>', 'refuse writes when the disk has less free (default: 256M, or 5% of a small disk)'),
];
const databases = new Option('--db <url>', 'database; may be repeated, the n-th is connection n').argParser(collect);
const databaseFile = new Option('--db-file <path>', 'file with a database URL a line, so that no password stands in a list of processes; behind those of --db');
const opsDir = new Option('--ops-dir <folder>', 'folder of the operator\'s operations (default: <data>/ops)');
const exitWithParent = new Option('--exit-with-parent').hideHelp();
const beaconId = new Option('--id <id>', 'BeaconID, the same over restarts');
const tags = new Option('--tag <name=value>', 'tag of the databeacon; may be repeated').argParser(collect);

export const runVerbs: readonly VerbSpec[] = [
  {
    name: 'up', summary: 'everything on one machine: bus, databeacon, worker and console', run: up,
    options: [http, intake, ...bounds, opsDir, anyFileSystem, databases, tags, new Option('--nats-server <path>', 'nats-server binary to start')],
    notes: 'Without --db the database is a SQLite file in the data directory. Stops in order at SIGTERM or Ctrl-C, at once at a second one.',
  },
  { name: 'worker', summary: 'the worker of a hub alone', run: worker, options: [http, intake, ...bounds, opsDir, anyFileSystem, exitWithParent] },
  {
    name: 'beacon', summary: 'a databeacon alone', run: beacon,
    options: [
      beaconId, databases, databaseFile, tags, exitWithParent,
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
  const { hub, data, http: address, token, intake: kind, bus, logLevel, bounds: capacity, ops, isAnyFileSystem, serviceManager } = config;
  return process.exit(await runWorker({ hub, data, http: address, token, intake: kind, bus, logLevel, bounds: capacity, ops, isAnyFileSystem, serviceManager, version: packageVersion() }));
}

async function beacon({ config, flags }: VerbCall): Promise<never> {
  if (flags['exitWithParent'] === true) exitWithParentProcess();
  const id = beaconIdOf(flags);
  const address = typeof flags['http'] === 'string' ? flags['http'] : config.beaconHttp;
  const code = await startBeacon({
    beaconId: id,
    databases: [...listOf(flags['db']), ...databasesIn(flags)],
    dataDir: beaconFolder(config, flags),
    isBatchOn: flags['batch'] !== false,
    allowWrites: flags['readOnly'] !== true,
    tags: listOf(flags['tag']),
    token: config.token,
    ...(address === undefined ? {} : { http: address }),
    ...(typeof flags['front'] === 'string' ? { front: flags['front'] } : {}),
    ...(flags['provider'] === 'memory' || flags['provider'] === 'sqlite' ? { provider: flags['provider'] } : {}),
  }, { ...config.bus, name: `databeacon ${id}` }, config.serviceManager);
  return process.exit(code);
}

function listOf(flag: unknown): string[] {
  return Array.isArray(flag) ? (flag as string[]) : [];
}
