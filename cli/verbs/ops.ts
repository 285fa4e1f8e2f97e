/**
 * Verbs of maintenance: what was run on this store and what is pending, running, skipping, and a
 * new operation's file.
 */
import { Option } from 'commander';
import { processExit, TidemarkError } from '../../contracts/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { OpsProgress } from '../../worker/operators/control-ops.ts';
import { lookAtHistory, lookAtStatus } from '../../worker/ops/look.ts';
import type { RunReport } from '../../worker/ops/operation.ts';
import { newOperation } from '../../worker/ops/scaffold.ts';
import type { AttemptView, OperationsView } from '../../worker/ops/views.ts';
import { type Ask, withControl } from './control-client.ts';
import { isAway, withOperations } from '../offline/ops-here.ts';
import { duration, print, printJson, say, table } from '../terminal/output.ts';
import { collect, type VerbCall, type VerbSpec } from '../verb.ts';

const pollMs = 200;
const opsDir = new Option(
  '--ops-dir <folder>',
  "folder of the operator's operations (default: <data>/ops); a running worker has its own",
);

export const opsVerbs: readonly VerbSpec[] = [
  {
    name: 'status',
    summary:
      'what is pending, applied, failed; exit 6 when something wants attention, 3 when nothing is known',
    options: [opsDir],
    run: showStatus,
    alias: 'ls',
    examples: ['ops status'],
  },
  {
    name: 'new',
    summary: 'make the file of a new operation',
    args: [['<purpose...>', 'a few words; become its name']],
    options: [opsDir],
    run: makeNew,
    examples: ['ops new forget refused messages'],
  },
  {
    name: 'run',
    summary: 'run what is pending, or one by its id',
    args: [['[id]', "a shipped operation, or one of the operator's"]],
    run,
    examples: ['ops run --dry-run', 'ops run compact', 'ops run verify-applied --set repair=yes'],
    options: [
      opsDir,
      new Option('--dry-run', 'execute, tell the rows that would change, and roll back'),
      new Option('--set <name=value>', 'argument of the operation; may be repeated').argParser(
        collect,
      ),
      new Option('--allow-out-of-order', 'also those that come before one that is applied already'),
    ],
    notes:
      "A running worker does it, else this command does, with the writer's lock. Exit 1 " +
      'when one failed, 6 when one was left out.',
  },
  {
    name: 'skip',
    summary: 'leave one out until a time',
    args: [['<id>', 'operation']],
    run: skip,
    examples: [
      'ops skip 20260131-forget-refused --reason "asked the owner" --until 2026-02-28T00:00:00Z',
    ],
    options: [
      opsDir,
      new Option('--reason <text>', 'why').makeOptionMandatory(),
      new Option('--until <time>', 'when it comes back, ISO').makeOptionMandatory(),
    ],
  },
  {
    name: 'history',
    summary: 'attempts, newest first',
    args: [['[id]', 'of one operation only']],
    run: showHistory,
    alias: 'log',
    examples: ['ops history', 'ops history compact --json'],
  },
];

/** Asks the worker; without one, does it here. */
async function workerOr<T>(
  { config }: VerbCall,
  ask: (ask: Ask) => Promise<T>,
  here: () => Promise<T> | T,
): Promise<T> {
  let isReached = false;
  try {
    return await withControl(config, (control) =>
      ask(async (verb, body) => {
        const reply = await control(verb, body);
        isReached = true;
        return reply as never;
      }),
    );
  } catch (error) {
    // A worker that went away in the middle may have done it, or half of it: that is not ours to
    // repeat.
    if (isReached || !isAway(error)) throw error;
    return here();
  }
}

