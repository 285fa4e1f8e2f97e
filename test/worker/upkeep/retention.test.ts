/** Retention: what it may take, and what it must never touch (I6). */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Assignments } from '../../../worker/beacons/assignments.ts';
import { Retention } from '../../../worker/upkeep/retention.ts';
import { event, patch, upsert } from '../../kit/worker/fixture.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';

const change = (key: string, n: number) => patch(key, `n${n}`, { Status: `s${n}`, [`F${n}`]: 1 });

function retentionOf(run: LaneRun, bounds: { entries: number; ms: number }): Retention {
  const assignments = { of: () => run.assigned } as unknown as Assignments;
  return new Retention({ ...run.local, assignments, clock: run.clock }, bounds);
}

const bodies = (run: LaneRun) =>
  run.local.journal.readAfter('queue', 0, 10_000, 1e9).map((entry) => entry.seq);

test('delivered entries lose their bodies, undelivered ones never (I6)', async () => {
  const run = LaneRun.ofTest();
  const delivered = run.append(change('a', 1), change('b', 2));
  await run.rest();
  run.isPaused = true;
  const waiting = run.append(change('a', 3), change('b', 4));
  expect(await retentionOf(run, { entries: 0, ms: 0 }).sweep()).toBe(delivered.length);
  expect(bodies(run)).toEqual(waiting);
  run.isPaused = false;
  await run.rest();
  expect(run.database.names()).toEqual([1, 2, 3, 4]);
  expect(run.balance).toMatchObject({ Accepted: 4, Applied: 4, Difference: 0 });
});

test('nothing is taken while nothing is assigned (I6)', async () => {
  const run = LaneRun.ofTest();
  run.append(change('a', 1));
  await run.rest();
  run.assigned = null;
  expect(await retentionOf(run, { entries: 0, ms: 0 }).sweep()).toBe(0);
});

test('a dead letter keeps its body, and all that is parked behind it (I6)', async () => {
  const run = LaneRun.ofTest();
  run.database.refused.add(2);
  const [, bad = 0] = run.append(change('b', 1), change('a', 2), change('a', 3), change('b', 4));
  await run.rest();
  await retentionOf(run, { entries: 0, ms: 0 }).sweep();
  expect(Math.min(...bodies(run))).toBe(bad);
  run.database.refused.clear();
  run.local.blocked.retry(run.mark?.database ?? 0, bad, 1);
  await run.rest();
  expect(run.database.names()).toEqual([1, 2, 3, 4]);
  await retentionOf(run, { entries: 0, ms: 0 }).sweep();
  expect(bodies(run)).toEqual([]);
});

test('entries stay until they are too old or too many, and the oldest go first (I9)', async () => {
  const run = LaneRun.ofTest();
  const old = run.append(change('a', 1), change('a', 2));
  await run.clock.advance(1_000);
  const young = run.append(change('a', 3), change('a', 4), change('a', 5));
  await run.rest();
  const all = [...old, ...young];
  expect(await retentionOf(run, { entries: 10, ms: 1e9 }).sweep()).toBe(0);
  expect(await retentionOf(run, { entries: 4, ms: 1e9 }).sweep()).toBe(1);
  expect(bodies(run)).toEqual(all.slice(1));
  await run.clock.advance(100);
  expect(await retentionOf(run, { entries: 10, ms: 800 }).sweep()).toBe(1);
  expect(bodies(run)).toEqual(young);
});

test('a database that comes new gets what is left, and the rest is counted as skipped (I10)', async () => {
  const run = LaneRun.ofTest();
  run.append(change('a', 1), change('a', 2));
  await run.rest();
  await retentionOf(run, { entries: 1, ms: 1e9 }).sweep();
  run.assigned = { beacon: 'b', connection: 1 };
  await run.rest();
  expect(run.database.names()).toEqual([2]);
  expect(run.balance).toMatchObject({
    Accepted: 2,
    Applied: 1,
    Skipped: 1,
    Pending: 0,
    Difference: 0,
  });
});

test('a sweep at any moment loses nothing that was accepted (I6, I10)', async () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('append' as const),
      key: fc.constantFrom('a', 'b'),
      isRefused: fc.boolean(),
      isEvent: fc.boolean(),
    }),
    fc.record({
      do: fc.constantFrom('sweep' as const, 'pause' as const, 'mend' as const, 'restart' as const),
    }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 2, maxLength: 20 }),
      fc.nat({ max: 3 }),
      async (steps, entries) => {
        const run = new LaneRun();
        try {
          let count = 0;
          const mend = async () => {
            run.database.refused.clear();
            const database = run.mark?.database ?? 0;
            for (const one of run.local.blocked.list(database, 100))
              run.local.blocked.retry(database, one.seq, 1);
            await run.rest();
          };
          for (const one of steps) {
            if (one.do === 'append') {
              count += 1;
              if (one.isRefused && count % 3 === 0) run.database.refused.add(count);
              run.append(
                one.isEvent
                  ? event(one.key, `n${count}`, { [`F${count}`]: 1 })
                  : upsert(one.key, `n${count}`, { [`F${count}`]: 1 }),
              );
            } else if (one.do === 'sweep') await retentionOf(run, { entries, ms: 1e9 }).sweep();
            else if (one.do === 'pause') run.isPaused = !run.isPaused;
            else if (one.do === 'restart') await run.restart();
            else await mend();
            await run.rest();
            expect(run.balance).toMatchObject({ Accepted: count, Difference: 0, Skipped: 0 });
          }
          run.isPaused = false;
          await mend();
          expect(run.database.names()).toEqual(
            Array.from({ length: count }, (_, index) => index + 1),
          );
        } finally {
          await run.end();
        }
      },
    ),
    { numRuns: 50 },
  );
});
