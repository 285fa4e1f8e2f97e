/**
 * Maintenance verbs that only look: what is pending, what was run; and one that creates the file of
 * a new operation.
 */
import { processExit } from '../../contracts/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { lookAtHistory, lookAtStatus } from '../../worker/ops/look.ts';
import { newOperation } from '../../worker/ops/scaffold.ts';
import type { AttemptView, OperationsView } from '../../worker/ops/views.ts';
import { workerOr } from './control-client.ts';
import { opsActVerbs, opsDir } from './ops-act.ts';
import { duration, print, printJson, table } from '../terminal/output.ts';
import type { VerbCall, VerbSpec } from '../verb.ts';

export const opsVerbs: readonly VerbSpec[] = [
  {
    name: 'status',
    summary:
      'what is pending, applied, failed; exit 6 when something needs attention, 3 without a store',
    options: [opsDir],
    run: showStatus,
    alias: 'ls',
    examples: ['ops status'],
  },
  {
    name: 'new',
    summary: 'create the file of a new operation',
    args: [['<purpose...>', 'a few words that become its name']],
    options: [opsDir],
    run: makeNew,
    examples: ['ops new forget refused messages'],
  },
  ...opsActVerbs,
  {
    name: 'history',
    summary: 'past runs, newest first',
    args: [['[id]', 'of one operation only']],
    run: showHistory,
    alias: 'log',
    examples: ['ops history', 'ops history compact --json'],
  },
];

async function showStatus(call: VerbCall): Promise<number> {
  const status = await workerOr<OperationsView>(
    call.config,
    (ask) => ask('ops', { Verb: 'status' }),
    () => lookAtStatus(call.config.data, call.config.ops.folder, systemClock.nowMs()),
  );
  if (call.isJson) printJson(status);
  else {
    print(
      table(
        ['operation', 'state', 'by', 'at', 'rows', 'note'],
        status.Operations.map((one) => [
          one.ID,
          stateOf(one),
          one.By,
          one.At ?? one.LastAt,
          one.Changes,
          one.LastError ?? one.Note ?? one.Title,
        ]),
        `no operations in ${status.Folder}`,
      ),
    );
    print('');
    print(
      table(
        ['shipped', 'last run', 'result', 'about'],
        status.Shipped.map((one) => [
          one.ID,
          one.LastAt,
          one.LastResult,
          one.LastError ?? one.LastNote ?? one.Title,
        ]),
      ),
    );
    if (status.Problem) print(`problem: ${status.Problem}`);
  }
  const isClean =
    status.Pending + status.Failed + status.Skipped + status.Drift === 0 && status.Problem === null;
  return isClean ? 0 : processExit.ATTENTION;
}

function stateOf({
  State,
  IsDrifted,
  SameAs,
  LateBehind,
  IsFileGone,
  Until,
}: OperationsView['Operations'][number]): string {
  const marks = [
    IsDrifted && 'edited since',
    SameAs && `same content as ${SameAs}`,
    LateBehind && `late, behind ${LateBehind}`,
    IsFileGone && 'its file is gone',
    State === 'skipped' && Until && `until ${Until}`,
  ];
  return [State, ...marks.filter(Boolean)].join(', ');
}

function makeNew({ config, args, isJson }: VerbCall): void {
  const path = newOperation(config.ops.folder, args.join(' '), systemClock.nowMs());
  if (isJson) printJson({ Path: path });
  else print(path);
}

async function showHistory(call: VerbCall): Promise<void> {
  const id = call.args[0] ?? null;
  const { Attempts } = await workerOr<{ Attempts: AttemptView[] }>(
    call.config,
    (ask) => ask('ops', { Verb: 'history', ...(id === null ? {} : { ID: id }) }),
    () => ({ Attempts: lookAtHistory(call.config.data, id) }),
  );
  if (call.isJson) return printJson({ Attempts });
  print(
    table(
      [
        'operation',
        'type',
        'result',
        'by',
        'host',
        'pid',
        'version',
        'started',
        'took',
        'rows',
        'note',
      ],
      Attempts.map((one) => [
        one.ID,
        one.Type,
        one.Result,
        one.By,
        one.Host,
        String(one.Pid),
        one.Version,
        one.StartedAt,
        one.EndedAt === null ? null : duration(Date.parse(one.EndedAt) - Date.parse(one.StartedAt)),
        one.Changes,
        one.Error ?? one.Note,
      ]),
      'nothing has been run yet',
    ),
  );
}
