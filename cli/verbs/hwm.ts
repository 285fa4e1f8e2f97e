/** Verbs about high-water marks: show them, plan to move one, move it. */
import { userInfo } from 'node:os';
import { Option } from 'commander';
import { TidemarkError } from '../../contracts/errors.ts';
import type { MarksFile } from '../../contracts/status.ts';
import type {
  BackendFinding,
  LanePlan,
  MarkPlan,
  MarksSet,
  MarkTarget,
  SeqRange,
} from '../../contracts/mark-move.ts';
import { lanes } from '../../contracts/subjects.ts';
import { withControl } from './control-client.ts';
import { offlineOption, readOfflineMarks } from '../offline/offline-lines.ts';
import { print, printJson, table } from '../terminal/output.ts';
import { countFrom, type VerbCall, type VerbSpec } from '../verb.ts';

/** A plan reads every entry between the marks; on a large journal that takes a while. */
const moveMarkMs = 120_000;

const target = [
  new Option(
    '--to <seq|time>',
    'Seq to move the mark to, or a time: everything accepted at or after it is sent again',
  ).makeOptionMandatory(),
  new Option('--lane <lane>', 'only this lane (default: both)').choices(lanes),
  new Option('--beacon <id>', 'a database other than the assigned one, with --connection'),
  new Option('--connection <n>', 'connection of --beacon').argParser(countFrom(1)),
];

export const hwmVerbs: readonly VerbSpec[] = [
  {
    name: 'show',
    summary: 'the mark of each lane at each database',
    run: showMarks,
    options: [offlineOption],
    alias: 'ls',
    examples: ['hwm show', 'hwm show --offline --json'],
  },
  {
    name: 'plan',
    summary: 'what moving marks would do; changes nothing',
    run: plan,
    options: target,
    examples: ['hwm plan --to 2026-01-31T12:00:00Z', 'hwm plan --to 1763712000000042 --lane queue'],
  },
  {
    name: 'set',
    summary: 'move marks, while delivery is paused: back to send again, forwards to skip',
    run: set,
    options: [
      ...target,
      new Option('--reason <text>', 'why; kept on record').makeOptionMandatory(),
      new Option('--force', 'move forwards: the skipped writes are not sent'),
      new Option('--plan <id>', 'only if that plan still applies'),
    ],
    examples: ['hwm set --to 2026-01-31T12:00:00Z --reason "restored last night\'s backup"'],
    notes:
      'Going back is safe: the database keeps newer rows. Going forwards skips the writes ' +
      'between; going back later sends them after all.',
  },
];

async function showMarks(call: VerbCall): Promise<void> {
  const marks =
    call.flags['offline'] === true
      ? readOfflineMarks(call)
      : await withControl(call.config, (ask) => ask<MarksFile>('hwm'));
  if (call.isJson) return printJson(marks);
  const rows = (['Queue', 'Manifest'] as const).flatMap((lane) =>
    Object.entries(marks[lane]).flatMap(([beacon, connections]) =>
      Object.entries(connections).map(([connection, mark]) => [
        lane.toLowerCase(),
        beacon,
        connection,
        mark.Seq,
        mark.Pending,
        mark.EventGUID,
        mark.RecordedAt,
        mark.AppliedAt,
      ]),
    ),
  );
  print(
    table(
      ['lane', 'beacon', 'connection', 'seq', 'pending', 'event', 'recorded', 'applied'],
      rows,
      '(no marks yet)',
    ),
  );
}

async function plan({ config, flags, isJson }: VerbCall): Promise<void> {
  const wanted = targetOf(flags);
  const found = await withControl(config, (ask) =>
    ask<MarkPlan>('hwm', { plan: wanted }, moveMarkMs),
  );
  if (isJson) return printJson(found);
  for (const one of found.Lanes) print(linesOf(one).join('\n'));
  print(`plan ${found.Plan}`);
}

