/** Verbs about who may do what, and who did: the operators' log. */
import { Option } from 'commander';
import { limits } from '../../contracts/limits.ts';
import { offlineActions } from '../offline-actions.ts';
import type { OperatorActions } from '../operator-log.ts';
import { withControl } from './control.ts';
import { offlineOption } from './offline.ts';
import { print, printJson, say, table } from './output.ts';
import { countFrom, type VerbCall, type VerbSpec } from './verb.ts';

export const accessVerbs: readonly VerbSpec[] = [
  {
    name: 'log', summary: 'what operators changed or tried to: when, who, what, how it ended', run: showLog,
    options: [
      new Option('--limit <n>', `lines, the newest first (default: ${limits.operatorActionsShown})`).argParser(countFrom(1)),
      new Option('--before <id>', 'only lines before this one').argParser(countFrom(1)),
      offlineOption,
    ],
    notes: 'Over HTTP it is the name of the token; on the bus `bus:` and who the caller says it is. docs/SECURITY.md has more.\nExamples:\n  tidemark log --limit 20\n  tidemark log --json --offline --data ./tidemark-data',
  },
];

async function showLog({ config, flags, isJson }: VerbCall): Promise<void> {
  const body = { Limit: (flags['limit'] as number | undefined) ?? null, Before: (flags['before'] as number | undefined) ?? null };
  const actions = flags['offline'] === true ? offlineActions(config.data, body) : await withControl(config, (ask) => ask<OperatorActions>('operator-log', body));
  if (isJson) return printJson(actions);
  print(table(['id', 'at', 'who', 'via', 'action', 'outcome', 'detail', 'reason'], actions.Actions.map((one) => [one.ID, one.At, one.Who, one.Via, one.Action, one.Outcome, one.Detail, one.Reason])));
  if (actions.Next !== null) say(`more: --before ${actions.Next}`);
}
