/** Who waits for "applied": bounded, and no burden on what is settled. */
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import type { WriteReply } from '../../../contracts/reply.ts';
import { AppliedWaiters } from '../../../worker/intake/applied-waiters.ts';
import { ManualClock } from '../../kit/manual-clock.ts';

function replyOf(seq: number): WriteReply {
  return {
    Available: true,
    Success: true,
    Durability: 'synced',
    Seq: seq,
    EventGUID: `${seq}`,
    Duplicate: false,
  };
}

function start() {
  const clock = new ManualClock();
  const lane = { mark: 0, dead: new Set<number>(), asked: 0 };
  const waiters = new AppliedWaiters({
    clock,
    whyNot: (_, seq) => {
      lane.asked += 1;
      if (lane.dead.has(seq)) return 'dead letter';
      return seq > lane.mark ? 'not yet' : null;
    },
    markOf: () => lane.mark,
  });
  const answers: string[] = [];
  const wait = (seq: number, waitMs = 60_000) =>
    waiters.wait('queue', replyOf(seq), waitMs).then((reply) => {
      answers.push(`${reply.Seq} ${reply.Durability}${reply.Reason ? ` ${reply.Reason}` : ''}`);
    });
  return { clock, lane, waiters, wait, answers };
}

test('a settlement looks up only those it releases, however many wait (I14)', async () => {
  const { lane, waiters, wait } = start();
  const all = Array.from({ length: limits.appliedWaitersMax }, (_, at) => wait(at + 1));
  lane.asked = 0;
  for (let batch = 1; batch <= 100; batch += 1) {
    lane.mark = batch;
    waiters.check('queue');
  }
  expect(lane.asked).toBe(100);
  lane.mark = limits.appliedWaitersMax;
  waiters.check('queue');
  await Promise.all(all);
  expect(waiters.waiting).toBe(0);
});

test('beyond the bound a sender is told at once that nobody waits for it (I14)', async () => {
  const { waiters, wait, answers } = start();
  for (let seq = 1; seq <= limits.appliedWaitersMax; seq += 1) void wait(seq);
  await wait(limits.appliedWaitersMax + 1);
  expect(answers).toEqual([
    expect.stringMatching(/^10001 synced not waited for: 10000 senders wait already$/),
  ]);
  expect(waiters.waiting).toBe(limits.appliedWaitersMax);
});

test('released are exactly those up to the mark, in whatever order they came', async () => {
  const { lane, waiters, wait, answers, clock } = start();
  const all = [5, 2, 9, 2, 7].map((seq) => wait(seq, 1_000));
  lane.mark = 5;
  waiters.check('queue');
  await Promise.resolve();
  await Promise.resolve();
  expect(answers.toSorted()).toEqual(['2 applied', '2 applied', '5 applied']);
  await clock.advance(1_000);
  await Promise.all(all);
  expect(answers.slice(3).toSorted()).toEqual([
    '7 synced not applied within 1000 ms: not yet',
    '9 synced not applied within 1000 ms: not yet',
  ]);
  expect(waiters.waiting).toBe(0);
});

test('a write that was blocked is answered once it is released, of many blocked ones in turn', async () => {
  const { lane, waiters, wait, answers } = start();
  for (let seq = 1; seq <= 250; seq += 1) lane.dead.add(seq);
  for (let seq = 1; seq <= 250; seq += 1) void wait(seq);
  lane.mark = 250;
  waiters.check('queue');
  lane.dead.delete(220);
  lane.asked = 0;
  for (let settled = 0; settled < 3; settled += 1) waiters.check('queue');
  expect(lane.asked).toBeLessThanOrEqual(3 * limits.blockedWaitersAsked);
  await Promise.resolve();
  await Promise.resolve();
  expect(answers).toEqual(['220 applied']);
  expect(waiters.waiting).toBe(249);
});
