/** Verbs about the journal: its numbers, its entries, whether it is sound, export and import. */
import { Option } from 'commander';
import { messageOf, processExit, TidemarkError } from '../../contracts/errors.ts';
import {
  inspectJournal,
  type JournalView,
  listEntries,
  verifyJournal,
} from '../offline/inspect.ts';
import { exportLines, salvageTo, writeLines } from '../offline/journal-export.ts';
import { importLines, previewImport } from '../offline/journal-import.ts';
import { pathsOf } from '../../worker/state/paths.ts';
import type { Verification } from '../../worker/state/recover/verify.ts';
import { withControl } from './control-client.ts';
import { cellOf, facts, print, printJson, say, table } from '../terminal/output.ts';
import { withProgress } from '../terminal/progress.ts';
import { anyFileSystem, countFrom, type VerbCall, type VerbSpec } from '../verb.ts';

export const journalVerbs: readonly VerbSpec[] = [
  {
    name: 'stats',
    summary: 'entries, undelivered ones, size, heads; from the file when no worker runs',
    run: showJournal,
    examples: ['journal stats', 'journal stats --data /var/lib/tidemark --json'],
  },
  {
    name: 'ls',
    summary: 'entries in the order of their Seq, from the file',
    run: listJournal,
    alias: 'list',
    examples: ['journal ls --limit 20', 'journal ls --after 1763712000000042 --json'],
    options: [
      new Option('--after <seq>', 'only entries after this Seq').default(0).argParser(countFrom(0)),
      new Option('--limit <n>', 'at most this many entries').default(100).argParser(countFrom(1)),
    ],
  },
  {
    name: 'verify',
    summary: 'check the file; exit 6 when something is wrong',
    run: verify,
    examples: ['journal verify', 'journal verify --data /var/lib/tidemark --json'],
  },
  {
    name: 'export',
    summary: 'write entries as JSON lines; a worker may be running',
    run: exportEntries,
    examples: ['journal export --out entries.jsonl', 'journal export | gzip > entries.jsonl.gz'],
    options: [
      new Option('--out <file>', 'file to write; - is stdout').default('-'),
      new Option('--after <seq>', 'only entries after this Seq').default(0).argParser(countFrom(0)),
    ],
  },
  {
    name: 'import',
    summary: 'add entries from JSON lines; the worker must be stopped',
    run: importEntries,
    examples: ['journal import entries.jsonl --dry-run', 'journal import entries.jsonl'],
    args: [['<file>', 'file written by export or salvage']],
    options: [
      new Option('--dry-run', 'say what would be imported, and change nothing'),
      anyFileSystem,
    ],
    notes:
      'Entries keep their Seq; each EventGUID is imported once. Exit 6 when a line was ' +
      'rejected or contradicts an existing entry.',
  },
  {
    name: 'salvage',
    summary: 'every entry that can still be read from a damaged state.db, as JSON lines',
    run: salvage,
    examples: ['journal salvage ./tidemark-data/state/state.db --out saved.jsonl'],
    args: [['<path>', 'a state.db, or its folder']],
    options: [new Option('--out <file>', 'file to write').makeOptionMandatory()],
  },
];

async function showJournal({ config, isJson }: VerbCall): Promise<void> {
  const stats = await withControl(config, (ask) => ask<Record<string, unknown>>('journal')).catch(
    (error: unknown) => statsOfFile(config.data, error),
  );
  if (isJson) return printJson(stats);
  print(facts(Object.entries(stats).map(([name, value]) => [name, cellOf(value)] as const)));
}

/** Without a worker, read the same numbers from the file. */
function statsOfFile(data: string, error: unknown): JournalView {
  const isAway =
    error instanceof TidemarkError &&
    (error.code === 'UNREACHABLE' || error.code === 'UNAVAILABLE');
  if (!isAway) throw error;
  const view = inspectJournal(data);
  say(`no worker answers; read from ${data}`);
  return view;
}

function listJournal({ config, flags, isJson }: VerbCall): void {
  const Entries = listEntries(config.data, flags['after'] as number, flags['limit'] as number);
  if (isJson) return printJson({ Entries });
  const rows = Entries.map((one) => [
    one.Seq,
    one.Lane,
    one.Action,
    one.Key,
    one.EventGUID,
    one.AcceptedAt,
    one.HasBody ? 'yes' : 'pruned',
  ]);
  print(table(['seq', 'lane', 'action', 'key', 'event', 'accepted', 'body'], rows, 'no entries'));
}

async function verify({ config, isJson }: VerbCall): Promise<number> {
  const verdict = await withProgress((tell) => verdictOf(config.data, tell));
  if (isJson) printJson(verdict);
  else {
    print(verdict.Problems.length === 0 ? 'the journal is sound' : verdict.Problems.join('\n'));
    if (verdict.Losses.length > 0)
      print(
        `lost and reported earlier: Seq ${verdict.Losses.map(({ From, To }) => `${From}-${To}`).join(', ')}`,
      );
  }
  return verdict.Problems.length === 0 ? 0 : processExit.ATTENTION;
}

/** A file that SQLite cannot even open is reported as a problem of the journal. */
function verdictOf(data: string, tell: (line: string) => void): Verification {
  try {
    return verifyJournal(data, (check) => tell(`checking ${check}`));
  } catch (error) {
    if (!(error instanceof TidemarkError))
      return {
        Problems: [
          `${pathsOf(data).db} cannot be read: ${messageOf(error)}; try tidemark journal salvage`,
        ],
        Losses: [],
      };
    if (error.code !== 'STORAGE_FAILED') throw error;
    return {
      Problems: [`${error.message}; tidemark journal salvage recovers what can be read`],
      Losses: [],
    };
  }
}

async function exportEntries({ config, flags, isJson }: VerbCall): Promise<void> {
  const out = String(flags['out']);
  const summary = await withProgress((tell) =>
    writeLines(out, exportLines(config.data, Number(flags['after']), tell)),
  );
  if (out === '-') return say(`${summary} entries`);
  if (isJson) printJson({ Exported: summary, Out: out });
  else print(`${summary} entries are in ${out}`);
}

async function importEntries({ config, args, flags, isJson }: VerbCall): Promise<number> {
  const file = args[0] ?? '';
  const isDry = flags['dryRun'] === true;
  const result = isDry
    ? previewImport(config.data, file)
    : await withProgress((tell) =>
        importLines(config.data, config.hub, file, {
          say,
          tell,
          isAnyFileSystem: config.isAnyFileSystem,
        }),
      );
  if (isJson) printJson(result);
  else {
    const { Read, Imported, Known, Rejected, Conflicts } = result;
    print(
      `${Read} lines: ${Imported} ${isDry ? 'would be ' : ''}imported, ${Known} known, ` +
        `${Rejected} rejected${Conflicts ? `, ${Conflicts} of the known with other content` : ''}`,
    );
    for (const { Line, Reason } of result.Rejections) print(`line ${Line}: ${Reason}`);
  }
  return result.Rejected + result.Conflicts > 0 ? processExit.ATTENTION : 0;
}

async function salvage({ args, flags, isJson }: VerbCall): Promise<number> {
  const result = await withProgress((tell) => salvageTo(args[0] ?? '', String(flags['out']), tell));
  if (isJson) printJson(result);
  else {
    const source = result.Source === 'sound' ? 'a sound file' : result.Source;
    const unread = result.Rejected ? `; ${result.Rejected} rows could not be read whole` : '';
    print(`${result.Written} entries are in ${result.Out}, read from ${source}${unread}`);
  }
  return result.Rejected > 0 ? processExit.ATTENTION : 0;
}
