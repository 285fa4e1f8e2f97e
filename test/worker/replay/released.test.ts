/** What was parked behind a dead letter goes out in runs: in order, fast, and stops at a refusal. */
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { event, patch, upsert } from '../../kit/worker/fixture.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';

const change = (key: string, n: number) => patch(key, `n${n}`, { Status: `s${n}`, [`F${n}`]: 1 });
const databaseOf = (run: LaneRun) => run.mark?.database ?? 0;

async function parked(count: number, refused: readonly number[]): Promise<LaneRun> {
  const run = LaneRun.ofTest();
  for (const n of refused) run.database.refused.add(n);
  run.append(change('b', 1));
  for (let from = 2; from <= count + 2; from += 1_000)
    run.append(
      ...Array.from({ length: Math.min(1_000, count + 3 - from) }, (_, n) =>
        n % 5 === 4 ? event('a', `n${from + n}`, { [`F${from + n}`]: 1 }) : change('a', from + n),
      ),
    );
  await settled(run);
  return run;
}

/** Longer than the rest of a run: making a large batch takes turns of its own. */
async function settled(run: LaneRun): Promise<void> {
  const isSettled = () =>
    run.mark?.seq === run.local.journal.counts('queue').head &&
    run.local.blocked.released.next(databaseOf(run), 'queue', 1).runs.length === 0;
  do await run.rest();
  while (!isSettled());
}

test('thousands parked behind one dead letter go within seconds of its drop, in order (I7, I13)', async () => {
  const count = 5_000;
  const run = await parked(count, [2]);
  expect(run.local.blocked.count(databaseOf(run), 'queue', 'parked')).toBe(count);
  const [dead] = run.local.blocked.list(databaseOf(run), 1);
  run.local.blocked.drop(databaseOf(run), dead?.seq ?? 0, 1);
  const startedMs = performance.now();
  await settled(run);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  expect(run.local.blocked.count(databaseOf(run), 'queue', 'parked')).toBe(0);
  expect(run.database.names()).toEqual(
    Array.from({ length: count + 2 }, (_, n) => n + 1).filter((n) => n !== 2),
  );
  expect(run.balance).toMatchObject({ DeadLettered: 1, Pending: 0, Difference: 0 });
}, 60_000);

test('a refusal within a run buries that write, and parks the rest behind it again (I5, I7)', async () => {
  const run = await parked(60, [2, 20, 41]);
  const drop = async () => {
    const [dead] = run.local.blocked.list(databaseOf(run), 1);
    run.local.blocked.drop(databaseOf(run), dead?.seq ?? 0, 1);
    await run.rest();
  };
  const upTo = (last: number) =>
    Array.from({ length: last }, (_, n) => n + 1).filter((n) => ![2, 20, 41].includes(n));
  await drop();
  expect(run.database.names()).toEqual(upTo(19));
  expect(run.local.blocked.list(databaseOf(run), 10)).toMatchObject([
    { state: 'dead', key: 'a', parked: 42 },
  ]);
  await drop();
  expect(run.database.names()).toEqual(upTo(40));
  await drop();
  expect(run.database.names()).toEqual(upTo(62));
  expect(run.balance).toMatchObject({ DeadLettered: 3, Pending: 0, Difference: 0 });
});

test('while a long run goes out, new writes of other keys are delivered between its lots (I7)', async () => {
  const run = await parked(3_000, [2]);
  const [dead] = run.local.blocked.list(databaseOf(run), 1);
  run.append(
    ...Array.from({ length: 10 }, (_, n) =>
      upsert(`c${n}`, `n${5_000 + n}`, { [`F${5_000 + n}`]: 1 }),
    ),
  );
  run.local.blocked.drop(databaseOf(run), dead?.seq ?? 0, 1);
  await settled(run);
  const effects = run.database.effects.map((one) => one.name);
  expect(effects.indexOf(5_000)).toBeGreaterThan(-1);
  expect(effects.indexOf(5_000)).toBeLessThan(effects.indexOf(2_500));
}, 60_000);

test('thousands of writes behind one dead letter are parked in small, bounded batches (I13)', async () => {
  const run = LaneRun.ofTest();
  run.database.refused.add(2);
  run.append(...Array.from({ length: 10_000 }, (_, n) => change(n === 0 ? 'b' : 'a', n + 1)));
  const { blocked, marks } = run.local;
  const steps: number[] = [];
  const park = blocked.park.bind(blocked);
  blocked.park = (database, lane, entries, nowMs) => {
    steps.push(entries.length);
    park(database, lane, entries, nowMs);
  };
  const held: number[] = [];
  const settle = marks.settle.bind(marks);
  marks.settle = (database, lane, settlement) => {
    held.push(settlement.blocked.length);
    settle(database, lane, settlement);
  };
  await settled(run);
  expect(blocked.count(databaseOf(run), 'queue', 'parked')).toBe(9_998);
  expect(Math.max(...steps)).toBeLessThanOrEqual(limits.parkStepEntries);
  expect(Math.max(...held)).toBeLessThan(limits.parkedEntriesMax + limits.deliverStepEntries);
  expect(run.balance).toMatchObject({ DeadLettered: 1, Pending: 9_998, Difference: 0 });
}, 60_000);
