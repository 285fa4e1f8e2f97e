/** Verbs about dead letters: list, show, retry, drop. */
import { TidemarkError } from '../../contracts/errors.ts';
import { withControl } from './control-client.ts';
import { cellOf, facts, print, printJson, table } from '../terminal/output.ts';
import type { VerbCall, VerbSpec } from '../verb.ts';

type DeadLetter = {
  Seq: number | null;
  Lane: string;
  Action: string;
  Key: string;
  EventGUID: string | null;
  Reason: string;
  At: string;
  /** Later writes of its key, waiting for it to be retried or dropped. */
  Parked: number;
  /** Instead of a Seq, for a one-way message that was never accepted. */
  ID?: number;
};

const seqArgument = [
  ['<seq>', 'Seq of the entry, or id:<n> for a one-way message that was never accepted'],
] as const;

export const deadLetterVerbs: readonly VerbSpec[] = [
  {
    name: 'ls',
    alias: 'list',
    summary: 'all dead letters, with their reasons',
    run: listDeadLetters,
    examples: ['dead-letters ls', 'dead-letters ls --json'],
  },
  {
    name: 'show',
    summary: 'one dead letter in full',
    args: seqArgument,
    run: showDeadLetter,
    examples: ['dead-letters show 1763712000000042', 'dead-letters show id:7'],
  },
  {
    name: 'retry',
    summary: 'deliver it again, then the writes parked behind it',
    args: seqArgument,
    examples: ['dead-letters retry 1763712000000042'],
    run: (call) => act(call, 'retry', 'will be delivered again'),
  },
  {
    name: 'drop',
    summary: 'give it up, and deliver the writes parked behind it',
    args: seqArgument,
    examples: ['dead-letters drop 1763712000000042', 'dead-letters drop id:7'],
    run: (call) => act(call, 'drop', 'is dropped'),
  },
];

async function listDeadLetters({ config, isJson }: VerbCall): Promise<void> {
  const { DeadLetters } = await withControl(config, (ask) =>
    ask<{ DeadLetters: DeadLetter[] }>('dead-letters', { Verb: 'list' }),
  );
  if (isJson) return printJson({ DeadLetters });
  const rows = DeadLetters.map((one) => [
    one.Seq ?? `id:${one.ID}`,
    one.Lane,
    one.Action,
    one.Key,
    one.Parked,
    one.At,
    one.Reason,
  ]);
  print(table(['seq', 'lane', 'action', 'key', 'parked', 'at', 'reason'], rows, 'no dead letters'));
}

async function showDeadLetter({ config, args, isJson }: VerbCall): Promise<void> {
  const which = whichOf(args[0]);
  const reply = await withControl(config, (ask) =>
    ask<{ DeadLetter: Record<string, unknown> }>('dead-letters', { Verb: 'show', ...which }),
  );
  if (isJson) return printJson(reply);
  print(
    facts(Object.entries(reply.DeadLetter).map(([name, value]) => [name, cellOf(value)] as const)),
  );
}

async function act(
  { config, args, isJson }: VerbCall,
  verb: 'retry' | 'drop',
  done: string,
): Promise<void> {
  const which = whichOf(args[0]);
  const reply = await withControl(config, (ask) =>
    ask<object>('dead-letters', { Verb: verb, ...which }),
  );
  if (isJson) printJson(reply);
  else print(`dead letter ${args[0]} ${done}`);
}

function whichOf(text = ''): { Seq: number } | { ID: number } {
  const number = Number(text.replace(/^id:/, ''));
  if (text === '' || !Number.isSafeInteger(number) || number < 1)
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${JSON.stringify(text)} is neither a Seq nor id:<n>`,
    );
  return text.startsWith('id:') ? { ID: number } : { Seq: number };
}
