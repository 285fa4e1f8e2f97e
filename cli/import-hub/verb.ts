/** The verb that brings in what a hub has stored by itself before it had a worker. */
import { Option } from 'commander';
import { createLog } from '../../runtime/log.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import { HubStore } from './hub-store.ts';
import { type Imported, importHub } from './import-hub.ts';
import { print, printJson, say, table } from '../terminal/output.ts';
import { Progress } from '../terminal/progress.ts';
import { onStopSignals } from '../terminal/signals.ts';
import { collect, countFrom, type VerbCall, type VerbSpec } from '../verb.ts';
import { listOf } from '../verbs/setting-options.ts';

export const importHubVerbs: readonly VerbSpec[] = [
  {
    name: 'import-hub',
    summary: 'bring in what a hub has in its own store; fills what is missing, changes nothing',
    topic: 'act',
    examples: [
      'import-hub dist/ultravisor_datastore --dry-run',
      'import-hub dist/ultravisor_datastore --hub hub1 --staging dist/ultravisor_staging',
    ],
    args: [['<folder>', "the hub's data folder (its UltravisorFileStorePath or DataPath)"]],
    options: [
      new Option(
        '--staging <folder>',
        'folder of its runs; may be repeated (default: staging, ../ultravisor_staging)',
      ).argParser(collect),
      new Option('--dry-run', 'only count; nothing is sent'),
      new Option('--give-up <seconds>', 'give up on a write unanswered for so long; 0 for never')
        .default(60)
        .argParser(countFrom(0)),
    ],
    notes:
      'Rows that are not there are made, and empty columns filled; what a row says already stays. ' +
      'It may be repeated, and while the hub runs.\nEvents of the old store have no identity: ' +
      'those that the database has under another one are there twice afterwards.',
    run: runImport,
  },
];

async function runImport({ config, flags, args, isJson }: VerbCall): Promise<number> {
  const stopping = onStopSignals();
  stopping.kill.addEventListener('abort', () => process.exit(1));
  using store = new HubStore(args[0] ?? '', listOf(flags['staging']));
  const isDry = flags['dryRun'] === true;
  const bus = isDry
    ? null
    : await Bus.connect(
        { ...config.bus, name: 'tidemark-import-hub', waitForServer: false },
        createLog('import-hub', 'warn'),
      );
  const progress = new Progress();
  try {
    const results = await importHub({
      store,
      bus,
      hub: config.hub,
      giveUpMs: (flags['giveUp'] as number) * 1_000,
      signal: stopping.stop,
      progress: progress.tell,
      say,
    });
    progress.end();
    if (isJson) printJson({ Hub: config.hub, DryRun: isDry, Rows: results });
    else print(tableOf(results));
    if (isDry && !isJson) print('nothing was sent: --dry-run');
    const isWhole = results.every(({ Refused }) => Refused === 0) && !stopping.stop.aborted;
    return isWhole ? 0 : 1;
  } finally {
    await bus?.close();
  }
}

function tableOf(results: readonly Imported[]): string {
  return table(
    ['', 'found', 'skipped', 'accepted', 'imported before', 'refused'],
    results.map((one) => [
      one.Kind,
      one.Found,
      one.Skipped,
      one.Accepted,
      one.Duplicates,
      one.Refused,
    ]),
  );
}
