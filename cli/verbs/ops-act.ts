/** Maintenance verbs that change something: run an operation, or skip one for a while. */
import { Option } from 'commander';
import { processExit, TidemarkError } from '../../contracts/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { OpsProgress } from '../../worker/operators/control-ops.ts';
import type { RunReport } from '../../worker/ops/operation.ts';
import { type Ask, workerOr } from './control-client.ts';
import { withOperations } from '../offline/ops-here.ts';
import { duration, print, printJson, say, table } from '../terminal/output.ts';
import { collect, type VerbCall, type VerbSpec } from '../verb.ts';

const pollMs = 200;
export const opsDir = new Option(
  '--ops-dir <folder>',
  "folder of the operator's operations (default: <data>/ops); a running worker uses its own",
);

export const opsActVerbs: readonly VerbSpec[] = [
  {
    name: 'run',
    summary: 'run all pending operations, or one by its id',
    args: [['[id]', "a shipped operation, or one of the operator's"]],
    run,
    examples: ['ops run --dry-run', 'ops run compact', 'ops run verify-applied --set repair=yes'],
    options: [
      opsDir,
      new Option('--dry-run', 'execute, report the rows that would change, and roll back'),
      new Option('--set <name=value>', 'argument of the operation; may be repeated').argParser(
        collect,
      ),
      new Option('--allow-out-of-order', 'also operations that sort before one already applied'),
    ],
    notes:
      "A running worker does it; without one this command does, holding the writer's lock. " +
      'Exit 1 when one failed, 6 when one was skipped.',
  },
  {
    name: 'skip',
    summary: 'skip one until a given time',
    args: [['<id>', 'operation']],
    run: skip,
    examples: [
      'ops skip 20260131-forget-refused --reason "asked the owner" --until 2026-02-28T00:00:00Z',
    ],
    options: [
      opsDir,
      new Option('--reason <text>', 'why').makeOptionMandatory(),
      new Option('--until <time>', 'when it is due again, ISO-8601').makeOptionMandatory(),
    ],
  },
];

async function run(call: VerbCall): Promise<number> {
  const {
    flags,
    args: [id],
    isJson,
  } = call;
  const args = argsOf(flags['set']);
  const isDryRun = flags['dryRun'] === true;
  const isAnyOrder = flags['allowOutOfOrder'] === true;
  const asked = {
    ...(id === undefined ? {} : { ID: id }),
    Args: args,
    IsDryRun: isDryRun,
    IsAnyOrder: isAnyOrder,
  };
  const report = await workerOr<RunReport>(
    call.config,
    (ask) => follow(ask, { Verb: 'run', ...asked }),
    () =>
      withOperations(call.config, { action: 'ops run', detail: asked }, (operations) => {
        const here = { isDryRun, isAnyOrder, by: 'cli' as const, say, args };
        return id === undefined ? operations.runPending(here) : operations.runOne(id, here);
      }),
  );
  if (isJson) printJson(report);
  else printReport(report);
  if (report.Results.some((one) => one.Result === 'failed')) return 1;
  return report.Results.some((one) => one.Result === 'skipped' || one.Result === 'interrupted')
    ? processExit.ATTENTION
    : 0;
}

/** Starts a run in the worker and follows it to its end. */
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
      `--until ${JSON.stringify(until)} is not a time like 2026-02-28T00:00:00Z`,
    );
  await workerOr<unknown>(
    call.config,
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
