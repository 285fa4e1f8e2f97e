/** Verbs about a databeacon's own state. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import type { CliConfig, Flags } from './config.ts';
import { print, printJson, table } from './output.ts';
import { beaconAudit, beaconPlan } from './start-beacon.ts';
import { countFrom, type VerbCall, type VerbSpec } from './verb.ts';

/** @throws TidemarkError CONFIG_INVALID without one */
export function beaconIdOf(flags: Flags): string {
  if (typeof flags['id'] === 'string') return flags['id'];
  throw new TidemarkError('CONFIG_INVALID', 'a beacon needs an id that stays the same over restarts: give --id <id>');
}

/** A data directory from elsewhere is the worker's; a beacon's own is inside it, under its id. */
export function beaconFolder(config: CliConfig, flags: Flags): string {
  if (flags.data !== undefined) return config.data;
  if (typeof flags['id'] === 'string') return join(config.data, flags['id']);
  throw new TidemarkError('CONFIG_INVALID', 'which beacon? give --id <id>, or its data directory with --data');
}

export const beaconAuditVerb: VerbSpec = {
  name: 'audit', summary: 'who asked a databeacon for what, and what became of it; the newest first', run: showAudit,
  options: [
    new Option('--id <id>', 'BeaconID, whose data directory is ./tidemark-data/<id>'),
    new Option('--user <name>', 'only the requests of this user'),
    new Option('--limit <n>', 'lines at most').default(100).argParser(countFrom(1)),
  ],
  notes: 'Read from the file of the beacon, which may run; it writes its lines within a second.',
};

export const beaconPlanVerb: VerbSpec = {
  name: 'plan', summary: 'what the first assignment would do to a database, statement by statement; nothing is done', run: showPlan,
  args: [['<url>', 'sqlite:<path>, postgres://, mysql:// or mssql://user:password@host:port/database']],
};

async function showPlan({ args, isJson }: VerbCall): Promise<void> {
  const plan = await beaconPlan(args[0] ?? '');
  if (isJson) return printJson(plan);
  for (const statement of plan.MigrationStatements) print(`${statement};`);
  for (const skipped of plan.SkippedDestructive) print(`-- left alone: ${skipped}`);
  if (plan.MigrationStatements.length === 0) print('-- nothing to do');
}

async function showAudit({ config, flags, isJson }: VerbCall): Promise<void> {
  const user = flags['user'];
  const lines = await beaconAudit({ dataDir: beaconFolder(config, flags), limit: Number(flags['limit']), ...(typeof user === 'string' ? { user } : {}) });
  if (isJson) return printJson({ Lines: lines });
  const rows = lines.map((line) => [line['At'], line['RemoteUser'], `${line['Capability']}.${line['Action']}`, line['IDBeaconConnection'], line['Table'], line['Outcome'], line['Count'], line['Detail']]);
  print(table(['at', 'user', 'request', 'connection', 'table', 'outcome', 'count', 'detail'], rows, 'no lines'));
}

/** URLs of the file named with `--db-file`, one a line. @throws TidemarkError CONFIG_INVALID when it cannot be read */
export function databasesIn(flags: Flags): string[] {
  const path = flags['dbFile'];
  if (typeof path !== 'string') return [];
  try {
    return readFileSync(path, 'utf8').split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  } catch (cause) {
    throw new TidemarkError('CONFIG_INVALID', `--db-file: ${messageOf(cause)}`, { cause });
  }
}
