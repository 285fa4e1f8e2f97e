/**
 * Worker, databeacon and nats-server killed in turn while a coordinator writes: nothing accepted is
 * lost, doubled or out of order.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { type KillReport, killRun } from '../kit/processes/kill-run.ts';
import { sampleWrites } from '../kit/rows/trace.ts';

const seed = Number(process.env['TIDEMARK_TEST_SEED'] ?? Math.floor(Math.random() * 100_000));
const calls = sampleWrites(600);

describe(`killed at random (seed ${seed})`, () => {
  let report: KillReport;
  beforeAll(async () => {
    report = await killRun({ calls, killsEach: 3, seed });
  }, 240_000);

  test('worker, databeacon and nats-server were each killed three times on the way', () => {
    expect(report.kills).toEqual({ worker: 3, beacon: 3, nats: 3, database: 0 });
  });

  test('every write answered Success is in the database, whatever died in between (I1)', () => {
    expect(report.refused).toEqual([]);
    expect(report.accepted.length).toBe(calls.length);
    expect(report.comparison.first.filter((one) => one.what === 'missing')).toEqual([]);
  });

  test('every event is there once, and no two writes share a Seq (I3)', () => {
    expect(report.sharedSeqs).toBe(0);
    expect(report.comparison.first.filter((one) => one.what === 'extra')).toEqual([]);
  });

  test('the rows are those of the independent fold, whatever was sent again (I8)', () => {
    expect(report.comparison.first).toEqual([]);
    expect(report.comparison.rows).toBeGreaterThan(100);
  });

  test('the writes of each key reached the database in the order of their Seq (I7)', () => {
    expect(report.order).toEqual([]);
  });

  test('the balance has no difference, and accounts for every write (I10)', () => {
    const lanes = Object.values(report.balance);
    expect(lanes.map((lane) => lane.Difference)).toEqual([0, 0]);
    expect(lanes.reduce((sum, lane) => sum + lane.Accepted, 0)).toBe(calls.length);
    expect(lanes.reduce((sum, lane) => sum + lane.Pending + lane.DeadLettered, 0)).toBe(0);
  });

  test('persistence-bridge-hwm.json was whole and of its shape at every read', () => {
    expect(report.marksReads).toBeGreaterThan(50);
    expect(report.marksFaults).toEqual([]);
  });
});
