/**
 * A hub that uses the drop-in bridges alone, with the worker and the bus killed under it: every
 * call resolves, and the database is the fold of the calls.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { sampleWrites } from '../kit/rows/trace.ts';
import { type DropinReport, dropinRun } from '../kit/processes/dropin-run.ts';

const calls = sampleWrites(600);

describe('the recorded calls through the drop-in, the worker killed five times and the bus twice', () => {
  let report: DropinReport;
  beforeAll(async () => {
    report = await dropinRun({ calls, workerKills: 5, busKills: 2 });
  }, 240_000);

  test('the kills hit while calls were unanswered, and every call resolved with Success', () => {
    expect(report.kills).toEqual({ worker: 5, nats: 2 });
    expect(report.unansweredAtKills.every((count) => count > 0)).toBe(true);
    expect(report.failed).toEqual([]);
    expect(report.answered).toBe(calls.length);
  });

  test('the database equals the fold of the calls, though each was made once and events carry no identity', () => {
    expect(report.comparison.first).toEqual([]);
    expect(report.comparison.rows).toBeGreaterThan(100);
  });

  test('no key was overtaken: Seqs rise in the order of the calls of each key', () => {
    expect(report.overtaken).toEqual([]);
  });
});
