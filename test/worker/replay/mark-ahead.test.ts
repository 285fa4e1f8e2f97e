/** A database that says it has what was never sent there: nothing counts as applied by it. */
import { expect, test } from 'vitest';
import type { ApplySettings } from '../../../contracts/capability.ts';
import type { RowMutation } from '../../../contracts/mutation.ts';
import type { Dispatcher } from '../../../worker/beacons/dispatcher.ts';
import { BatchCarrier } from '../../../worker/replay/carrier.ts';
import { upsert } from '../../kit/worker/fixture.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';

const forged = 2 ** 53 - 2;

/** Somebody moves the mark row of the lane, under its epoch. */
function forge(run: LaneRun, seq: number): void {
  const backup = run.database.backup();
  for (const mark of backup.content.marks.values()) mark.Seq = seq;
  run.database.restore(backup);
}

const write = (n: number) => upsert(`w${n}`, `w${n}`);

async function delivered(): Promise<LaneRun> {
  const run = LaneRun.ofTest();
  run.append(write(1));
  await run.rest();
  expect(run.balance.Applied).toBe(1);
  return run;
}

test('a mark beyond what was sent settles nothing: the lane stands still and says why (I5, I14)', async () => {
  const run = await delivered();
  forge(run, forged);
  run.append(write(2));
  await run.rest();
  expect(run.balance).toMatchObject({ Applied: 1, Pending: 1, Difference: 0 });
  expect(run.overview.lane('queue')).toMatchObject({
    State: 'error',
    LastError: expect.stringContaining("the database's mark is ahead of this journal") as string,
  });
  expect(run.overview.state()).toBe('error');
  expect(run.faults).toEqual([expect.stringContaining('assign the database again')]);
  expect(run.database.row('UVQueueWorkItem', 'w2')).toBeNull();
  run.append(write(3));
  await run.rest();
  expect(run.faults).toHaveLength(1);
});

test('assigned again, everything it lacks is sent under a new epoch (I5)', async () => {
  const run = await delivered();
  forge(run, forged);
  run.append(write(2));
  await run.rest();
  run.assigned = { beacon: 'a', connection: 1 };
  await run.rest();
  expect(run.balance).toMatchObject({ Applied: 2, Pending: 0, Difference: 0 });
  expect(run.database.row('UVQueueWorkItem', 'w2')).not.toBeNull();
  expect(run.overview.lane('queue').State).toBe('bootstrapped');
});

test('after a restart a mark no clock can have given is still a fault (I14)', async () => {
  const run = await delivered();
  forge(run, forged);
  await run.restart();
  run.append(write(2));
  await run.rest();
  expect(run.overview.lane('queue').State).toBe('error');
  expect(run.database.row('UVQueueWorkItem', 'w2')).toBeNull();
});

test('an older copy of the journal that is put back goes on, under a new epoch (I2, I8)', async () => {
  const run = await delivered();
  forge(run, (run.mark?.seq ?? 0) + 5);
  await run.restart();
  run.append(write(2));
  await run.rest();
  expect(run.balance).toMatchObject({ Applied: 2, Pending: 0, Difference: 0 });
  expect(run.faults).toEqual([expect.stringContaining('older copy of itself')]);
});

test('a batch whose answer was lost, with parked entries at its end, is sent from where the mark is (I5)', async () => {
  const sent: ApplySettings[] = [];
  let isLost = true;
  const marks = [{ Epoch: 'e', Seq: 10, UpdatedAt: '' }];
  const dispatcher = {
    pack: (settings: ApplySettings) => settings,
    send: async () => ({ Mark: marks.at(-1), StoreID: 's' }),
    sendPacked: async (
      _beacon: string,
      _capability: string,
      _action: string,
      it: ApplySettings,
    ) => {
      sent.push(it);
      marks.push({ Epoch: 'e', Seq: it.ThroughSeq, UpdatedAt: '' });
      if (isLost) throw new Error('no answer');
      return {
        Results: it.Mutations.map(() => ({ Outcome: 'applied' })),
        IsCommitted: true,
        Mark: marks.at(-1),
      };
    },
  } as unknown as Dispatcher;
  const carrier = new BatchCarrier(dispatcher, {
    beacon: 'b',
    connection: 1,
    hubId: 'h',
    lane: 'queue',
    epoch: 'e',
  });
  await carrier.mark();
  const mutation = { Seq: 11 } as RowMutation;
  const writes = [{ mutation, key: 'k', seqs: [11] }];
  const delivery = { writes, isBelowMark: false, afterSeq: 10 };
  await expect(carrier.apply({ ...delivery, throughSeq: 12 })).rejects.toThrow('no answer');
  isLost = false;
  await carrier.apply({ ...delivery, throughSeq: 15 });
  expect(sent.map(({ AfterSeq, AfterEpoch }) => [AfterEpoch, AfterSeq])).toEqual([
    ['e', 10],
    ['e', 12],
  ]);
});
