/** A short run of the migration campaign: a serving worker, killed on the way. */
import { expect, test } from 'vitest';
import { migrateRun } from '../kit/endurance/migrate-run.ts';

test('a store of schema 3 survives kills of the worker that brings it over while it serves (I1, I3)', async () => {
  const report = await migrateRun(20_000, 2);
  expect(report.faults).toEqual([]);
  expect(report.kills).toBe(2);
  expect(report.acceptedMeanwhile).toBeGreaterThan(0);
  expect(report.repeats).toBeGreaterThan(0);
  expect(report.fileBytesMost - report.viewBytes).toBeLessThan(1.5 * report.bytesBefore);
}, 300_000);