async function set({ config, flags, isJson }: VerbCall): Promise<void> {
  const request = {
    ...targetOf(flags),
    Reason: String(flags['reason']),
    Force: flags['force'] === true,
    By: userInfo().username,
    ...(typeof flags['plan'] === 'string' ? { Plan: flags['plan'] } : {}),
  };
  const done = await withControl(config, (ask) =>
    ask<MarksSet>('hwm', { set: request }, moveMarkMs),
  );
  if (isJson) return printJson(done);
  for (const { Lane, BeaconID, IDBeaconConnection, From, To, Again, Skipped } of done.Lanes) {
    print(
      `${Lane} at ${BeaconID}/${IDBeaconConnection}: from ${From} to ${To}, ` +
        (To < From ? `${Again} are sent again` : `${Skipped} are skipped`),
    );
  }
  print(
    done.Lanes.length === 0
      ? 'nothing to move: the marks are there already'
      : 'now: tidemark resume',
  );
}

function targetOf(flags: VerbCall['flags']): MarkTarget {
  const [to, lane, beacon, connection] = [
    String(flags['to']),
    flags['lane'],
    flags['beacon'],
    flags['connection'],
  ];
  if ((beacon === undefined) !== (connection === undefined))
    throw new TidemarkError('CONFIG_INVALID', '--beacon and --connection go together');
  if (!/^\d+$/.test(to) && !/^\d{4}-\d\d-\d\d/.test(to))
    throw new TidemarkError(
      'CONFIG_INVALID',
      `--to ${JSON.stringify(to)} is neither a Seq nor a time like 2026-01-31T12:00:00Z`,
    );
  return {
    To: /^\d+$/.test(to) ? Number(to) : to,
    ...(lane === undefined ? {} : { Lane: lane as MarkTarget['Lane'] & string }),
    ...(beacon === undefined
      ? {}
      : { BeaconID: String(beacon), IDBeaconConnection: Number(connection) }),
  };
}

function linesOf(one: LanePlan): string[] {
  const verb = one.Direction === 'forwards' ? 'would be skipped' : 'would be sent again';
  const where = `${one.Lane} at ${one.BeaconID}/${one.IDBeaconConnection}: from ${one.From} to ${one.To}`;
  if (one.Direction === 'none') return [`${where}, nothing to move`];
  return [
    `${where}, ${one.Direction}`,
    one.Stretch ? `  ${rangeOf(one.Stretch)} ${verb}` : `  nothing ${verb}`,
    ...(one.Gone ? [`  ${rangeOf(one.Gone)} no longer have a body and cannot be sent again`] : []),
    ...(one.Held > 0
      ? [
          `  ${one.Held} of them are dead letters, parked or dropped, and ` +
            (one.Direction === 'forwards' ? 'would be dropped' : 'stay that way'),
        ]
      : []),
    ...(one.Skipped > 0 ? [`  ${one.Skipped} of them were skipped by an earlier hwm set`] : []),
    ...one.Tables.map(({ Table, Entries, Keys }) => `  ${Table}: ${Entries} of ${Keys} keys`),
    ...one.Keys.map(({ Key, Entries }) => `    ${Key}: ${Entries}`),
    ...one.Rows.map(
      (row) => `  ${row.Seq} ${row.Action} ${row.Key} ${row.EventGUID} ${row.AcceptedAt}`,
    ),
    ...(one.Rows.length > 0 && one.Stretch && one.Rows.length < one.Stretch.Entries
      ? [`  and ${one.Stretch.Entries - one.Rows.length} more`]
      : []),
    `  ${backendLine(one.Backend)}`,
  ];
}

function rangeOf({ Entries, First, Last }: SeqRange): string {
  return `${Entries} entries, Seq ${First} to ${Last},`;
}

function backendLine(backend: BackendFinding): string {
  if (!backend.IsThere) return `the database could not be checked: ${backend.Reason}`;
  const mark = backend.Mark
    ? `its own mark is ${backend.Mark.Seq} (epoch ${backend.Mark.Epoch})`
    : 'it has no mark of its own';
  return (
    `${mark}; of ${backend.Checked} entries looked up it has ` +
    `${backend.Has}${backend.Lacks.length > 0 ? `, not ${backend.Lacks.join(', ')}` : ''}`
  );
}
