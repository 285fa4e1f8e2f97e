/**
 * Stores of the first release under today's worker, with a databeacon that has nothing yet:
 * everything arrives, and the counts come out.
 */
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { decodeBody } from '../../../contracts/body/codec.ts';
import type { LaneStatus, WorkerStatus } from '../../../contracts/status.ts';
import { subjects } from '../../../contracts/subjects.ts';
import { compareWithFold } from '../../kit/rows/compare.ts';
import { type FoldCall, foldCalls } from '../../kit/rows/fold.ts';
import { goldenFacts, type GoldenName, placeGolden } from '../../kit/worker/golden.ts';
import { connectHub, type TestHub } from '../../kit/processes/hub.ts';
import { TestNats } from '../../kit/servers/nats.ts';
import { TidemarkProcess } from '../../kit/processes/processes.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { until } from '../../kit/until.ts';

async function control<T>(hub: TestHub, verb: string, body: object = {}): Promise<T> {
  const reply = await hub.request(subjects.control('hub1', verb), JSON.stringify(body), {
    'Content-Type': 'application/json',
  });
  return decodeBody(reply.data, reply.headers) as T;
}

/** Waits until every lane's mark is at its head, and so many entries wait behind dead letters. */
function delivered(hub: TestHub, parked: number): Promise<WorkerStatus> {
  return until(
    'all is delivered',
    async () => {
      const status = await control<WorkerStatus>(hub, 'status');
      const isThrough = ({ State, Seq }: LaneStatus) =>
        State === 'bootstrapped' && Seq.Mark === Seq.Head;
      const isDone =
        isThrough(status.Queue) &&
        isThrough(status.Manifest) &&
        status.Queue.Pending + status.Manifest.Pending === parked;
      if (!isDone) throw new Error(JSON.stringify(status));
      return status;
    },
    { deadlineMs: 45_000 },
  );
}

/** The entries of a store as the calls they were. */
function callsIn(path: string): FoldCall[] {
  const db = new Database(path, { readonly: true });
  const rows = db
    .prepare<[], { action: string; body: string; eventGuid: string }>(
      "select action, body, '' as eventGuid from entry order by seq",
    )
    .all();
  db.close();
  return rows.map(({ action, body, eventGuid }) => {
    const name = action.slice(3);
    return {
      method: `${name.charAt(0).toLowerCase()}${name.slice(1)}`,
      args: Object.values(JSON.parse(body) as object),
      eventGuid,
    };
  });
}

test.each<[GoldenName, number]>([
  ['state-v1', 0],
  ['state-v1-held', 1],
])(
  '%s: all of it is delivered, with dead letters once they are retried (A4, I5, I10)',
  async (name, dead) => {
    using dir = tempDir('older');
    await using nats = await TestNats.start();
    const calls = callsIn(placeGolden(name, dir.at('worker')));
    const { Store, Lanes, Marks, Held } = goldenFacts(name);
    await using beacon = new TidemarkProcess([
      'beacon',
      '--id',
      Marks[0]?.beacon ?? '',
      '--db',
      `sqlite:${dir.at('backend.sqlite')}`,
      '--data',
      dir.at('beacon'),
      '--nats',
      nats.url,
    ]);
    await using worker = new TidemarkProcess([
      'worker',
      '--hub',
      'hub1',
      '--data',
      dir.at('worker'),
      '--http',
      '127.0.0.1:0',
      '--nats',
      nats.url,
    ]);
    await using hub = await connectHub(nats.url);
    const before = await delivered(hub, dead);
    expect(before).toMatchObject({
      Store,
      Queue: { DeadLetters: dead },
      Balance: { queue: { Difference: 0 }, manifest: { Difference: 0 } },
    });
    for (const { seq, state } of Held ?? [])
      if (state === 'dead') await control(hub, 'dead-letters', { Verb: 'retry', Seq: seq });
    const { Balance } = await delivered(hub, 0);
    const whole = (lane: number) => ({
      Accepted: Lanes[lane]?.accepted,
      Applied: Lanes[lane]?.accepted,
      Pending: 0,
      DeadLettered: 0,
      Difference: 0,
    });
    expect(Balance).toMatchObject({ queue: whole(0), manifest: whole(1) });
    // A lane whose mark was at its head may look at its new database later than the other.
    await until('every row is there', () => {
      const { rows, first } = compareWithFold(
        dir.at('backend.sqlite'),
        foldCalls(calls, 'hub1'),
        'hub1',
      );
      if (first.length > 0) throw new Error(JSON.stringify(first));
      return rows > 0;
    });
    expect([await worker.stop(), await beacon.stop()]).toEqual(['exit 0', 'exit 0']);
  },
  120_000,
);
