/** The verb that runs a databeacon, and the verbs about its own state. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import type { CliConfig } from '../settings/config.ts';
import { exitWithParent } from '../terminal/exit-with-parent.ts';
import type { Flags } from '../settings/settings.ts';
import { print, printJson, table } from '../terminal/output.ts';
import { databases, exitWithParentOption, listOf, tags } from './setting-options.ts';
import { beaconAudit, beaconPlan, launchBeacon } from './start-beacon.ts';
import { acceptUnscoped, countFrom, type VerbCall, type VerbSpec } from '../verb.ts';

/** @throws TidemarkError CONFIG_INVALID without `--id` */
function beaconIdOf(flags: Flags): string {
  if (typeof flags['id'] === 'string') return flags['id'];
  throw new TidemarkError(
    'CONFIG_INVALID',
    'a beacon needs an id that stays the same across restarts: give --id <id>',
  );
}

/**
 * A configured data directory is the worker's; a beacon's own is a folder in it, named by its id.
 */
function beaconFolder(config: CliConfig, flags: Flags): string {
  if (flags.data !== undefined) return config.data;
  if (typeof flags['id'] === 'string') return join(config.data, flags['id']);
  throw new TidemarkError(
    'CONFIG_INVALID',
    'which beacon? give --id <id>, or its data directory with --data',
  );
}

const beaconAuditVerb: VerbSpec = {
  name: 'audit',
  summary: 'who asked a databeacon for what, and the outcome; newest first',
  run: showAudit,
  examples: ['beacon audit --id db-1', 'beacon audit --id db-1 --user ann --limit 20 --json'],
  options: [
    new Option('--id <id>', 'BeaconID, whose data directory is ./tidemark-data/<id>'),
    new Option('--user <name>', 'only the requests of this user'),
    new Option('--limit <n>', 'at most this many lines').default(100).argParser(countFrom(1)),
  ],
  notes: "Reads the beacon's file, also while it runs; a request appears within a second.",
};

const beaconPlanVerb: VerbSpec = {
  name: 'plan',
  summary: 'the statements a first assignment would run in a database; changes nothing',
  run: showPlan,
  examples: [
    'beacon plan postgres://ann:secret@db.local/hub',
    'beacon plan http://127.0.0.1:8389 --connection 1',
  ],
  args: [
    [
      '<url>',
      'sqlite:<path>, postgres://, mysql:// or mssql://user:password@host:port/database, or ' +
        'http://host:port of a retold-databeacon, whose tables somebody else has to make',
    ],
  ],
  options: [
    new Option('--connection <id>', 'the database of a retold-databeacon: its IDBeaconConnection')
      .default(1)
      .argParser(countFrom(1)),
  ],
};

const databaseFile = new Option(
  '--db-file <path>',
  'file with a database URL per line, so that no password shows in a process list; after those of --db',
);
const beaconId = new Option('--id <id>', 'BeaconID, the same across restarts');

export const beaconVerb: VerbSpec = {
  name: 'beacon',
  summary: 'a databeacon alone',
  topic: 'run',
  run: beacon,
  examples: [
    'beacon --id db-1 --db sqlite:./backend.sqlite',
    'beacon --id db-1 --db postgres://ann:secret@db.local/hub --http 127.0.0.1:8391',
  ],
  options: [
    beaconId,
    databases,
    databaseFile,
    tags,
    exitWithParentOption,
    new Option(
      '--http <address>',
      'also serve the table endpoints over HTTP, for example on 127.0.0.1:8391 (default: off)',
    ),
    new Option(
      '--front <url>',
      'put a running retold-databeacon on the bus, instead of databases (docs/BEACONS.md)',
    ),
    new Option(
      '--provider <kind>',
      'offer the legacy capabilities over rows kept in memory, or in a SQLite file of the ' +
        'data directory, instead of databases',
    ).choices(['memory', 'sqlite']),
    new Option(
      '--create-connections <folder>',
      'take CreateConnection over the bus: SQLite files below this folder, and servers',
    ),
    new Option('--no-batch', 'do not offer DataBeaconBatch'),
    acceptUnscoped,
    new Option('--read-only', 'refuse writes through MeadowProxy'),
  ],
  notes:
    'Database URLs: sqlite:<path>, postgres://, mysql://, mssql://. The data directory ' +
    'is ./tidemark-data/<id> unless --data names it.',
  verbs: [beaconAuditVerb, beaconPlanVerb],
};

async function showPlan({ args, flags, isJson }: VerbCall): Promise<void> {
  const plan = await beaconPlan(args[0] ?? '', Number(flags['connection']));
  if (isJson) return printJson(plan);
  for (const statement of plan.MigrationStatements) print(`${statement};`);
  for (const skipped of plan.SkippedDestructive) print(`-- left alone: ${skipped}`);
  if (plan.MigrationStatements.length === 0) print('-- nothing to do');
}

async function showAudit({ config, flags, isJson }: VerbCall): Promise<void> {
  const user = flags['user'];
  const lines = await beaconAudit({
    dataDir: beaconFolder(config, flags),
    limit: Number(flags['limit']),
    ...(typeof user === 'string' ? { user } : {}),
  });
  if (isJson) return printJson({ Lines: lines });
  const rows = lines.map((line) => [
    line['At'],
    line['RemoteUser'],
    `${line['Capability']}.${line['Action']}`,
    line['IDBeaconConnection'],
    line['Table'],
    line['Outcome'],
    line['Count'],
    line['Detail'],
  ]);
  print(
    table(
      ['at', 'user', 'request', 'connection', 'table', 'outcome', 'count', 'detail'],
      rows,
      'no lines',
    ),
  );
}

async function beacon({ config, flags }: VerbCall): Promise<never> {
  if (flags['exitWithParent'] === true) exitWithParent();
  const id = beaconIdOf(flags);
  const address = typeof flags['http'] === 'string' ? flags['http'] : config.beaconHttp;
  const code = await launchBeacon(
    {
      beaconId: id,
      databases: [...listOf(flags['db']), ...databasesIn(flags)],
      dataDir: beaconFolder(config, flags),
      isBatchOn: flags['batch'] !== false,
      acceptsUnscoped: config.acceptsUnscoped,
      allowWrites: flags['readOnly'] !== true,
      tags: listOf(flags['tag']),
      token: config.token,
      access: config.access,
      ...(address === undefined ? {} : { http: address }),
      ...(typeof flags['createConnections'] === 'string'
        ? { createConnections: flags['createConnections'] }
        : {}),
      ...(typeof flags['front'] === 'string' ? { front: flags['front'] } : {}),
      ...(flags['provider'] === 'memory' || flags['provider'] === 'sqlite'
        ? { provider: flags['provider'] }
        : {}),
    },
    { ...config.bus, name: `databeacon ${id}` },
    config,
  );
  return process.exit(code);
}

/**
 * The URLs in the file named with `--db-file`, one per line.
 * @throws TidemarkError CONFIG_INVALID when the file cannot be read
 */
export function databasesIn(flags: Flags): string[] {
  const path = flags['dbFile'];
  if (typeof path !== 'string') return [];
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'));
  } catch (cause) {
    throw new TidemarkError('CONFIG_INVALID', `--db-file: ${messageOf(cause)}`, { cause });
  }
}
