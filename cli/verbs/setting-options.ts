/** Options that are settings of the worker, the databeacon or the bus, shared by several verbs. */
import { Option } from 'commander';
import { acceptUnscoped, anyFileSystem, collect, takeOver } from '../verb.ts';

export const httpOption = new Option(
  '--http <address>',
  "address of the console and the operators' API (default: 127.0.0.1:8390)",
);
export const intakeOption = new Option(
  '--intake <kind>',
  'jetstream: also accept one-way messages from a stream',
).choices(['none', 'jetstream']);
export const boundOptions = [
  new Option(
    '--journal-bytes-max <size>',
    'refuse writes when the journal uses this many bytes (default: 16G)',
  ),
  new Option(
    '--pending-max <n>',
    'refuse writes when this many are undelivered (default: 5000000)',
  ),
  new Option(
    '--disk-free-min <size>',
    'refuse writes when the disk has less free (default: 256M, or 5% of a small disk)',
  ),
];
export const keepOptions = [
  new Option(
    '--retain-for <time>',
    'keep the body of a delivered write so long, like 90m, 24h or 7d (default: 24h)',
  ),
  new Option(
    '--retain-entries <n>',
    'and of at most this many delivered writes (default: 1000000)',
  ),
  new Option(
    '--dedup-for <time>',
    'know a repeat of an accepted write by its EventGUID so long (default: 30d)',
  ),
  new Option('--dedup-entries <n>', 'and of at most this many writes (default: 50000000)'),
];
export const opsDirOption = new Option(
  '--ops-dir <folder>',
  "folder of the operator's operations (default: <data>/ops)",
);
export const settingOptions = [
  httpOption,
  intakeOption,
  ...boundOptions,
  ...keepOptions,
  opsDirOption,
  anyFileSystem,
  acceptUnscoped,
  takeOver,
];
export const natsServer = new Option('--nats-server <path>', 'nats-server binary to start');
export const beaconIdOption = new Option(
  '--beacon-id <id>',
  'name of the databeacon on the bus, where there may be one at a time (default: db-1)',
);
export const databases = new Option(
  '--db <url>',
  'database; may be repeated, the n-th is connection n',
).argParser(collect);
export const exitWithParentOption = new Option('--exit-with-parent').hideHelp();
export const tags = new Option(
  '--tag <name=value>',
  'tag of the databeacon; may be repeated',
).argParser(collect);

/** The values of a repeatable option. */
export function listOf(flag: unknown): string[] {
  return Array.isArray(flag) ? (flag as string[]) : [];
}
