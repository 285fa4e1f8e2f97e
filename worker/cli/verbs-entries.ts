/** Verbs about single entries: the journal's numbers, and dead letters with what can be done about them. */
import { TidemarkError } from '../../contracts/errors.ts';
import { withControl } from './control.ts';
import { type Cell, facts, print, printJson, table } from './output.ts';
import type { VerbCall, VerbSpec } from './verb.ts';

type DeadLetter = {
  Seq: number; Lane: string; Action: string; Key: string; EventGUID: string; Reason: string; At: string;
  /** Later writes of its key that wait for its retry or drop. */
  Parked: number;
};

const seqArgument = [['<seq>', 'Seq of the entry']] as const;

export const journalVerbs: readonly VerbSpec[] = [
  { name: 'stats', summary: 'entries, undelivered ones, size, heads', run: showJournal },
];

export const deadLetterVerbs: readonly VerbSpec[] = [
  { name: 'ls', summary: 'list them', run: listDeadLetters },
  { name: 'show', summary: 'one of them in full', args: seqArgument, run: showDeadLetter },
  { name: 'retry', summary: 'deliver it again, then what is parked behind it', args: seqArgument, run: (call) => act(call, 'retry', 'goes out again') },
  { name: 'drop', summary: 'give it up, and deliver what is parked behind it', args: seqArgument, run: (call) => act(call, 'drop', 'is dropped') },
];

async function showJournal({ config, isJson }: VerbCall): Promise<void> {
  const stats = await withControl(config, (ask) => ask<Record<string, unknown>>('journal'));
  if (isJson) return printJson(stats);
  print(facts(Object.entries(stats).map(([name, value]) => [name, cellOf(value)] as const)));
}

async function listDeadLetters({ config, isJson }: VerbCall): Promise<void> {
  const { DeadLetters } = await withControl(config, (ask) => ask<{ DeadLetters: DeadLetter[] }>('dead-letters', { Verb: 'list' }));
  if (isJson) return printJson({ DeadLetters });
  const rows = DeadLetters.map((one) => [one.Seq, one.Lane, one.Action, one.Key, one.Parked, one.At, one.Reason]);
  print(table(['seq', 'lane', 'action', 'key', 'parked', 'at', 'reason'], rows, 'no dead letters'));
}

async function showDeadLetter({ config, args, isJson }: VerbCall): Promise<void> {
  const seq = seqOf(args[0]);
  const reply = await withControl(config, (ask) => ask<Record<string, unknown>>('dead-letters', { Verb: 'show', Seq: seq }));
  if (isJson) return printJson(reply);
  const entry = (Array.isArray(reply['DeadLetters']) ? reply['DeadLetters'][0] : reply) as Record<string, unknown> | undefined;
  if (!entry) throw new TidemarkError('NOT_THERE', `there is no dead letter ${seq}`);
  print(facts(Object.entries(entry).map(([name, value]) => [name, cellOf(value)] as const)));
}

async function act({ config, args, isJson }: VerbCall, verb: 'retry' | 'drop', done: string): Promise<void> {
  const seq = seqOf(args[0]);
  const reply = await withControl(config, (ask) => ask<object>('dead-letters', { Verb: verb, Seq: seq }));
  if (isJson) printJson(reply);
  else print(`dead letter ${seq} ${done}`);
}

function seqOf(text: string | undefined): number {
  const seq = Number(text);
  if (Number.isSafeInteger(seq) && seq > 0) return seq;
  throw new TidemarkError('CONFIG_INVALID', `seq ${JSON.stringify(text)} is not a positive integer`);
}

function cellOf(value: unknown): Cell {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as Cell);
}
