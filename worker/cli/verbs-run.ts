/** Verbs that run for a while: everything at once, its parts alone, and publishing a trace. */
import { join } from 'node:path';
import { Option } from 'commander';
import { runUp } from '../up/up.ts';
import { publish } from '../publish/publish.ts';
import { exitWithParent as exitWithParentProcess } from './exit-with-parent.ts';
import { print, say } from './output.ts';
import { onStopSignals } from './signals.ts';
import { startBeacon } from './start-beacon.ts';
import { collect, countFrom, type VerbCall, type VerbSpec } from './verb.ts';

const http = new Option('--http <address>', 'address of the console and the operators\' API (default: 127.0.0.1:8390)');
const intake = new Option('--intake <kind>', 'jetstream: take one-way messages from a stream as well').choices(['none', 'jetstream']);
const databases = new Option('--db <url>', 'database; may be repeated, the n-th is connection n').argParser(collect);
const exitWithParent = new Option('--exit-with-parent').hideHelp();
const tags = new Option('--tag <name=value>', 'tag of the databeacon; may be repeated').argParser(collect);

export const runVerbs: readonly VerbSpec[] = [
  {
    name: 'up', summary: 'everything on one machine: bus, databeacon, worker and console', run: up,
    options: [http, intake, databases, tags, new Option('--nats-server <path>', 'nats-server binary to start')],
    notes: 'Without --db the database is a SQLite file in the data directory. Stops in order at SIGTERM or Ctrl-C, at once at a second one.',
  },
  {
    name: 'beacon', summary: 'a databeacon alone', run: beacon,
    options: [
      new Option('--id <id>', 'BeaconID, the same over restarts').makeOptionMandatory(), databases, tags, exitWithParent,
      new Option('--no-batch', 'do not offer DataBeaconBatch'), new Option('--read-only', 'refuse writes through MeadowProxy'),
    ],
    notes: 'Database URLs: sqlite:<path>, postgres://, mysql://, mssql://. The data directory is ./tidemark-data/<id> unless --data names it.',
  },
  {
    name: 'publish', summary: 'send recorded bridge calls as domain actions', args: [['<trace...>', 'trace files, .jsonl or .jsonl.gz']],
    options: [
      new Option('--concurrency <n>', 'unanswered writes at once').default(256).argParser(countFrom(1)),
      new Option('--batch <n>', 'writes of one request').default(1).argParser(countFrom(1)),
      new Option('--rate <n>', 'calls per second at most; 0 for no limit').default(0).argParser(countFrom(0)),
      new Option('--jetstream', 'writes go one-way into the hub\'s stream; its confirmation counts as accepted'),
      new Option('--give-up <seconds>', 'give up on a call unanswered for so long; 0 for never').default(0).argParser(countFrom(0)),
    ],
    notes: 'Calls of one work item or run go one at a time, in the order of the file. Publishing a file again is all duplicates.',
    run: runPublish,
  },
];

async function up({ config, flags }: VerbCall): Promise<never> {
  const code = await runUp({
    config, databases: listOf(flags['db']), tags: listOf(flags['tag']), say: (line) => say(`up: ${line}`), onReady: print, ...onStopSignals(),
  });
  // A connect that still waits for a bus would hold the process.
  return process.exit(code);
}

async function beacon({ config, flags }: VerbCall): Promise<never> {
  if (flags['exitWithParent'] === true) exitWithParentProcess();
  const id = String(flags['id']);
  const code = await startBeacon({
    beaconId: id,
    databases: listOf(flags['db']),
    // A data directory from elsewhere is the worker's; a beacon's own is inside it.
    dataDir: flags.data === undefined ? join(config.data, id) : config.data,
    isBatchOn: flags['batch'] !== false,
    allowWrites: flags['readOnly'] !== true,
    tags: listOf(flags['tag']),
  }, { ...config.bus, name: `databeacon ${id}` });
  return process.exit(code);
}

async function runPublish({ config, flags, args }: VerbCall): Promise<number> {
  const stopping = onStopSignals();
  stopping.kill.addEventListener('abort', () => process.exit(1));
  const summary = await publish({
    files: args,
    bus: { ...config.bus, name: 'tidemark-publish' },
    hub: config.hub,
    concurrency: flags['concurrency'] as number,
    batch: flags['batch'] as number,
    rate: flags['rate'] as number,
    giveUpMs: (flags['giveUp'] as number) * 1_000,
    isOneWay: flags['jetstream'] === true,
    signal: stopping.stop,
    out: { isTerminal: process.stderr.isTTY === true, write: (text) => void process.stderr.write(text) },
  });
  print(JSON.stringify(summary));
  return summary.Refused === 0 && !stopping.stop.aborted ? 0 : 1;
}

function listOf(flag: unknown): string[] {
  return Array.isArray(flag) ? (flag as string[]) : [];
}
