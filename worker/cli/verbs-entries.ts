/** Verbs about single entries: the journal's numbers, and dead letters with what can be done about them. */
import { existsSync } from 'node:fs';
import { Option } from 'commander';
import { processExit, TidemarkError } from '../../contracts/errors.ts';
import { inspectJournal, type JournalView, listEntries, verifyJournal } from '../inspect.ts';
import { pathsOf } from '../state/paths.ts';
import { withControl } from './control.ts';
import { type Cell, facts, print, printJson, say, table } from './output.ts';
import { countFrom, type VerbCall, type VerbSpec } from './verb.ts';

type DeadLetter = {
  Seq: number | null; Lane: string; Action: string; Key: string; EventGUID: string | null; Reason: string; At: string;
  /** Later writes of its key that wait for its retry or drop. */
  Parked: number;
  /** Instead of a Seq, for one-way messages that were never accepted. */
  ID?: number;
};

const seqArgument = [['<seq>', 'Seq of the entry, or id:<n> for a one-way message that was never accepted']] as const;

export const journalVerbs: readonly VerbSpec[] = [
  { name: 'stats', summary: 'entries, undelivered ones, size, heads; from the file when no worker runs', run: showJournal },
  {
    name: 'ls', summary: 'entries in the order of their Seq, from the file', run: listJournal,
    options: [
      new Option('--after <seq>', 'only entries behind this Seq').default(0).argParser(countFrom(0)),
      new Option('--limit <n>', 'entries at most').default(100).argParser(countFrom(1)),
    ],
  },
  { name: 'verify', summary: 'check the file; exit 6 when something is wrong', run: verify },
];

export const deadLetterVerbs: readonly VerbSpec[] = [
  { name: 'ls', summary: 'list them', run: listDeadLetters },
  { name: 'show', summary: 'one of them in full', args: seqArgument, run: showDeadLetter },
  { name: 'retry', summary: 'deliver it again, then what is parked behind it', args: seqArgument, run: (call) => act(call, 'retry', 'goes out again') },
  { name: 'drop', summary: 'give it up, and deliver what is parked behind it', args: seqArgument, run: (call) => act(call, 'drop', 'is dropped') },
];

async function showJournal({ config, isJson }: VerbCall): Promise<void> {
  const stats = await withControl(config, (ask) => ask<Record<string, unknown>>('journal')).catch((error: unknown) => statsOfFile(config.data, error));
  if (isJson) return printJson(stats);
  print(facts(Object.entries(stats).map(([name, value]) => [name, cellOf(value)] as const)));
}

/** Nobody to ask: the file says the same. */
function statsOfFile(data: string, error: unknown): JournalView {
  const isAway = error instanceof TidemarkError && (error.code === 'UNREACHABLE' || error.code === 'UNAVAILABLE');
  if (!isAway || !existsSync(pathsOf(data).db)) throw error;
  say(`no worker answers; read from ${data}`);
  return inspectJournal(data);
}

function listJournal({ config, flags, isJson }: VerbCall): void {
  const Entries = listEntries(config.data, flags['after'] as number, flags['limit'] as number);
  if (isJson) return printJson({ Entries });
  const rows = Entries.map((one) => [one.Seq, one.Lane, one.Action, one.Key, one.EventGUID, one.AcceptedAt, one.HasBody ? 'yes' : 'pruned']);
  print(table(['seq', 'lane', 'action', 'key', 'event', 'accepted', 'body'], rows, 'no entries'));
}

function verify({ config, isJson }: VerbCall): number {
  const Problems = verifyJournal(config.data);
  if (isJson) printJson({ Problems });
  else print(Problems.length === 0 ? 'the journal is sound' : Problems.join('\n'));
  return Problems.length === 0 ? 0 : processExit.ATTENTION;
}

async function listDeadLetters({ config, isJson }: VerbCall): Promise<void> {
  const { DeadLetters } = await withControl(config, (ask) => ask<{ DeadLetters: DeadLetter[] }>('dead-letters', { Verb: 'list' }));
  if (isJson) return printJson({ DeadLetters });
  const rows = DeadLetters.map((one) => [one.Seq ?? `id:${one.ID}`, one.Lane, one.Action, one.Key, one.Parked, one.At, one.Reason]);
  print(table(['seq', 'lane', 'action', 'key', 'parked', 'at', 'reason'], rows, 'no dead letters'));
}

async function showDeadLetter({ config, args, isJson }: VerbCall): Promise<void> {
  const which = whichOf(args[0]);
  const reply = await withControl(config, (ask) => ask<{ DeadLetter: Record<string, unknown> }>('dead-letters', { Verb: 'show', ...which }));
  if (isJson) return printJson(reply);
  print(facts(Object.entries(reply.DeadLetter).map(([name, value]) => [name, cellOf(value)] as const)));
}

async function act({ config, args, isJson }: VerbCall, verb: 'retry' | 'drop', done: string): Promise<void> {
  const which = whichOf(args[0]);
  const reply = await withControl(config, (ask) => ask<object>('dead-letters', { Verb: verb, ...which }));
  if (isJson) printJson(reply);
  else print(`dead letter ${args[0]} ${done}`);
}

function whichOf(text = ''): { Seq: number } | { ID: number } {
  const number = Number(text.replace(/^id:/, ''));
  if (text === '' || !Number.isSafeInteger(number) || number < 1) throw new TidemarkError('CONFIG_INVALID', `${JSON.stringify(text)} is neither a Seq nor id:<n>`);
  return text.startsWith('id:') ? { ID: number } : { Seq: number };
}

function cellOf(value: unknown): Cell {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as Cell);
}
