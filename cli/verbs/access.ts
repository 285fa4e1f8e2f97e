/** Verbs about permissions on the bus, and about the log of what operators did. */
import { Option } from 'commander';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { isSubjectToken } from '../../contracts/subjects.ts';
import { offlineActions } from '../offline/offline-actions.ts';
import type { OperatorActions } from '../../worker/operators/operator-log.ts';
import { permissionsOf, permissionsText, type Process, processes } from '../permissions.ts';
import { withControl } from './control-client.ts';
import { offlineOption } from '../offline/offline-lines.ts';
import { print, printJson, say, table } from '../terminal/output.ts';
import { acceptUnscoped, countFrom, type VerbCall, type VerbSpec } from '../verb.ts';

const defaultBeacon = 'db-1';

export const accessVerbs: readonly VerbSpec[] = [
  {
    name: 'log',
    summary: 'what operators changed or tried to change: when, who, what, how it ended',
    topic: 'look',
    run: showLog,
    examples: ['log --limit 20', 'log --json --offline --data ./tidemark-data'],
    options: [
      new Option(
        '--limit <n>',
        `lines, the newest first (default: ${limits.operatorActionsShown})`,
      ).argParser(countFrom(1)),
      new Option('--before <id>', 'only lines before this one').argParser(countFrom(1)),
      offlineOption,
    ],
    notes:
      'Who acted: over HTTP the name of the token; on the bus `bus:` and the name the caller ' +
      "gives; without a worker the system's user. docs/SECURITY.md has more.",
  },
  {
    name: 'permissions',
    summary: 'what each process must be allowed on the bus, as configuration of nats-server',
    topic: 'look',
    run: showPermissions,
    examples: [
      'permissions worker --hub hub1 --beacon db-1',
      'permissions --json --intake jetstream',
    ],
    args: [['[process]', `one of ${processes.join(', ')}; all of them when omitted`]],
    options: [
      new Option(
        '--beacon <id>',
        `databeacon the worker delivers to, or the beacon itself; * for any (default: ${defaultBeacon})`,
      ),
      new Option('--intake <kind>', 'jetstream: include one-way messages from a stream').choices([
        'none',
        'jetstream',
      ]),
      new Option('--lab', 'the worker assigns for other hubs too (/api/lab)'),
      acceptUnscoped,
    ],
  },
];

function showPermissions({ config, flags, args, isJson }: VerbCall): void {
  const [named] = args;
  if (named !== undefined && !processes.includes(named as Process))
    throw new TidemarkError(
      'CONFIG_INVALID',
      `process ${JSON.stringify(named)}: expected one of ${processes.join(', ')}`,
    );
  const beacon = typeof flags['beacon'] === 'string' ? flags['beacon'] : defaultBeacon;
  if (beacon !== '*' && !isSubjectToken(beacon))
    throw new TidemarkError(
      'CONFIG_INVALID',
      `beacon ${JSON.stringify(beacon)}: expected *, or 1 to 64 of A-Z, a-z, 0-9, _ and -`,
    );
  const settings = {
    hub: config.hub,
    beacon,
    isOneWayOn: config.intake === 'jetstream',
    isLab: flags['lab'] === true,
    isUnscoped: config.acceptsUnscoped,
  };
  const shown = processes
    .filter((one) => named === undefined || one === named)
    .map((one) => [one, permissionsOf(one, settings)] as const);
  if (isJson) return printJson(Object.fromEntries(shown));
  print(
    [
      'authorization {',
      '  users = [',
      ...shown.map((one) => permissionsText(...one)),
      '  ]',
      '}',
    ].join('\n'),
  );
}

async function showLog({ config, flags, isJson }: VerbCall): Promise<void> {
  const body = {
    Limit: (flags['limit'] as number | undefined) ?? null,
    Before: (flags['before'] as number | undefined) ?? null,
  };
  const actions =
    flags['offline'] === true
      ? offlineActions(config.data, body)
      : await withControl(config, (ask) => ask<OperatorActions>('operator-log', body));
  if (isJson) return printJson(actions);
  print(
    table(
      ['id', 'at', 'who', 'via', 'action', 'outcome', 'detail', 'reason'],
      actions.Actions.map((one) => [
        one.ID,
        one.At,
        one.Who,
        one.Via,
        one.Action,
        one.Outcome,
        one.Detail,
        one.Reason,
      ]),
    ),
  );
  if (actions.Next !== null) say(`more: --before ${actions.Next}`);
}
