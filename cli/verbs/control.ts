/** Verbs that ask or instruct a running worker: status, marks, assignment, pause and drain. */
import { Option } from 'commander';
import type { ControlVerb } from '../../contracts/control-verbs.ts';
import { isGuid } from '../../contracts/envelope.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { Capacity, LaneStatus, Location, WorkerStatus } from '../../contracts/status.ts';
import { isSubjectToken } from '../../contracts/subjects.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Ask, withControl } from './control-client.ts';
import { offlineOption, showOfflineStatus } from '../offline/offline-lines.ts';
import { coloured } from '../terminal/colour.ts';
import { duration, facts, print, printJson, size, table } from '../terminal/output.ts';
import { withProgress } from '../terminal/progress.ts';
import type { VerbCall, VerbSpec } from '../verb.ts';

const drainPollMs = 250;
const attentionExit = 6;
const notFoundExit = 3;

export const controlVerbs: readonly VerbSpec[] = [
  {
    name: 'status',
    summary: 'state of both lanes, lag and balance',
    topic: 'look',
    run: showStatus,
    options: [offlineOption],
    examples: [
      'status',
      'status --hub hub2 --json',
      'status --offline --data /var/lib/tidemark   # without worker and bus',
    ],
  },
  {
    name: 'locate',
    summary: 'where a write is',
    topic: 'look',
    args: [['<guid>', 'EventGUID of the write']],
    run: locate,
    examples: ['locate 0b8f6c1e-2d4a-4c3b-9f57-6a1d2e3f4a5b'],
    notes: 'Exit 3 when the worker never accepted it.',
  },
  {
    name: 'assign',
    summary: 'deliver to a connection of a beacon from now on',
    topic: 'act',
    run: assign,
    examples: ['assign db-1 1'],
    args: [
      ['<beacon>', 'BeaconID'],
      ['<connection>', 'IDBeaconConnection, an integer'],
    ],
  },
  {
    name: 'clear',
    summary: 'drop the assignment; writes are kept until the next one',
    topic: 'act',
    examples: ['clear'],
    run: (call) => tell(call, 'clear', 'assignment cleared'),
  },
  {
    name: 'pause',
    summary: 'stop delivering; writes are still accepted',
    topic: 'act',
    examples: ['pause'],
    run: (call) => tell(call, 'pause', 'delivery paused'),
  },
  {
    name: 'resume',
    summary: 'deliver again',
    topic: 'act',
    examples: ['resume'],
    run: (call) => tell(call, 'resume', 'delivery resumed'),
  },
  {
    name: 'drain',
    summary: 'let the worker finish what it accepted, then stop (an `up` restarts it)',
    topic: 'act',
    run: drain,
    examples: ['drain', 'drain --until-empty   # before a database is changed'],
    options: [
      new Option(
        '--until-empty',
        'only once nothing is undelivered; exit 6 if dead letters are left',
      ),
    ],
  },
];

async function showStatus(call: VerbCall): Promise<void> {
  if (call.flags['offline'] === true) return showOfflineStatus(call);
  const { config, isJson } = call;
  const status = await withControl(config, (ask) => ask<WorkerStatus>('status'));
  if (isJson) return printJson(status);
  const bus = status.Bus.Connected ? status.Bus.Server : 'away';
  print(
    `hub ${status.HubID}: ${coloured(status.State)}  (tidemark ${status.Version}, bus ` +
      `${bus}, since ${status.StartedAt})`,
  );
  print(
    table(
      [
        'lane',
        'state',
        'beacon',
        'connection',
        'by',
        'carrier',
        'head',
        'mark',
        'pending',
        'oldest',
        'dead letters',
      ],
      [laneRow('queue', status.Queue), laneRow('manifest', status.Manifest)],
    ),
  );
  for (const [lane, { LastError }] of [
    ['queue', status.Queue],
    ['manifest', status.Manifest],
  ] as const) {
    if (LastError) print(`${lane}: ${LastError}`);
  }
  if (status.Drill)
    print(
      `drill: ${status.Drill.BeaconID} counts as away until ${status.Drill.Until}; tidemark drill --stop ends it`,
    );
  print(capacityLine(status.Capacity));
}