async function showStatus(call: VerbCall): Promise<number> {
  const status = await workerOr<OperationsView>(
    call,
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

async function run(call: VerbCall): Promise<number> {
  const {
    flags,
    args: [id],
    isJson,
  } = call;
  const set = argsOf(flags['set']);
  const request = {
    isDryRun: flags['dryRun'] === true,
    isAnyOrder: flags['allowOutOfOrder'] === true,
  };
  const report = await workerOr<RunReport>(
    call,
    (ask) =>
      follow(ask, {
        Verb: 'run',
        ...(id === undefined ? {} : { ID: id }),
        Args: set,
        IsDryRun: request.isDryRun,
        IsAnyOrder: request.isAnyOrder,
      }),
    () =>
      withOperations(
        call.config,
        {
          action: 'ops run',
          detail: {
            ...(id === undefined ? {} : { ID: id }),
            Args: set,
            IsDryRun: request.isDryRun,
            IsAnyOrder: request.isAnyOrder,
          },
        },
        (operations) => {
          const here = { ...request, by: 'cli' as const, say, args: set };
          return id === undefined ? operations.runPending(here) : operations.runOne(id, here);
        },
      ),
  );
  if (isJson) printJson(report);
  else printReport(report);
  if (report.Results.some((one) => one.Result === 'failed')) return 1;
  return report.Results.some((one) => one.Result === 'skipped' || one.Result === 'interrupted')
    ? processExit.ATTENTION
    : 0;
}

/** Starts a run in the worker and waits for its end. */
async function follow(ask: Ask, body: object): Promise<RunReport> {
  const { Run } = await ask<{ Run: string }>('ops', body);
  for (let from = 0; ;) {
    const progress = await ask<OpsProgress>('ops', { Verb: 'progress', Run, From: from });
    progress.Lines.forEach(say);
    from = progress.Next;
    if (progress.Refusal) throw new TidemarkError(progress.Refusal.Code, progress.Refusal.Reason);
    if (progress.Report) return progress.Report;
    await systemClock.sleep(pollMs);
  }
}

function printReport({ Results, NotAttempted }: RunReport): void {
  print(
    table(
      ['operation', 'result', 'steps', 'rows', 'took', 'note'],
      Results.map((one) => [
        one.ID,
        one.Result.replace('_', ' '),
        one.Steps,
        one.Changes,
        duration(one.DurationMs),
        one.Error ?? one.Note,
      ]),
      'nothing is pending',
    ),
  );
  for (const { ID, Tables } of Results.filter((one) => one.Tables)) {
    const rows = Object.entries(Tables ?? {}).map(([name, { Inserted, Updated, Deleted }]) => [
      name,
      Inserted,
      Updated,
      Deleted,
    ]);
    print(
      `\n${ID} would change, and was rolled ` +
        `back:\n${table(['table', 'inserted', 'updated', 'deleted'], rows, 'nothing')}`,
    );
  }
  if (NotAttempted > 0) print(`${NotAttempted} not attempted`);
}

async function skip(call: VerbCall): Promise<void> {
  const [id = ''] = call.args;
  const [reason, until] = [String(call.flags['reason']), String(call.flags['until'])];
  if (!/^\d{4}-\d\d-\d\d/.test(until) || !Number.isFinite(Date.parse(until)))
    throw new TidemarkError(
      'CONFIG_INVALID',
      `--until ${JSON.stringify(until)} is no time like 2026-02-28T00:00:00Z`,
    );
  await workerOr<unknown>(
    call,
    (ask) => ask('ops', { Verb: 'skip', ID: id, Reason: reason, Until: until }),
    () =>
      withOperations(
        call.config,
        { action: 'ops skip', detail: { ID: id, Reason: reason, Until: until } },
        (operations) => operations.skip(id, { reason, untilMs: Date.parse(until), by: 'cli' }),
      ),
  );
  if (call.isJson) printJson({ Success: true });
  else print(`${id} is skipped until ${until}`);
}

async function showHistory(call: VerbCall): Promise<void> {
  const id = call.args[0] ?? null;
  const { Attempts } = await workerOr<{ Attempts: AttemptView[] }>(
    call,
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
      'nothing was ever run',
    ),
  );
}

function argsOf(flag: unknown): Record<string, string> {
  const pairs = Array.isArray(flag) ? (flag as string[]) : [];
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1)
        throw new TidemarkError(
          'CONFIG_INVALID',
          `--set ${JSON.stringify(pair)}: expected name=value`,
        );
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