function capacityLine({
  UsedBytes,
  BytesMax,
  FreeBytes,
  PendingMax,
  Refusing,
  TimeToFullSeconds,
}: Capacity): string {
  const room =
    `journal ${size(UsedBytes)} of ${size(BytesMax)}, at most ${PendingMax} ` +
    `undelivered, disk ${FreeBytes === null ? 'unknown' : size(FreeBytes)} free`;
  const when =
    TimeToFullSeconds === null
      ? ''
      : `, full in ${duration(TimeToFullSeconds * 1000)} at this rate`;
  return Refusing === null ? `${room}${when}` : `${room}\nwrites are refused: ${Refusing}`;
}

function laneRow(name: string, lane: LaneStatus) {
  const state = lane.IsPaused ? `${lane.State}, paused` : lane.State;
  return [
    name,
    state,
    lane.AssignedBeaconID,
    lane.AssignedBeaconID === null ? null : String(lane.IDBeaconConnection),
    lane.AssignedBy,
    lane.Carrier,
    lane.Seq.Head,
    lane.Seq.Mark,
    lane.Pending,
    lane.Pending > 0 ? duration(lane.OldestPendingMs) : null,
    lane.DeadLetters,
  ];
}

async function locate({ config, args, isJson }: VerbCall): Promise<number> {
  const [guid = ''] = args;
  if (!isGuid(guid))
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${JSON.stringify(guid)} is not an EventGUID: expected the UUID of the write; ` +
        'tidemark journal ls lists them',
    );
  const location = await withControl(config, (ask) => ask<Location>('locate', { EventGUID: guid }));
  if (isJson) printJson(location);
  else print(facts(Object.entries(location).map(([name, value]) => [name, value] as const)));
  return location.State === 'unknown' ? notFoundExit : 0;
}

async function assign({ config, args, isJson }: VerbCall): Promise<void> {
  const [beacon = '', number = ''] = args;
  const connection = Number(number);
  // Legacy beacons use 0; the worker knows which beacons are legacy.
  if (!/^\d+$/.test(number) || !Number.isSafeInteger(connection)) {
    const swapped =
      /^\d+$/.test(beacon) && isSubjectToken(number)
        ? `; did you mean tidemark assign ${number} ${beacon}?`
        : '';
    throw new TidemarkError(
      'CONFIG_INVALID',
      `connection ${JSON.stringify(number)} is not an integer of at least 1${swapped}`,
    );
  }
  if (!isSubjectToken(beacon))
    throw new TidemarkError(
      'CONFIG_INVALID',
      `beacon ${JSON.stringify(beacon)} is not a BeaconID: expected 1 to 64 of A-Z, a-z, 0-9, _ and -`,
    );
  const body = { BeaconID: beacon, IDBeaconConnection: connection };
  const reply = await withControl(config, (ask) => ask<object>('assign', body));
  if (isJson) printJson(reply);
  else print(`assigned to ${beacon}, connection ${connection}`);
}

async function tell({ config, isJson }: VerbCall, verb: ControlVerb, done: string): Promise<void> {
  const reply = await withControl(config, (ask) => ask<object>(verb));
  if (isJson) printJson(reply);
  else print(done);
}

async function drain({ config, flags, isJson }: VerbCall): Promise<number> {
  return withControl(config, async (ask) => {
    // Wait first, then drain: a draining worker stops answering.
    const status =
      flags['untilEmpty'] === true ? await withProgress((tell) => untilEmpty(ask, tell)) : null;
    const reply = await ask<object>('drain');
    if (status === null) {
      if (isJson) printJson(reply);
      else
        print(
          'draining: the worker finishes what it accepted and stops; undelivered writes stay in its journal',
        );
      return 0;
    }
    const deadLetters = status.Queue.DeadLetters + status.Manifest.DeadLetters;
    if (isJson) printJson(status);
    else
      print(
        deadLetters === 0
          ? 'empty: every accepted write is delivered'
          : `delivered, but ${deadLetters} dead letters are left: tidemark dead-letters ls`,
      );
    return deadLetters === 0 ? 0 : attentionExit;
  });
}

/** Once the mark has reached the head, what is still pending is parked behind dead letters. */
async function untilEmpty(ask: Ask, tell: (line: string) => void): Promise<WorkerStatus> {
  for (;;) {
    const status = await ask<WorkerStatus>('status');
    const lanes = [status.Queue, status.Manifest];
    if (lanes.every((lane) => lane.Pending === 0 || lane.Seq.Mark >= lane.Seq.Head)) return status;
    tell(`${lanes.reduce((sum, lane) => sum + lane.Pending, 0)} undelivered, ${status.State}`);
    await systemClock.sleep(drainPollMs);
  }
}
